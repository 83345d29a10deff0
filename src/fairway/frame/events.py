"""Facts, recorded in the transaction that made them true (the outbox), and handed to what follows from them.

What follows from which fact is said in one table elsewhere.  A reaction works in the transaction that takes the event out
of the outbox, so it happens once; what must be told to somebody outside is queued there, and told with the event's id, by
which a receiver can drop repeats.

Events of one topic are handed over in the order they were recorded: one process at a time takes some from the front.
There is no "last id seen", since ids are not committed in order.
"""

import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import SECOND, Conn, Database, Row, now_us
from fairway.frame.db.tables import generations, outbox
from fairway.frame.db.types import within
from fairway.frame.log import get_logger

_log = get_logger(__name__)

BATCH = 200
"""Events taken in one transaction, at most."""
BATCH_SECONDS = 0.02
"""One that has taken longer takes no further event: on SQLite every push waits for it."""
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `at` is microseconds since the epoch."""

    number: int
    id: str
    topic: str
    kind: str
    facts: Mapping[str, Any]
    at: int
    tries: int


Reaction = Callable[[Conn, Event], Awaitable[None]]
"""What follows from an event, in the transaction that takes it.  It may await nothing but the connection."""

Reactions = Mapping[str, Sequence[Reaction]]
"""By the kind of event."""

_RECORD = insert(outbox).values(
    event_id=bindparam("event_id"),
    topic=bindparam("topic"),
    kind=bindparam("kind"),
    payload=bindparam("payload"),
    created_at=now_us(),
)


async def record(conn: Conn, topic: str, kind: str, payload: Mapping[str, Any]) -> None:
    """Add one event.  Events of one `topic` (a project, a repository) are delivered in the order recorded."""
    await conn.run(
        _RECORD,
        event_id=uuid.uuid4().hex,
        topic=topic,
        kind=kind,
        payload=json.dumps(payload, separators=(",", ":"), ensure_ascii=False),
    )


_DOOR = "outbox"
_MAKE_DOOR = upsert(generations).values(name=_DOOR, value=0).on_conflict_do_nothing(index_elements=["name"])
_LOCK_DOOR = select(generations.c.name).where(generations.c.name == _DOOR).with_for_update(skip_locked=True)
_ANY = select(outbox.c.id).where(outbox.c.claimed_until <= now_us()).limit(1)
_COUNT = select(func.count()).select_from(outbox)
# Zero written out, as the partial index has it: no planner sees through a parameter.
_WAITING = select(outbox.c.topic).where(
    outbox.c.claimed_until > literal_column("0"), outbox.c.claimed_until > now_us()
)
_FRONT = (
    select(outbox)
    .where(~within(outbox.c.topic, bindparam("waiting")))
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
)
_TAKEN = delete(outbox).where(outbox.c.id == bindparam("number"))
_LATER = (
    update(outbox)
    .where(outbox.c.id == bindparam("number"))
    .values(
        claimed_until=now_us() + bindparam("micros", type_=BigInteger),
        tries=outbox.c.tries + 1,
    )
)


async def hand_over(db: Database, reactions: Reactions) -> int:
    """Let happen what follows from the events that wait; how many were taken.

    An event whose reaction fails is tried again later, and later events of its topic wait for it; others do not.
    """
    taken = 0
    most = BATCH
    while await db.first(_ANY) is not None:
        reached: list[Event] = []
        try:
            some = await db.write(
                partial(_hand_over_some, reactions=reactions, most=most, reached=reached), soft=True
            )
        except Unavailable:
            raise  # nobody's fault
        except Exception as error:
            if not reached:
                raise
            if most > 1:
                most = 1  # let happen, one by one, what comes before it
                continue
            await _postpone(db, reached[-1], error)
            some, most = 1, BATCH
        if not some:
            break  # another process is at it, or all that is left waits
        taken += some
    return taken


async def waiting(conn: Conn) -> int:
    """How many events nothing has followed from yet."""
    return int(await conn.scalar(_COUNT))


async def _hand_over_some(conn: Conn, reactions: Reactions, most: int, reached: list[Event]) -> int:
    """One batch.  `reached` is told each event before its reactions: the last one is to blame for an error."""
    if await conn.first(_LOCK_DOOR) is None:
        await conn.run(_MAKE_DOOR)
        if await conn.first(_LOCK_DOOR) is None:
            return 0
    held_up = {row["topic"] for row in await conn.all(_WAITING)}
    rows = await conn.all(_FRONT, waiting=json.dumps(sorted(held_up)), most=most)
    until = time.monotonic() + BATCH_SECONDS
    taken = []
    for event in map(_event, rows):
        reached.append(event)
        for reaction in reactions.get(event.kind, ()):
            await reaction(conn, event)
        taken.append({"number": event.number})
        if time.monotonic() > until:
            break
    await conn.many(_TAKEN, taken)
    return len(taken)


async def _postpone(db: Database, event: Event, error: Exception) -> None:
    _log.error("what follows from an event failed", kind=event.kind, event_id=event.id, exc_info=error)
    seconds = min(2.0 ** min(event.tries, 12), _LONGEST_WAIT)
    await db.run(_LATER, number=event.number, micros=int(seconds * SECOND))


def _event(row: Row) -> Event:
    return Event(
        row["id"],
        row["event_id"],
        row["topic"],
        row["kind"],
        json.loads(row["payload"]),
        row["created_at"],
        row["tries"],
    )
