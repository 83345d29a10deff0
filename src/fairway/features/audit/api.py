"""The audit log in Harbor's API v2.0: reading it, all or a project's, and purging it of old lines, now or by a schedule."""

import re
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request

from fairway.core.oci.errors import BadRequest
from fairway.features.audit import rules, store
from fairway.features.audit.jobs import PurgeArguments
from fairway.frame.access.catalogue import (
    AUDIT_LOG_LIST,
    LOG_LIST,
    PURGE_AUDIT_CREATE,
    PURGE_AUDIT_LIST,
    PURGE_AUDIT_READ,
    PURGE_AUDIT_STOP,
    PURGE_AUDIT_UPDATE,
)
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Database, Row
from fairway.frame.db.listing import Filters, Order, walks
from fairway.frame.jobs.job import Facts, Job
from fairway.frame.jobs.runs import Permissions, Runs, add_routes
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Page, Paged, page_headers
from fairway.frame.web.query import Filtered, Ordered
from fairway.frame.web.routes import AUTHENTICATED, AskedBy, Authoriser, InProject, Routes

MOST_HOURS: Final = 240_000
_NAMES: Final = re.compile(r"[A-Za-z_]{1,64}( ?, ?[A-Za-z_]{1,64}){0,99}")
_LISTS: Final = ("include_event_types", "include_operations")


def routes(db: Database, authoriser: Authoriser, job: Job[PurgeArguments]) -> APIRouter:
    """The routes, relative to `/api/v2.0`."""
    made = Routes(authoriser, tags=["purge"])
    needs = Permissions(
        list=PURGE_AUDIT_LIST,
        read=PURGE_AUDIT_READ,
        create=PURGE_AUDIT_CREATE,
        update=PURGE_AUDIT_UPDATE,
        stop=PURGE_AUDIT_STOP,
    )
    add_routes(made, Runs("/system/purgeaudit", job, parameters, needs), db)
    read = Routes(authoriser, tags=["auditlog"])
    _logs(read, db)
    of_project = Routes(authoriser, tags=["project"])
    _logs_of_project(of_project, db)
    both = APIRouter()
    for each in (made, read, of_project):
        both.include_router(each.router)
    return both


class LogOut(BaseModel):
    """Harbor's AuditLog."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    op_time: str


class LogExtOut(LogOut):
    """Harbor's AuditLogExt."""

    operation_description: str
    operation_result: bool


class EventTypeOut(BaseModel):
    """Harbor's AuditLogEventType."""

    event_type: str


def _logs(made: Routes, db: Database) -> None:
    @made.get("/audit-logs", permission=AUTHENTICATED, raises=(BadRequest,))
    async def list_logs(
        request: Request, response: Response, viewer: AskedBy, page: Paged, q: Filtered, sort: Ordered
    ) -> list[LogOut]:
        rows, total = await _read(db, viewer, q, sort, page)
        response.headers.update(page_headers(request, page, total))
        return [LogOut(**_shown(row)) for row in rows]

    @made.get("/auditlog-exts", permission=AUTHENTICATED, raises=(BadRequest,))
    async def list_logs_ext(
        request: Request, response: Response, viewer: AskedBy, page: Paged, q: Filtered, sort: Ordered
    ) -> list[LogExtOut]:
        rows, total = await _read(db, viewer, q, sort, page)
        response.headers.update(page_headers(request, page, total))
        return [_shown_ext(row) for row in rows]

    @made.get("/auditlog-exts/events", permission=AUDIT_LOG_LIST)
    async def list_event_types() -> list[EventTypeOut]:
        return [EventTypeOut(event_type=each) for each in rules.EVENT_TYPES]


def _logs_of_project(made: Routes, db: Database) -> None:
    @made.get("/projects/{project_name}/logs", permission=LOG_LIST, raises=(BadRequest,))
    async def list_project_logs(
        request: Request,
        response: Response,
        viewer: AskedBy,
        project: InProject,
        page: Paged,
        q: Filtered,
        sort: Ordered,
    ) -> list[LogOut]:
        rows, total = await _read(db, viewer, q, sort, page, project.id)
        response.headers.update(page_headers(request, page, total))
        return [LogOut(**_shown(row)) for row in rows]

    @made.get("/projects/{project_name}/auditlog-exts", permission=LOG_LIST, raises=(BadRequest,))
    async def list_project_logs_ext(
        request: Request,
        response: Response,
        viewer: AskedBy,
        project: InProject,
        page: Paged,
        q: Filtered,
        sort: Ordered,
    ) -> list[LogExtOut]:
        rows, total = await _read(db, viewer, q, sort, page, project.id)
        response.headers.update(page_headers(request, page, total))
        return [_shown_ext(row) for row in rows]


async def _read(
    db: Database, viewer: Principal, filters: Filters, order: Order, page: Page, project: int | None = None
) -> tuple[list[Row], int]:
    async def read(conn: Conn) -> tuple[list[Row], int]:
        return await store.listed(
            conn, viewer, filters, order, project=project, offset=page.offset, limit=page.size
        )

    return await (db.walk if walks(filters, order, indexed="op_time") else db.read)(read)


def _shown(row: Row) -> Facts:
    return {
        **{name: row[name] for name in ("id", "username", "resource", "resource_type", "operation")},
        "op_time": moment(row["at"]),
    }


def _shown_ext(row: Row) -> LogExtOut:
    return LogExtOut(
        **_shown(row), operation_description=row["description"], operation_result=bool(row["succeeded"])
    )


def parameters(asked: Facts) -> Facts:
    """What a client must and may ask of a run; other names are ignored.  Raises BadRequest."""
    hours = asked.get("audit_retention_hour")
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= MOST_HOURS:
        raise BadRequest(f"audit_retention_hour is a number from 1 to {MOST_HOURS}")
    lists = {name: asked[name] for name in _LISTS if asked.get(name)}
    if not lists:
        raise BadRequest("say in include_event_types what to purge, such as create_artifact,pull_artifact")
    for name, value in lists.items():
        if not isinstance(value, str) or not _NAMES.fullmatch(value.strip()):
            raise BadRequest(f"{name} is a list of names, separated by commas")
    dry_run = asked.get("dry_run")
    if not isinstance(dry_run, bool | None):
        raise BadRequest("dry_run is true or false")
    return {"audit_retention_hour": hours, **lists, "dry_run": bool(dry_run)}
