"""The audit log's rows."""

import json

from sqlalchemy import BigInteger, and_, bindparam, delete, or_, select
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


_EVENT = audit_log.c.operation + "_" + audit_log.c.resource_type
_CHOSEN = or_(
    within(_EVENT, bindparam("events")),
    within(audit_log.c.operation, bindparam("operations")),
    and_(bindparam("other", type_=BigInteger) == 1, ~within(_EVENT, bindparam("not_other"))),
)
_AFTER_AT = bindparam("after_at", type_=BigInteger)
# All old lines by their time, chosen or not: looking for the chosen ones alone could take a walk through the whole log.
_OLD = (
    select(audit_log.c.id, audit_log.c.at, _CHOSEN.label("chosen"))
    .where(
        audit_log.c.at < now_us() - bindparam("micros", type_=BigInteger),
        audit_log.c.at >= _AFTER_AT,
        or_(audit_log.c.at > _AFTER_AT, audit_log.c.id > bindparam("after_id", type_=BigInteger)),
    )
    .order_by(audit_log.c.at, audit_log.c.id)
    .limit(bindparam("limit"))
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
    return len(chosen), (rows[-1]["at"], rows[-1]["id"]) if len(rows) == limit else None
