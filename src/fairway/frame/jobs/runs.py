"""Routes for a kind of job that the whole server has one of: its history, its log, stopping it, and when it runs.

Garbage collection and the purging of the audit log look alike in Harbor's API, so they are declared alike:

```text
GET            <path>                       the runs, the newest first
GET, PUT       <path>/{execution_id}        one run; stop it
GET            <path>/{execution_id}/log    text
GET, POST, PUT <path>/schedule              when it runs; run it now, or from now on at these times
```
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote_plus

from fastapi import Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.frame.access.catalogue import Permission
from fairway.frame.db import Conn, Database, Row
from fairway.frame.jobs import cron as crons
from fairway.frame.jobs import queue, records, schedules
from fairway.frame.jobs.job import Facts, Job
from fairway.frame.jobs.records import Execution
from fairway.frame.jobs.schedules import Schedule
from fairway.frame.web.body import json_body
from fairway.frame.web.errors import Conflict, NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Paged, page_headers
from fairway.frame.web.routes import LoggedIn, Routes

Number = Annotated[int, Path(ge=0, le=2**63 - 1)]
"""An id in a path."""

_Words = Annotated[str, Query(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
_NEVER: Final = "0001-01-01T00:00:00.000Z"
_OLDEST_FIRST: Final = {"id", "creation_time", "start_time"}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What one needs to do what with the runs of a kind."""

    list: Permission
    read: Permission
    create: Permission
    update: Permission
    stop: Permission


@dataclass(frozen=True, slots=True)
class Runs:
    """A kind of job as the API offers it.

    `parameters` checks what a client asks for and answers the fields of the job's arguments; it raises BadRequest.
    """

    path: str
    job: Job[Any]
    parameters: Callable[[Facts], Facts]
    permissions: Permissions


class WhenIn(BaseModel):
    """Harbor's ScheduleObj, as far as a client may say it."""

    type: Literal["Hourly", "Daily", "Weekly", "Custom", "Manual", "None", ""] | None = None
    cron: str | None = None


class ScheduleIn(BaseModel):
    """Harbor's Schedule, as far as a client may say it."""

    schedule: WhenIn | None = None
    parameters: dict[str, Any] | None = None


class WhenOut(BaseModel):
    """Harbor's ScheduleObj."""

    type: str
    cron: str = ""
    next_scheduled_time: str = _NEVER


class RunOut(BaseModel):
    """Harbor's GCHistory and ExecHistory.  `job_parameters` is a JSON object as text, with the results once there are some."""

    id: int
    job_name: str
    job_kind: str
    job_parameters: str
    schedule: WhenOut
    job_status: str
    deleted: bool = False
    creation_time: str
    update_time: str


def add_routes(made: Routes, runs: Runs, db: Database) -> None:
    """Declare them all."""
    _schedule(made, runs, db)  # before the others: "schedule" is no id
    _history(made, runs, db)
    _one_run(made, runs, db)


def _schedule(made: Routes, runs: Runs, db: Database) -> None:
    path, needs = f"{runs.path}/schedule", runs.permissions

    # Without a schedule the body is empty, as Harbor's, so that the reply has no one shape to describe.
    @made.get(path, permission=needs.read, response_class=Response)
    async def get_schedule() -> Response:
        found = await schedules.of(db, runs.job.kind)
        body = "" if found is None else _scheduled(found).model_dump_json()
        return Response(body, media_type="application/json")

    @made.post(
        path,
        permission=needs.create,
        status_code=201,
        response_class=Response,
        raises=(BadRequest, Conflict),
    )
    async def create_schedule(
        request: Request, by: LoggedIn, asked: Annotated[ScheduleIn, json_body(ScheduleIn)]
    ) -> Response:
        started = await _arrange(db, runs, asked, by.name)
        # Relative, as Harbor's, and beside /schedule.
        above = request.scope["path"].rstrip("/").rpartition("/")[0]
        return Response(status_code=201, headers={"location": f"{above}/{started}"} if started else {})

    @made.put(path, permission=needs.update, response_class=Response, raises=(BadRequest, Conflict))
    async def update_schedule(by: LoggedIn, asked: Annotated[ScheduleIn, json_body(ScheduleIn)]) -> Response:
        await _arrange(db, runs, asked, by.name)
        return Response()


def _history(made: Routes, runs: Runs, db: Database) -> None:
    @made.get(runs.path, permission=runs.permissions.list, raises=(BadRequest,))
    async def list_runs(
        request: Request, response: Response, page: Paged, q: _Words = "", sort: _Words = ""
    ) -> list[RunOut]:
        wanted = asked_for(q)

        async def read(conn: Conn) -> tuple[list[RunOut], int]:
            found, total = await records.listed(
                conn,
                kind=runs.job.kind,
                statuses=wanted.get("status", ()),
                trigger=next(iter(wanted.get("trigger", ())), "").upper() or None,
                newest_first=not _OLDEST_FIRST & set(sort.split(",")),
                offset=page.offset,
                limit=page.size,
            )
            return await _shown(conn, runs, found), total

        shown, total = await db.read(read)
        response.headers.update(page_headers(request, page, total))
        return shown


