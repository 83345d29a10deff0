"""What was told by a policy, as executions with one task each, and as the jobs of older clients.

A delivery is all three at once, under one number.
"""

from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.webhooks import asking
from fairway.features.webhooks.api.places import EXECUTION, EXECUTIONS, OF_PROJECT, Id, policy, told
from fairway.features.webhooks.model import KnownTarget
from fairway.features.webhooks.store import history, targets
from fairway.features.webhooks.store.history import VENDORS, Told
from fairway.frame.access.catalogue import NOTIFICATION_POLICY_LIST, NOTIFICATION_POLICY_READ
from fairway.frame.db import Conn, Database
from fairway.frame.db.listing import AnyOf, Filters, Order, walks
from fairway.frame.jobs.job import EVENT, PENDING, RUNNING
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import InProject, Routes

Number = Annotated[int, Query(ge=1, le=2**63 - 1)]
_Status = Annotated[list[Annotated[str, Query(max_length=64)]] | None, Query(max_length=20)]


class MetricsOut(BaseModel):
    """Harbor's Metrics: how many tasks there are, and how they stand."""

    task_count: int = 1
    success_task_count: int = 0
    error_task_count: int = 0
    pending_task_count: int = 0
    running_task_count: int = 0
    stopped_task_count: int = 0


class ExecutionOut(BaseModel):
    """Harbor's Execution; `extra_attrs` has the type of the event and the payload, as text."""

    id: int
    vendor_type: str
    vendor_id: int
    status: str
    status_message: str
    metrics: MetricsOut
    trigger: str = EVENT
    extra_attrs: dict[str, Any]
    start_time: str
    end_time: str | None = None


class TaskOut(BaseModel):
    """Harbor's Task."""

    id: int
    execution_id: int
    status: str
    status_message: str
    run_count: int
    extra_attrs: dict[str, Any]
    creation_time: str
    update_time: str
    start_time: str | None = None
    end_time: str | None = None


class JobOut(BaseModel):
    """Harbor's WebhookJob."""

    id: int
    policy_id: int
    event_type: str
    notify_type: str
    status: str
    job_detail: str
    creation_time: str
    update_time: str


class RequestOut(BaseModel):
    """What is sent; of secrets only that they are there.  Without an address when the target is gone."""

    method: str = "POST"
    address: str | None = None
    headers: dict[str, str]
    body: str


class AnswerOut(BaseModel):
    """What was answered last, and what the answer began with."""

    status: int
    body: str


class DetailOut(ExecutionOut):
    """An execution with all that is known of it."""

    event_id: str
    tries: int
    request: RequestOut
    answer: AnswerOut | None = None


def add_routes(made: Routes, db: Database) -> None:
    """Add the routes of executions and tasks."""

    @made.get(
        EXECUTIONS,
        permission=NOTIFICATION_POLICY_READ,
        raises=(BadRequest,),
        response_model_exclude_none=True,
    )
    async def list_executions_of_webhook_policy(
        request: Request,
        response: Response,
        project: InProject,
        webhook_policy_id: Id,
        page: Paged,
        filters: Filtered,
        order: Ordered,
    ) -> list[ExecutionOut]:
        found, total = await _page(db, project.id, webhook_policy_id, filters, order, page)
        response.headers.update(page_headers(request, page, total))
        return [execution(each) for each in found]

    @made.get(EXECUTION, permission=NOTIFICATION_POLICY_READ, response_model_exclude_none=True)
    async def get_webhook_execution(project: InProject, webhook_policy_id: Id, execution_id: Id) -> DetailOut:
        async def read(conn: Conn) -> DetailOut:
            found = await told(conn, project.id, webhook_policy_id, execution_id)
            of = await targets.of(conn, [webhook_policy_id])
            target = next((each for each in of[webhook_policy_id] if each.id == found.delivery.target), None)
            return _detail(found, target)

        return await db.read(read)

    _tasks(made, db)


def _tasks(made: Routes, db: Database) -> None:
    @made.get(
        f"{EXECUTION}/tasks",
        permission=NOTIFICATION_POLICY_READ,
        raises=(BadRequest,),
        response_model_exclude_none=True,
    )
    async def list_tasks_of_webhook_execution(
        request: Request,
        response: Response,
        project: InProject,
        webhook_policy_id: Id,
        execution_id: Id,
        page: Paged,
        filters: Filtered,  # noqa: ARG001 - of one task there is nothing to choose
        order: Ordered,  # noqa: ARG001
    ) -> list[TaskOut]:
        found = await db.read(lambda conn: told(conn, project.id, webhook_policy_id, execution_id))
        response.headers.update(page_headers(request, page, 1))
        return [_task(found)] if page.offset == 0 else []

    @made.get(
        f"{EXECUTION}/tasks/{{task_id}}/log",
        permission=NOTIFICATION_POLICY_READ,
        response_class=PlainTextResponse,
    )
    async def get_logs_of_webhook_task(
        project: InProject, webhook_policy_id: Id, execution_id: Id, task_id: Id
    ) -> str:
        found = await db.read(lambda conn: told(conn, project.id, webhook_policy_id, execution_id))
        if task_id != execution_id:
            raise NotFound(
                f"the execution {execution_id} has no task {task_id}; its only one has its own number"
            )
        return _log(found)


