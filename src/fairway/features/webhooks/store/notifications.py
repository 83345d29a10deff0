"""Notifications that wait to be delivered, in order for each endpoint."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select

from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import notifications
from fairway.frame.db.types import within

_ADD = insert(notifications).values(
    endpoint=bindparam("to"), event_id=bindparam("event"), body=bindparam("text"), created_at=now_us()
)
_FRONT = (
    select(notifications.c.id, notifications.c.body)
    .where(notifications.c.endpoint == bindparam("of"))
    .order_by(notifications.c.id)
    .limit(bindparam("most"))
)
_DONE = delete(notifications).where(notifications.c.id == bindparam("number"))
_WAITING = select(notifications.c.endpoint, func.count().label("waiting")).group_by(notifications.c.endpoint)
_STRANGERS = (
    select(notifications.c.id)
    .where(
        ~within(notifications.c.endpoint, bindparam("known")),
        notifications.c.created_at < now_us() - bindparam("micros", type_=BigInteger),
    )
    .limit(bindparam("most"))
)
_LAST_KEPT = (
    select(notifications.c.id)
    .where(notifications.c.endpoint == bindparam("of"))
    .order_by(notifications.c.id.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_OLDER = (
    select(notifications.c.id)
    .where(notifications.c.endpoint == bindparam("of"), notifications.c.id <= bindparam("last"))
    .order_by(notifications.c.id)
    .limit(bindparam("most"))
)


async def add(conn: Conn, endpoint: str, event: str, body: Mapping[str, Any]) -> None:
    """One more notification for an endpoint, after all that wait already."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    await conn.run(_ADD, to=endpoint, event=event, text=text)


async def front(conn: Conn, endpoint: str, most: int) -> list[Row]:
    """`id` and `body` of those that wait longest."""
    return await conn.all(_FRONT, of=endpoint, most=most)


async def delivered(conn: Conn, ids: Sequence[int]) -> None:
    """These were taken by who they are for."""
    await conn.many(_DONE, [{"number": id} for id in ids])


async def waiting(conn: Conn) -> dict[str, int]:
    """How many wait for each endpoint."""
    return {row["endpoint"]: row["waiting"] for row in await conn.all(_WAITING)}


async def drop_strangers(conn: Conn, known: Collection[str], seconds: int, most: int) -> int:
    """Forget what has waited so long for endpoints that nobody has set up any more; how many, at most `most`."""
    known_ = json.dumps(sorted(known))
    rows = await conn.all(_STRANGERS, known=known_, micros=seconds * SECOND, most=most)
    await conn.many(_DONE, [{"number": row["id"]} for row in rows])
    return len(rows)


async def drop_oldest(conn: Conn, endpoint: str, kept: int, most: int) -> int:
    """Forget the oldest of what waits for an endpoint, beyond `kept`; how many, at most `most`."""
    last = await conn.scalar(_LAST_KEPT, of=endpoint, kept=kept)
    if last is None:
        return 0
    rows = await conn.all(_OLDER, of=endpoint, last=last, most=most)
    await conn.many(_DONE, [{"number": row["id"]} for row in rows])
    return len(rows)
