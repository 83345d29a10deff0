"""The audit log's rows."""

import json

from sqlalchemy import BigInteger, and_, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.audit.rules import Chosen, Entry, entries
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import audit_log
from fairway.frame.db.types import within
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
        at=bindparam("at"),
    )
    .on_conflict_do_nothing(index_elements=["event_id"])
)


async def write(conn: Conn, event: Event) -> None:
    """The reaction to any event that the log has a line for."""
    for entry in entries(event.kind, event.facts):
        await conn.run(_WRITE, **_row(event, entry))


def _row(event: Event, entry: Entry) -> dict[str, object]:
    return {
        "event": event.id,
        "project": event.facts.get("project_id", 0),
        "username": entry.username,
        "resource": entry.resource,
        "resource_type": entry.resource_type,
        "operation": entry.operation,
        "description": entry.description,
        "at": event.at,
    }


# "Other" is told as 1 or 0: as a boolean it would need a type of its own in each engine.
_EVENT = audit_log.c.operation + "_" + audit_log.c.resource_type
_CHOSEN = and_(
    audit_log.c.at < now_us() - bindparam("micros", type_=BigInteger),
    or_(
        within(_EVENT, bindparam("events")),
        within(audit_log.c.operation, bindparam("operations")),
        and_(bindparam("other", type_=BigInteger) == 1, ~within(_EVENT, bindparam("not_other"))),
    ),
)
_OLD = select(audit_log.c.id).where(_CHOSEN).order_by(audit_log.c.at).limit(bindparam("limit"))
_DROP = delete(audit_log).where(audit_log.c.id == bindparam("id"))
_COUNT_OLD = select(func.count()).select_from(audit_log).where(_CHOSEN)


async def old(conn: Conn, hours: int, which: Chosen) -> int:
    """How many of the chosen lines are older than so many hours."""
    return int(await conn.scalar(_COUNT_OLD, **_choice(hours, which)))


async def purge(conn: Conn, hours: int, which: Chosen, limit: int) -> int:
    """Drop the oldest of them, `limit` at most; how many."""
    rows = await conn.all(_OLD, **_choice(hours, which), limit=limit)
    await conn.many(_DROP, [{"id": row["id"]} for row in rows])
    return len(rows)


def _choice(hours: int, which: Chosen) -> dict[str, object]:
    return {
        "micros": hours * 3600 * SECOND,
        "events": json.dumps(sorted(which.events)),
        "operations": json.dumps(sorted(which.operations)),
        "other": int(which.other),
        "not_other": json.dumps(sorted(which.not_other)),
    }