def add_job_routes(made: Routes, db: Database) -> None:
    """Add the route of jobs."""

    @made.get(f"{OF_PROJECT}/jobs", permission=NOTIFICATION_POLICY_LIST, raises=(BadRequest, NotFound))
    async def list_webhook_jobs(
        request: Request,
        response: Response,
        project: InProject,
        policy_id: Number,
        page: Paged,
        filters: Filtered,
        order: Ordered,
        status: _Status = None,
    ) -> list[JobOut]:
        named = tuple(word for each in status or () for word in each.split(",") if word)
        asked = {**filters, "status": AnyOf(named)} if named else filters
        found, total = await _page(db, project.id, policy_id, asked, order, page)
        response.headers.update(page_headers(request, page, total))
        return [_job(each) for each in found]


async def _page(
    db: Database, project: int, number: int, filters: Filters, order: Order, page: Page
) -> tuple[list[Told], int]:
    async def read(conn: Conn) -> tuple[list[Told], int]:
        await policy(conn, project, number)
        return await history.listed(conn, number, filters, order, offset=page.offset, limit=page.size)

    return await (db.walk if walks(filters, order, indexed="id") else db.read)(read)


def _status(found: Told) -> str:
    return RUNNING if found.delivery.status == PENDING else found.delivery.status


def execution(found: Told) -> ExecutionOut:
    """A delivery as an execution."""
    return ExecutionOut(**_execution(found))


def _execution(found: Told) -> dict[str, Any]:
    each = found.delivery
    return {
        "id": each.id,
        "vendor_type": VENDORS[found.type],
        "vendor_id": each.policy,
        "status": _status(found),
        "status_message": each.message,
        "metrics": MetricsOut(**{f"{each.status.lower()}_task_count": 1}),
        "extra_attrs": {"event_type": each.event_type, "payload": each.body},
        "start_time": moment(each.created_at),
        "end_time": _moment(each.ended_at),
    }


def _detail(found: Told, target: KnownTarget | None) -> DetailOut:
    each = found.delivery
    headers = {
        "content-type": each.media_type,
        "webhook-id": each.event_id,
        "x-fairway-event": each.event_type,
    }
    if target is not None and target.has_auth_header:
        headers["authorization"] = asking.MASK
    if target is not None and target.has_secret:
        headers |= {"webhook-signature": asking.MASK, "x-signature": asking.MASK}
    address = None if target is None else target.address
    return DetailOut(
        **_execution(found),
        event_id=each.event_id,
        tries=each.tries,
        request=RequestOut(address=address, headers=headers, body=each.body),
        answer=None if each.answered is None else AnswerOut(status=each.answered, body=each.reply),
    )


def _task(found: Told) -> TaskOut:
    each = found.delivery
    return TaskOut(
        id=each.id,
        execution_id=each.id,
        status=each.status,
        status_message=each.message,
        run_count=each.tries,
        extra_attrs={},
        creation_time=moment(each.created_at),
        update_time=moment(each.ended_at or each.started_at or each.created_at),
        start_time=_moment(each.started_at),
        end_time=_moment(each.ended_at),
    )


def _job(found: Told) -> JobOut:
    each = found.delivery
    return JobOut(
        id=each.id,
        policy_id=each.policy,
        event_type=each.event_type,
        notify_type=found.type,
        status=_status(found),
        job_detail=each.body,
        creation_time=moment(each.created_at),
        update_time=moment(each.ended_at or each.started_at or each.created_at),
    )


def _log(found: Told) -> str:
    each = found.delivery
    lines = [f"{moment(each.created_at)} {each.event_type} is to be told, as event {each.event_id}"]
    if each.started_at is not None:
        lines.append(f"{moment(each.started_at)} try {each.tries} began")
    if each.answered is not None:
        lines.append(f"it was answered with {each.answered}")
    if each.reply:
        lines.append(f"the answer begins: {each.reply}")
    if each.message:
        lines.append(each.message)
    if each.ended_at is not None:
        lines.append(f"{moment(each.ended_at)} {each.status}")
    return "".join(f"{line}\n" for line in lines)


def _moment(at: int | None) -> str | None:
    return None if at is None else moment(at)