def _one_run(made: Routes, runs: Runs, db: Database) -> None:
    kind, needs = runs.job.kind, runs.permissions
    path = f"{runs.path}/{{execution_id}}"

    async def find(conn: Conn, id: int) -> Execution:
        found = await records.execution(conn, id, kind)
        if found is None:
            raise NotFound(f"there is no run {id} here, or none any more")
        return found

    @made.get(path, permission=needs.read, raises=(NotFound,))
    async def get_run(execution_id: Number) -> RunOut:
        async def read(conn: Conn) -> RunOut:
            [shown] = await _shown(conn, runs, [await find(conn, execution_id)])
            return shown

        return await db.read(read)

    @made.put(path, permission=needs.stop, response_class=Response, raises=(NotFound,))
    async def stop_run(execution_id: Number) -> Response:
        async def stop(conn: Conn) -> None:
            await queue.stop(conn, (await find(conn, execution_id)).id)

        await db.write(stop)
        return Response()

    @made.get(f"{path}/log", permission=needs.read, response_class=PlainTextResponse, raises=(NotFound,))
    async def get_log(execution_id: Number) -> str:
        async def read(conn: Conn) -> str:
            tasks = await records.tasks_of(conn, (await find(conn, execution_id)).id)
            return log_text([row for task in tasks for row in await records.lines(conn, task.id)])

        return await db.read(read)


async def _arrange(db: Database, runs: Runs, asked: ScheduleIn, by: str) -> int | None:
    """Do what a Schedule asks for: set it, drop it, or start a run, whose id is returned.

    Raises BadRequest, and Conflict while a run is not over.
    """
    job = runs.job
    style = asked.schedule and asked.schedule.type
    if not (asked.schedule and style):
        raise BadRequest(
            "say when in schedule.type: Manual, Hourly, Daily, Weekly, Custom, or None for never"
        )
    if style == crons.NONE:
        await db.write(partial(schedules.remove, kind=job.kind))
        return None
    parameters = runs.parameters(asked.parameters or {})
    if style == crons.MANUAL:
        start = partial(
            queue.enqueue,
            job=job,
            arguments=job.arguments(**parameters),
            asked_by=by,
            parameters=parameters,
            single=schedules.single(job.kind),
        )
        started = await db.write(start)
        if started is None:
            raise Conflict("the last run is not over; wait for it, or stop it")
        return started
    # Harbor runs a Daily schedule when its cron says, which need not be midnight.
    custom = (asked.schedule.cron or "").strip()
    cron = crons.expression(crons.CUSTOM if custom else style, custom)
    put = partial(schedules.put, kind=job.kind, style=style, cron=cron, parameters=parameters, asked_by=by)
    await db.write(put)
    return None


def asked_for(q: str) -> dict[str, list[str]]:
    """The exact values, `key=value` or `key={one other}`, of a `q=`; other forms filter nothing.  Raises BadRequest.

    As in Harbor, it may be percent-encoded once more than the query of a URL is.
    """
    found: dict[str, list[str]] = {}
    text = unquote_plus(q)
    if not text.isprintable():
        raise BadRequest("q has characters that nothing is filtered by")
    for pair in text.split(",") if text else ():
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise BadRequest("q is a list of key=value, separated by commas")
        if value.startswith("{") and value.endswith("}"):
            found[key.lower()] = value[1:-1].split()
        elif value[0] not in "~[(":
            found[key.lower()] = [value.removeprefix("\\")]
    return found


def log_text(rows: Sequence[Row]) -> str:
    """Lines of a task's log for people, each with its time."""
    return "".join(f"{moment(row['at'])[:19]}Z [INFO] {row['line']}\n" for row in rows)


async def _shown(conn: Conn, runs: Runs, found: Sequence[Execution]) -> list[RunOut]:
    if not found:
        return []
    ids = [each.id for each in found]
    results = await records.results(conn, runs.job.kind, min(ids), max(ids))
    return [_run(each, results.get(each.id, {})) for each in found]


def _run(found: Execution, results: Facts) -> RunOut:
    return RunOut(
        id=found.id,
        job_name=found.kind,
        job_kind=found.trigger,
        job_parameters=json.dumps({**found.parameters, **results}),
        schedule=WhenOut(type=found.trigger.title()),
        job_status=found.status,
        creation_time=moment(found.created_at),
        update_time=moment(found.ended_at or found.created_at),
    )


def _scheduled(found: Schedule) -> RunOut:
    next_at = moment(found.next_at) if found.comes else _NEVER
    return RunOut(
        id=found.id,
        job_name="",
        job_kind=found.cron,
        job_parameters=json.dumps(dict(found.parameters)),
        schedule=WhenOut(type=found.style, cron=found.cron, next_scheduled_time=next_at),
        job_status="Running",
        creation_time=moment(found.created_at),
        update_time=moment(found.updated_at),
    )
