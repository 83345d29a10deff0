"""The audit log's rows: written, listed, purged; and those that wait to be sent elsewhere."""

import json
from collections import Counter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import false as sql_false
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.audit.rules import Chosen, Entry, entries
from fairway.features.projects.store.belonging import projects_of
from fairway.features.projects.store.granted import covered, granted
from fairway.frame.access.catalogue import AUDIT_LOG_LIST, LOG_LIST
from fairway.frame.access.may import may
from fairway.frame.access.principals import Principal, Robot, User
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.listing import COUNTED, Field, Filters, Listing, Order
from fairway.frame.db.tables import audit_forwards, audit_log, audit_totals
from fairway.frame.db.types import within, within_ids
from fairway.frame.events import Event

_WRITE = (
    upsert(audit_log)
    .values(
        event_id=bindparam("event"),
        project_id=bindparam("project"),
        username=bindparam("username"),
        resource=bindparam("resource"),
        resource_type=bindparam("resource_type"),
        operation=bindparam("operation"),
        description=bindparam("description"),
        succeeded=bindparam("succeeded"),
        at=bindparam("at"),
    )
    .on_conflict_do_nothing(index_elements=["event_id"])
)


_COUNT_ONE = (
    upsert(audit_totals)
    .values(project_id=bindparam("project"), lines=1)
    .on_conflict_do_update(index_elements=["project_id"], set_={"lines": audit_totals.c.lines + 1})
)


async def write(conn: Conn, event: Event) -> None:
    """The reaction to any event that the log has a line for."""
    for entry in entries(event.kind, event.facts):
        await keep(conn, event, entry)


async def keep(conn: Conn, event: Event, entry: Entry) -> None:
    """Write one line.  Needs a transaction."""
    row = _row(event, entry)
    if await conn.run(_WRITE, **row):
        await conn.run(_COUNT_ONE, project=row["project"])


def _row(event: Event, entry: Entry) -> dict[str, object]:
    return {
        "event": event.id,
        "project": event.facts.get("project_id", 0),
        "username": entry.username,
        "resource": entry.resource,
        "resource_type": entry.resource_type,
        "operation": entry.operation,
        "description": entry.description,
        "succeeded": entry.succeeded,
        "at": event.at,
    }


# -- listing

_LISTING = Listing(
    {
        "id": Field(audit_log.c.id),
        "username": Field(audit_log.c.username),
        "resource": Field(audit_log.c.resource),
        "resource_type": Field(audit_log.c.resource_type),
        "operation": Field(audit_log.c.operation),
        "operation_description": Field(audit_log.c.description),
        "operation_result": Field(audit_log.c.succeeded),
        "op_time": Field(audit_log.c.at, moment=True),
    },
    default=[("op_time", True)],
    tie=audit_log.c.id,
)


