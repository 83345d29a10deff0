"""The audit log's rows."""

from sqlalchemy import BigInteger, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.audit.rules import Entry, entries
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


_OLD = (
    select(audit_log.c.id)
    .where(
        audit_log.c.at < now_us() - bindparam("micros", type_=BigInteger),
        within(audit_log.c.operation, bindparam("operations")),
    )
    .order_by(audit_log.c.at)
    .limit(bindparam("limit"))
)
_DROP = delete(audit_log).where(audit_log.c.id == bindparam("id"))
_COUNT_OLD = (
    select(func.count())
    .select_from(audit_log)
    .where(
        audit_log.c.at < now_us() - bindparam("micros", type_=BigInteger),
        within(audit_log.c.operation, bindparam("operations")),
    )
)


async def old(conn: Conn, hours: int, operations: str) -> int:
    """How many lines are older than so many hours, of these operations (a JSON array)."""
    return int(await conn.scalar(_COUNT_OLD, micros=hours * 3600 * SECOND, operations=operations))


async def purge(conn: Conn, hours: int, operations: str, limit: int) -> int:
    """Drop the oldest of them, `limit` at most; how many."""
    rows = await conn.all(_OLD, micros=hours * 3600 * SECOND, operations=operations, limit=limit)
    await conn.many(_DROP, [{"id": row["id"]} for row in rows])
    return len(rows)
