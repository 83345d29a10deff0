"""Runs of a policy: the history, running it now, stopping it, and what was decided."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.retention.api.shown import (
    DecisionOut,
    HomeOfPolicy,
    Id,
    decision,
    present,
    time_of,
)
from fairway.features.retention.jobs import RetentionArguments
from fairway.features.retention.model import RETENTION, Line, Result
from fairway.features.retention.store import results
from fairway.frame.access.catalogue import TAG_RETENTION_LIST, TAG_RETENTION_READ, TAG_RETENTION_UPDATE
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import queue, records, schedules
from fairway.frame.jobs.job import ERROR, PENDING, RUNNING, STOPPED, SUCCESS, Job
from fairway.frame.jobs.records import Execution
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import LoggedIn, Routes

_CODES: Final = {PENDING: 0, RUNNING: 2, STOPPED: 3, ERROR: 3, SUCCESS: 3}
"""Harbor's numbers of states."""
_LOG_LINES: Final = 10_000
_RUNS = "/retentions/{id}/executions"
_OWN = "/retention/policies/{id}/executions/{eid}"


class RunIn(BaseModel):
    """Whether to delete nothing."""

    dry_run: bool = False


class ActionIn(BaseModel):
    """What to do with a run: stop."""

    action: str = ""


class RunOut(BaseModel):
    """Harbor's RetentionExecution."""

    id: int
    policy_id: int
    start_time: str
    end_time: str
    status: str
    trigger: str
    dry_run: bool


class ProgressOut(BaseModel):
    """How far a run is."""

    done: int = 0
    total: int = 0
    what: str = ""


class WholeRunOut(RunOut):
    """A run with the sums of all repositories."""

    repositories: int
    total: int
    retained: int
    deleted: int
    failed: int
    message: str
    progress: ProgressOut


class TaskOut(BaseModel):
    """Harbor's RetentionExecutionTask: what a run made of one repository; `deleted` and `message` are ours."""

    id: int
    execution_id: int
    repository: str
    job_id: str
    status: str
    status_code: int
    status_revision: int
    start_time: str
    end_time: str
    total: int
    retained: int
    deleted: int
    message: str


def add_routes(made: Routes, db: Database, job: Job[RetentionArguments]) -> None:
    """Add Harbor's routes of this page."""
    _history(made, db)
    _changing(made, db, job)
    _decided(made, db)


def _history(made: Routes, db: Database) -> None:
    @made.get(_RUNS, permission=TAG_RETENTION_LIST, project=HomeOfPolicy(db))
    async def list_retention_executions(
        request: Request, response: Response, id: Id, page: Paged
    ) -> list[RunOut]:
        async def read(conn: Conn) -> tuple[list[Execution], int]:
            policy = await present(conn, id)
            return await records.listed(
                conn, kind=RETENTION, owner=policy.id, offset=page.offset, limit=page.size
            )

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [RunOut(**_run(each)) for each in found]


def _changing(made: Routes, db: Database, job: Job[RetentionArguments]) -> None:
    @made.post(
        _RUNS,
        permission=TAG_RETENTION_UPDATE,
        project=HomeOfPolicy(db),
        status_code=201,
        response_class=Response,
        raises=(Conflict,),
    )
    async def trigger_retention_execution(
        request: Request, id: Id, by: LoggedIn, asked: Annotated[RunIn, json_body(RunIn)]
    ) -> Response:
        async def start(conn: Conn) -> int | None:
            policy = await present(conn, id)
            return await queue.enqueue(
                conn,
                job,
                RetentionArguments(policy.id, asked.dry_run),
                owner=policy.id,
                asked_by=by.name,
                parameters={"policy": policy.id, "dry_run": asked.dry_run},
                single=schedules.single(RETENTION, policy.id),
            )

        execution = await db.write(start)
        if execution is None:
            raise Conflict("the last run is not over; wait for it, or stop it")
        location = f"{request.scope['path'].rstrip('/')}/{execution}"
        return Response(status_code=201, headers={"location": location})

    @made.patch(
        f"{_RUNS}/{{eid}}",
        permission=TAG_RETENTION_UPDATE,
        project=HomeOfPolicy(db),
        response_class=Response,
        raises=(BadRequest,),
    )
    async def operate_retention_execution(
        id: Id, eid: Id, asked: Annotated[ActionIn, json_body(ActionIn)]
    ) -> Response:
        if asked.action != "stop":
            raise BadRequest('the action is "stop"')

        async def stop(conn: Conn) -> None:
            await queue.stop(conn, (await _execution(conn, id, eid)).id)

        await db.write(stop)
        return Response()