def _visible_to(viewer: Principal, of: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """All for who may list the whole log; else the lines of projects, told by the column `of`, whose log the viewer may
    list."""
    if may(viewer, AUDIT_LOG_LIST):
        return []
    if isinstance(viewer, Robot):
        return [of > 0, granted(viewer, LOG_LIST, of)]
    if not isinstance(viewer, User):
        return [sql_false()]
    return [of.in_(projects_of(viewer.id, LOG_LIST)), covered(viewer, LOG_LIST, of)]


async def listed(
    conn: Conn,
    viewer: Principal,
    filters: Filters,
    order: Order = (),
    *,
    project: int | None = None,
    offset: int,
    limit: int,
) -> tuple[list[Row], int]:
    """One page of the lines that `viewer` may see, the newest first, and how many there are on all pages.

    `project`: of that one only, and whoever asks may see them.  With filters, lines are counted as far as COUNTED says.
    Raises BadRequest.
    """
    scope = (
        _visible_to(viewer, audit_log.c.project_id)
        if project is None
        else [audit_log.c.project_id == project]
    )
    conditions = [*scope, *_LISTING.where(filters)]
    total = await _count(conn, viewer, project, conditions if filters else None, offset + limit + 1)
    page = select(audit_log).where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    return await conn.all(page) if offset < total else [], total


async def _count(
    conn: Conn,
    viewer: Principal,
    project: int | None,
    conditions: list[ColumnElement[bool]] | None,
    least: int,
) -> int:
    """All lines, or those of `conditions` as far as COUNTED says."""
    counted: Select[Any]
    if conditions is None:
        of = audit_totals.c.project_id
        scope = _visible_to(viewer, of) if project is None else [of == project]
        counted = select(func.coalesce(func.sum(audit_totals.c.lines), 0)).where(*scope)
    else:
        some = select(audit_log.c.id).where(*conditions).limit(max(COUNTED, least))
        counted = select(func.count()).select_from(some.subquery())
    return int(await conn.scalar(counted))


# -- purging

_EVENT = audit_log.c.operation + "_" + audit_log.c.resource_type
_CHOSEN = or_(
    within(_EVENT, bindparam("events")),
    within(audit_log.c.operation, bindparam("operations")),
    and_(bindparam("other", type_=BigInteger) == 1, ~within(_EVENT, bindparam("not_other"))),
)
_AFTER_AT = bindparam("after_at", type_=BigInteger)
# All old lines by their time, chosen or not: looking for the chosen ones alone could take a walk through the whole log.
_OLD = (
    select(audit_log.c.id, audit_log.c.project_id, audit_log.c.at, _CHOSEN.label("chosen"))
    .where(
        audit_log.c.at < now_us() - bindparam("micros", type_=BigInteger),
        audit_log.c.at >= _AFTER_AT,
        or_(audit_log.c.at > _AFTER_AT, audit_log.c.id > bindparam("after_id", type_=BigInteger)),
    )
    .order_by(audit_log.c.at, audit_log.c.id)
    .limit(bindparam("limit"))
)
_COUNT_OFF = (
    update(audit_totals)
    .where(audit_totals.c.project_id == bindparam("project"))
    .values(lines=audit_totals.c.lines - bindparam("dropped", type_=BigInteger))
)
_DROP = delete(audit_log).where(audit_log.c.id == bindparam("id"))

Place = tuple[int, int]
"""A line's time and id."""
START: Place = (0, 0)


async def purge(
    conn: Conn, hours: int, which: Chosen, after: Place, limit: int, *, dry_run: bool = False
) -> tuple[int, Place | None]:
    """Look at the next `limit` lines older than so many hours, the oldest first, and drop those that are chosen.

    Answers how many are, and the place to go on from, None at the end.  A dry run drops nothing.
    """
    rows = await conn.all(
        _OLD,
        micros=hours * 3600 * SECOND,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
        events=json.dumps(sorted(which.events)),
        operations=json.dumps(sorted(which.operations)),
        other=int(which.other),
        not_other=json.dumps(sorted(which.not_other)),
    )
    chosen = [{"id": row["id"]} for row in rows if row["chosen"]]
    if not dry_run:
        await conn.many(_DROP, chosen)
        by_project = Counter(row["project_id"] for row in rows if row["chosen"])
        counts = [{"project": project, "dropped": lines} for project, lines in sorted(by_project.items())]
        await conn.many(_COUNT_OFF, counts)
    return len(chosen), (rows[-1]["at"], rows[-1]["id"]) if len(rows) == limit else None


# -- on their way elsewhere

_QUEUE = insert(audit_forwards).values(line=bindparam("text"))
_ANY = select(audit_forwards.c.id).limit(1)
_FREE = (
    select(audit_forwards.c.id, audit_forwards.c.line)
    .where(audit_forwards.c.claimed_until <= now_us())
    .order_by(audit_forwards.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_of_these = within_ids(audit_forwards.c.id, bindparam("ids"))
_CLAIM = (
    update(audit_forwards)
    .where(_of_these)
    .values(claimed_until=now_us() + bindparam("micros", type_=BigInteger))
)
_RELEASE = update(audit_forwards).where(_of_these).values(claimed_until=0)
_FORGET = delete(audit_forwards).where(_of_these)
_newest = select(func.max(audit_forwards.c.id)).scalar_subquery()
_too_old = (
    select(audit_forwards.c.id)
    .where(audit_forwards.c.id <= _newest - bindparam("kept", type_=BigInteger))
    .order_by(audit_forwards.c.id)
    .limit(bindparam("limit"))
)
_FORGET_OLDEST = delete(audit_forwards).where(audit_forwards.c.id.in_(_too_old.scalar_subquery()))


async def queue_line(conn: Conn, line: str) -> None:
    """To be sent.  Needs a transaction."""
    await conn.run(_QUEUE, text=line)


async def any_line(conn: Conn) -> bool:
    """Whether anything waits."""
    return await conn.first(_ANY) is not None


async def claim_lines(conn: Conn, limit: int, seconds: int) -> list[Row]:
    """The oldest that nobody is sending, and for some seconds nobody else will.  Needs a transaction."""
    rows = await conn.all(_FREE, limit=limit)
    if rows:
        await conn.run(_CLAIM, ids=json.dumps([row["id"] for row in rows]), micros=seconds * SECOND)
    return rows


async def release_lines(conn: Conn, ids: list[int]) -> None:
    """They were not sent.  Needs a transaction."""
    await conn.run(_RELEASE, ids=json.dumps(ids))


async def forget_lines(conn: Conn, ids: list[int]) -> None:
    """They were sent.  Needs a transaction."""
    await conn.run(_FORGET, ids=json.dumps(ids))


async def forget_oldest_lines(conn: Conn, kept: int, limit: int) -> int:
    """Drop some of those before the newest `kept`; how many.  Needs a transaction."""
    return await conn.run(_FORGET_OLDEST, kept=kept, limit=limit)
