"""Facts, recorded in the transaction that made them true (the outbox), and handed to what follows from them.

What follows from which fact is said in one table elsewhere.  A reaction works in the transaction that takes the event out
of the outbox, so it happens once; what must be told to somebody outside is queued there, and told with the event's id, by
which a receiver can drop repeats.

Events of one topic are handed over in the order they were recorded: one process at a time takes some from the front.
There is no "last id seen", since ids are not committed in order.

While a topic is held up by an event that failed, or has more in the front than can be taken at once, topics take turns:
what they have is found by the index of topics, so that nobody walks through a million events of a topic to find those of
another behind them.
"""

import json
import time
import uuid
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import SECOND, Conn, Database, Row, now_us
from fairway.frame.db.tables import generations, outbox
from fairway.frame.log import get_logger

_log = get_logger(__name__)

BATCH = 200
"""Events taken in one transaction, at most."""
BATCH_SECONDS = 0.02
"""One that has taken longer takes no further event: on SQLite every push waits for it."""
_LOOKS = 100
"""Stretches of topics between those that are held up, which are looked through in one transaction."""
_LAST = "\U0010ffff"
"""Behind all topics."""
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
    await conn.run(_RECORD, **_recorded(topic, kind, payload))


async def record_all(conn: Conn, all_of: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
    """The same for many at once: the topic, kind and payload of each.  Needs a transaction."""
    await conn.many(_RECORD, [_recorded(*each) for each in all_of])


def _recorded(topic: str, kind: str, payload: Mapping[str, Any]) -> dict[str, str]:
    return {
        "event_id": uuid.uuid4().hex,
        "topic": topic,
        "kind": kind,
        "payload": json.dumps(payload, separators=(",", ":"), ensure_ascii=False),
    }


_DOOR = "outbox"
_MAKE_DOOR = upsert(generations).values(name=_DOOR, value=0).on_conflict_do_nothing(index_elements=["name"])
_LOCK_DOOR = select(generations.c.name).where(generations.c.name == _DOOR).with_for_update(skip_locked=True)
_ANY = select(outbox.c.id).where(outbox.c.claimed_until <= now_us()).limit(1)
_COUNT = select(func.count()).select_from(outbox)
# Zero written out, as the partial index has it: no planner sees through a parameter.
_WAITING = select(outbox.c.topic).where(
    outbox.c.claimed_until > literal_column("0"), outbox.c.claimed_until > now_us()
)
# The limits written out, too: of one that it does not know PostgreSQL believes that it is a tenth of all there is.
_all_taken: Any = literal_column(str(BATCH))
_FRONT = select(outbox).order_by(outbox.c.id).limit(_all_taken)
# A stretch and not one topic: with a single one PostgreSQL would take it for common, and look for it by its id.
_NEXT = (
    select(outbox)
    .where(outbox.c.topic > bindparam("after"), outbox.c.topic < bindparam("before"))
    .order_by(outbox.c.topic, outbox.c.id)
    .limit(_all_taken)
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


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where taking goes on: topics take turns, the next ones after `after`, or (None) the oldest events come first.

    `found`: there was something to take since the first topic had its turn.
    """

    most: int = BATCH
    after: str | None = None
    found: bool = False


@dataclass(frozen=True, slots=True)
class _Some:
    """The events that were found to take; `last`: the topic up to which there is nothing else to be taken in this round,
    "" when there is nothing beyond either.  `full`: as many as can be taken at once."""

    rows: Sequence[Row] = ()
    last: str = ""
    full: bool = False
    by_topic: bool = False

    def first(self, count: int) -> "_Some":
        """The same when no more than so many were taken."""
        if count == len(self.rows):
            return self
        rows = self.rows[:count]
        return (
            replace(self, rows=rows, last=rows[-1]["topic"], full=True)
            if self.by_topic
            else replace(self, rows=rows)
        )


async def hand_over(db: Database, reactions: Reactions) -> int:
    """Let happen what follows from the events that wait; how many were taken.

    An event whose reaction fails is tried again later, and later events of its topic wait for it; others do not.
    """
    taken = 0
    turn = _Turn()
    while await db.first(_ANY) is not None:
        reached: list[Event] = []
        try:
            some = await db.write(
                partial(_hand_over_some, reactions=reactions, turn=turn, reached=reached), soft=True
            )
        except Unavailable:
            raise  # nobody's fault
        except Exception as error:
            if not reached:
                raise
            if len(reached) > 1:
                turn = replace(turn, most=len(reached) - 1)  # let happen what comes before it
                continue
            await _postpone(db, reached[0], error)
            taken, turn = taken + 1, replace(turn, most=BATCH)
            continue
        taken += len(some.rows)
        if not some.rows and not some.last and not turn.found:
            break  # another process is at it, or all that is left waits
        turn = _next(turn, some)
    return taken


def _next(turn: _Turn, some: _Some) -> _Turn:
    """What comes after some were taken.  While more wait than can be taken at once, each topic has its turn before the
    oldest come again."""
    if turn.most < BATCH:
        return replace(turn, most=BATCH, found=True)  # the one that failed
    if some.by_topic and some.last:
        return _Turn(after=some.last, found=turn.found or bool(some.rows))
    if some.by_topic:
        return _Turn()
    return _Turn(after="" if some.full else None)


async def waiting(conn: Conn) -> int:
    """How many events nothing has followed from yet."""
    return int(await conn.scalar(_COUNT))


async def _hand_over_some(conn: Conn, reactions: Reactions, turn: _Turn, reached: list[Event]) -> _Some:
    """One batch.  `reached` is told each event before its reactions: the last one is to blame for an error."""
    if await conn.first(_LOCK_DOOR) is None:
        await conn.run(_MAKE_DOOR)
        if await conn.first(_LOCK_DOOR) is None:
            return _Some()
    held_up = {row["topic"] for row in await conn.all(_WAITING)}
    if held_up or turn.after is not None:
        some = await _in_turn(conn, held_up, turn)
    else:
        rows = await conn.all(_FRONT)
        some = _Some(rows[: turn.most], full=len(rows) == BATCH)
    until = time.monotonic() + BATCH_SECONDS
    taken = 0
    for event in map(_event, some.rows):
        reached.append(event)
        for reaction in reactions.get(event.kind, ()):
            await reaction(conn, event)
        taken += 1
        if time.monotonic() > until:
            break
    some = some.first(taken)
    await conn.many(_TAKEN, [{"number": row["id"]} for row in some.rows])
    return some


async def _in_turn(conn: Conn, held_up: Collection[str], turn: _Turn) -> _Some:
    """The first events of topics after `turn.after` that are not held up, in the order of topics.

    Only the stretches between those that are held up are read.
    """
    bounds = [*sorted(held_up), _LAST]
    found: list[Row] = []
    after = turn.after or ""
    for before in bounds[bisect_right(bounds, after) :][:_LOOKS]:
        found += await conn.all(_NEXT, after=after, before=before)
        if len(found) >= turn.most:
            rows = found[: turn.most]
            return _Some(rows, last=rows[-1]["topic"], full=True, by_topic=True)
        after = before
    return _Some(found, last="" if after == _LAST else after, by_topic=True)


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