def _decided(made: Routes, db: Database) -> None:
    @made.get(f"{_RUNS}/{{eid}}/tasks", permission=TAG_RETENTION_LIST, project=HomeOfPolicy(db))
    async def list_retention_tasks(
        request: Request, response: Response, id: Id, eid: Id, page: Paged
    ) -> list[TaskOut]:
        async def read(conn: Conn) -> tuple[list[TaskOut], int]:
            execution = await _execution(conn, id, eid)
            policy = await present(conn, id)
            found, total = await results.listed(conn, eid, offset=page.offset, limit=page.size)
            return [_task(each, execution, full=policy.project is None) for each in found], total

        found, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return found

    @made.get(
        f"{_RUNS}/{{eid}}/tasks/{{tid}}",
        permission=TAG_RETENTION_READ,
        project=HomeOfPolicy(db),
        response_class=PlainTextResponse,
    )
    async def get_retention_task_log(id: Id, eid: Id, tid: Id) -> str:
        """What goes comes before what stays; of very many, the first."""

        async def read(conn: Conn) -> str:
            result = await _result(conn, id, eid, tid)
            lines, kept = await results.lines(conn, result.id, offset=0, limit=_LOG_LINES)
            return _log(result, lines, kept)

        return await db.read(read)


def add_own_routes(made: Routes, db: Database) -> None:
    """Add our routes of this page."""

    @made.get(_OWN, permission=TAG_RETENTION_READ, project=HomeOfPolicy(db))
    async def get_retention_execution(id: Id, eid: Id) -> WholeRunOut:
        async def read(conn: Conn) -> WholeRunOut:
            execution = await _execution(conn, id, eid)
            sums = await results.sums(conn, eid)
            [task] = await records.tasks_of(conn, eid)
            return WholeRunOut(
                **_run(execution),
                repositories=sums["repositories"],
                total=sums["total"],
                retained=sums["retained"],
                deleted=sums["gone"],
                failed=sums["failed"],
                message=task.message,
                progress=ProgressOut(**dict(task.progress)),
            )

        return await db.read(read)

    @made.get(f"{_OWN}/tasks/{{tid}}/decisions", permission=TAG_RETENTION_READ, project=HomeOfPolicy(db))
    async def list_retention_decisions(
        request: Request, response: Response, id: Id, eid: Id, tid: Id, page: Paged
    ) -> list[DecisionOut]:
        """What goes comes before what stays."""

        async def read(conn: Conn) -> tuple[list[Line], int]:
            result = await _result(conn, id, eid, tid)
            return await results.lines(conn, result.id, offset=page.offset, limit=page.size)

        lines, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return [decision(line) for line in lines]


async def _execution(conn: Conn, policy: int, execution: int) -> Execution:
    await present(conn, policy)
    found = await records.execution(conn, execution, RETENTION)
    if found is None or found.owner != policy:
        raise NotFound(f"policy {policy} has no run {execution}, or none any more")
    return found


async def _result(conn: Conn, policy: int, execution: int, result: int) -> Result:
    await _execution(conn, policy, execution)
    found = await results.one(conn, execution, result)
    if found is None:
        raise NotFound(f"run {execution} has no task {result}")
    return found


def _run(found: Execution) -> dict[str, Any]:
    return {
        "id": found.id,
        "policy_id": found.owner,
        "start_time": time_of(found.created_at),
        "end_time": time_of(found.ended_at),
        "status": found.status,
        "trigger": found.trigger,
        "dry_run": bool(found.parameters.get("dry_run", False)),
    }


def _task(found: Result, execution: Execution, *, full: bool) -> TaskOut:
    over = execution.ended_at is not None
    status = execution.status if found.status == RUNNING and over else found.status
    return TaskOut(
        id=found.id,
        execution_id=found.execution,
        repository=found.repository if full else found.repository.partition("/")[2],
        job_id=f"{found.execution}-{found.id}",
        status=status,
        status_code=_CODES[status],
        status_revision=found.started_at // 1_000_000,
        start_time=time_of(found.started_at),
        end_time=time_of(found.ended_at),
        total=found.total,
        retained=found.retained,
        deleted=found.gone,
        message=found.message,
    )


_HEADS: Final = (
    "Digest",
    "Tag",
    "Kind",
    "Labels",
    "PushedTime",
    "PulledTime",
    "CreatedTime",
    "Retention",
    "Reason",
)


def _log(result: Result, lines: Sequence[Line], kept: int) -> str:
    """A table, as Harbor's, with our reasons."""
    rows = [
        (
            digest,
            ",".join(tags),
            kind,
            ",".join(labels),
            *(time_of(at)[:19].replace("T", " ") for at in (pushed, pulled, created)),
            mark,
            reason,
        )
        for digest, tags, kind, labels, pushed, pulled, created, mark, reason in lines
    ]
    said = [
        f"{result.repository}: {result.retained} of {result.total} retained, {result.gone} deleted",
        *([result.message] if result.message else []),
        *("| " + " | ".join(row) + " |" for row in (_HEADS, *rows)),
    ]
    if kept > len(lines):
        said.append(f"… and {kept - len(lines)} more, which the decisions of this task have page by page")
    return "\n".join(said) + "\n"
