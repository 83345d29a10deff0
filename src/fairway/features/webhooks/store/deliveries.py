"""Queues of deliveries: adding, handing queues out, whose turn it is, and what becomes of each.

A queue belongs to the worker that claimed it until it gives it back or its lease ends.  Whatever is written on behalf of
it holds the target's row (FOR KEY SHARE), so that nobody takes the queue over, or drops from it, in the middle; who was
given up for dead changes nothing any more (`Superseded`).  Who adds holds the row FOR NO KEY UPDATE: both may be at it,
and of those who add one comes after the other, so that ids are committed in order.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.types import NullType

from fairway.features.webhooks.model import Answer, Delivery, NewDelivery, Waiting
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import webhook_deliveries, webhook_targets
from fairway.frame.db.tables.webhooks import PARKED
from fairway.frame.db.types import within_ids
from fairway.frame.jobs.job import ERROR, PENDING, RUNNING, SUCCESS, Superseded

_d, _t = webhook_deliveries, webhook_targets

# Written out, as the partial indexes have it: no planner sees through a parameter.
OPEN: ColumnElement[Any] = literal_column("webhook_deliveries.ended_at IS NULL", NullType)
"""The condition of open deliveries."""
# Of a single value, PostgreSQL makes a bound for an index; of a clock that moves on it does not.
_NOW = select(now_us()).scalar_subquery()


# -- adding

_of = _t.c.id == bindparam("of")
# A rest that was ordered stays; one that only waits for what is put off ends.
_BRING = (
    update(_t)
    .where(_of)
    .values(
        waiting=_t.c.waiting + bindparam("more", type_=BigInteger),
        due_at=case(
            (_t.c.worker.is_not(None), _t.c.due_at),
            (and_(_t.c.due_at.is_not(None), _t.c.due_at <= now_us()), _t.c.due_at),
            (_t.c.paused_until > now_us(), _t.c.paused_until),
            else_=now_us(),
        ),
    )
)
_ADD = insert(_d).values(
    policy_id=bindparam("policy"),
    target_id=bindparam("target"),
    event_id=bindparam("event_id"),
    event_type=bindparam("event_type"),
    topic=bindparam("topic"),
    media_type=bindparam("media_type"),
    body=bindparam("body"),
    status=PENDING,
    created_at=now_us(),
)


async def add(conn: Conn, new: Sequence[NewDelivery]) -> None:
    """Deliveries after all that wait already for their targets, each of which somebody looks at within a second or so."""
    if not new:
        return
    more = Counter(each.target for each in new)
    await conn.many(_BRING, [{"of": target, "more": more[target]} for target in sorted(more)])
    await conn.many(
        _ADD,
        [
            {
                "policy": each.policy,
                "target": each.target,
                "event_id": each.event_id,
                "event_type": each.event_type,
                "topic": each.topic,
                "media_type": each.media_type,
                "body": each.body,
            }
            for each in new
        ],
    )


# -- handing out


@dataclass(frozen=True, slots=True)
class Claimed:
    """A queue, handed to a worker."""

    target: int
    attempt: int
    failures: int
    """In a row, before this."""
    row: Row
    """The target's row as it was then."""


def _due(*more: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(_t.c.due_at.is_not(None), _t.c.due_at <= _NOW, *more)


_ANY_DUE = select(_t.c.id).where(_due()).limit(1)
_NEXT = select(_t.c.id).order_by(_t.c.due_at, _t.c.id).limit(bindparam("most"))
_NEXT_SOUND = _NEXT.where(_due(_t.c.failures < bindparam("broken"))).with_for_update(skip_locked=True)
_NEXT_BROKEN = _NEXT.where(_due(_t.c.failures >= bindparam("broken"))).with_for_update(skip_locked=True)
_CLAIM = (
    update(_t)
    .where(_of)
    .values(
        worker=bindparam("by"),
        attempt=_t.c.attempt + 1,
        due_at=now_us() + bindparam("micros", type_=BigInteger),
    )
    .returning(_t)
)


async def anything_due(conn: Conn) -> bool:
    """Is there a queue to claim?  A look, so that an idle worker writes nothing."""
    return await conn.first(_ANY_DUE) is not None


async def claim(
    conn: Conn, worker: str, *, broken_after: int, sound: int, broken: int, lease_seconds: float
) -> list[Claimed]:
    """Queues that are due, those that wait longest first; whoever had one whose lease is over has lost it.

    `sound`, `broken`: how many at most of those that failed fewer than `broken_after` times in a row, and of the others.
    """
    found = []
    for statement, most in ((_NEXT_SOUND, sound), (_NEXT_BROKEN, broken)):
        if most > 0:
            found += await conn.all(statement, broken=broken_after, most=most)
    claimed = []
    for each in found:
        row = await conn.first(_CLAIM, of=each["id"], by=worker, micros=int(lease_seconds * SECOND))
        if row is not None:
            claimed.append(Claimed(row["id"], row["attempt"], row["failures"], row))
    return claimed


_MINE = and_(_of, _t.c.attempt == bindparam("nth"), _t.c.worker.is_not(None))
_FENCE = select(_t.c.id).where(_MINE).with_for_update(read=True, key_share=True)


def _superseded() -> Superseded:
    return Superseded("another worker has this queue now, or its target was changed or is gone")


async def fence(conn: Conn, claimed: Claimed) -> None:
    """Nobody takes the queue over until this transaction ends.  Raises Superseded when somebody has."""
    if await conn.first(_FENCE, of=claimed.target, nth=claimed.attempt) is None:
        raise _superseded()


# -- whose turn it is

_earlier = _d.alias("earlier")
_EARLIER_OPEN: ColumnElement[Any] = literal_column("earlier.ended_at IS NULL", NullType)
_HEAD = (
    select(_earlier.c.id)
    .where(
        _earlier.c.target_id == _d.c.target_id,
        _earlier.c.topic == _d.c.topic,
        _EARLIER_OPEN,
    )
    .order_by(_earlier.c.id)
    .limit(1)
    .correlate(_d)
    .scalar_subquery()
)
_IN_QUEUE = and_(_d.c.target_id == bindparam("of"), OPEN)
_TURN = select(_d.c.id, _d.c.topic, _HEAD.label("head")).where(_IN_QUEUE).limit(bindparam("most"))
_ZERO: ColumnElement[int] = literal_column("0")
_READY = _TURN.where(_d.c.next_at == _ZERO).order_by(_d.c.id)
_DUE_AGAIN = _TURN.where(_d.c.next_at > _ZERO, _d.c.next_at <= _NOW).order_by(_d.c.next_at)
_ONE = (
    select(_d, now_us().label("now"), _t.c.id.label("mine"))
    .select_from(_d.outerjoin(_t, _MINE))
    .where(_d.c.id == bindparam("number"), OPEN)
)
_PARK = (
    update(_d)
    .where(
        within_ids(_d.c.id, bindparam("ids")),
        _IN_QUEUE,
        _d.c.next_at == _ZERO,
        _d.c.id != _HEAD,  # it may have become one meanwhile
    )
    .values(next_at=PARKED)
)


async def front(conn: Conn, target: int, most: int) -> list[Waiting]:
    """What was put off and is due again, and then what waits longest; of each at most so many."""
    rows = await conn.all(_DUE_AGAIN, of=target, most=most) + await conn.all(_READY, of=target, most=most)
    return [Waiting(row["id"], row["topic"], row["head"]) for row in rows]


async def park(conn: Conn, claimed: Claimed, ids: Collection[int]) -> None:
    """Set these, which wait behind others, aside until they are heads.  Raises Superseded."""
    await fence(conn, claimed)
    await conn.run(_PARK, of=claimed.target, ids=json.dumps(list(ids)))


async def still_open(conn: Conn, claimed: Claimed, id: int) -> tuple[Delivery, int, float] | None:
    """A delivery, how often it was refused, and its age in seconds; None when it has ended meanwhile.

    Raises Superseded, so that nothing is sent any more to where the target was before it was changed, or removed.
    """
    row = await conn.first(_ONE, of=claimed.target, nth=claimed.attempt, number=id)
    if row is None:
        return None
    if row["mine"] is None:
        raise _superseded()
    return delivery(row), row["refusals"], (row["now"] - row["created_at"]) / SECOND


def delivery(row: Row) -> Delivery:
    """The delivery of a row."""
    return Delivery(
        row["id"],
        row["policy_id"],
        row["target_id"],
        row["event_id"],
        row["event_type"],
        row["topic"],
        row["media_type"],
        row["body"],
        row["status"],
        row["tries"],
        row["created_at"],
        row["started_at"],
        row["ended_at"],
        row["answered"],
        row["reply"],
        row["message"],
    )


# -- what becomes of it

_SOUND = update(_t).where(_MINE).values(failures=0, last_error="")
_FAILED = (
    update(_t)
    .where(_MINE)
    .values(
        failures=_t.c.failures + 1,
        last_error=bindparam("text"),
        paused_until=now_us() + bindparam("rest", type_=BigInteger),
    )
)
_TRIED: dict[str, Any] = {
    "tries": _d.c.tries + 1,
    "refusals": _d.c.refusals + bindparam("refused"),
    "started_at": now_us() - bindparam("took", type_=BigInteger),
    "answered": bindparam("status_code"),
    "reply": bindparam("said"),
    "message": bindparam("text"),
}
_THIS = update(_d).where(_d.c.id == bindparam("number"), OPEN)
_END = _THIS.values(_TRIED | {"status": bindparam("outcome"), "ended_at": now_us(), "next_at": 0})
_PUT_OFF = _THIS.values(
    _TRIED | {"status": RUNNING, "next_at": now_us() + bindparam("micros", type_=BigInteger)}
)
_first_of_topic = (
    select(_earlier.c.id)
    .where(
        _earlier.c.target_id == bindparam("of"),
        _earlier.c.topic == bindparam("about", type_=Text),
        _EARLIER_OPEN,
    )
    .order_by(_earlier.c.id)
    .limit(1)
    .scalar_subquery()
)
UNPARK = update(_d).where(_d.c.id == _first_of_topic, _d.c.next_at == PARKED).values(next_at=0)
"""Let the head of a topic, whose former head has ended, have its turn."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A delivery that was sent just now, and what is to be remembered of it."""

    id: int
    topic: str
    answer: Answer
    message: str
    seconds: float
    """How long it took."""
    refused: bool


async def taken(conn: Conn, claimed: Claimed, tried: Tried, *, failures: int) -> int:
    """It was taken; `failures`: of the target so far, which are over.  How many ended by that; raises Superseded."""
    await _sound(conn, claimed, failures)
    return await _end(conn, claimed, tried, SUCCESS)


async def refused(
    conn: Conn, claimed: Claimed, tried: Tried, *, failures: int, ends: bool, wait: float
) -> int:
    """The target is there, and did not want it: it ends so, or is tried again.  As `taken` otherwise."""
    await _sound(conn, claimed, failures)
    return await _end(conn, claimed, tried, ERROR) if ends else await _put_off(conn, tried, wait)


async def failed(conn: Conn, claimed: Claimed, tried: Tried, *, ends: bool, wait: float, rest: float) -> int:
    """The target failed, and rests for so many seconds.  As `refused` otherwise."""
    await target_failed(conn, claimed, tried.message, rest)
    return await _end(conn, claimed, tried, ERROR) if ends else await _put_off(conn, tried, wait)


async def target_failed(conn: Conn, claimed: Claimed, message: str, rest: float) -> None:
    """One more failure of a target, which rests for so many seconds.  Raises Superseded."""
    changed = await conn.run(
        _FAILED, of=claimed.target, nth=claimed.attempt, text=message, rest=int(rest * SECOND)
    )
    if not changed:
        raise _superseded()


async def _sound(conn: Conn, claimed: Claimed, failures: int) -> None:
    if not failures:
        await fence(conn, claimed)
    elif not await conn.run(_SOUND, of=claimed.target, nth=claimed.attempt):
        raise _superseded()


async def _end(conn: Conn, claimed: Claimed, tried: Tried, status: str) -> int:
    ended = await conn.run(_END, outcome=status, **_params(tried))
    await conn.run(UNPARK, of=claimed.target, about=tried.topic)
    return ended


async def _put_off(conn: Conn, tried: Tried, wait: float) -> int:
    await conn.run(_PUT_OFF, micros=int(wait * SECOND), **_params(tried))
    return 0


def _params(tried: Tried) -> Mapping[str, Any]:
    return {
        "number": tried.id,
        "refused": int(tried.refused),
        "took": int(tried.seconds * SECOND),
        "status_code": tried.answer.status,
        "said": tried.answer.reply,
        "text": tried.message,
    }


# -- giving back

_LOCK = select(_t.c.paused_until, _t.c.waiting, now_us().label("now")).where(_MINE).with_for_update()
_SOONEST = select(_d.c.next_at).where(_IN_QUEUE).order_by(_d.c.next_at).limit(1)
_FIRST_PARKED = select(_d.c.id).where(_IN_QUEUE, _d.c.next_at == PARKED).order_by(_d.c.id).limit(1)
_FREE = update(_d).where(_d.c.id == bindparam("number"), OPEN).values(next_at=0)
_GIVE_BACK = (
    update(_t)
    .where(_MINE)
    .values(worker=null(), due_at=bindparam("at", type_=BigInteger), waiting=bindparam("left"))
)


async def give_back(conn: Conn, claimed: Claimed, *, ended: int) -> None:
    """Let somebody look at a queue again when something in it has its turn; `ended` so many.  Raises Superseded."""
    # First the row, which who adds holds: only then it can be said that nothing is left.
    held = await conn.first(_LOCK, of=claimed.target, nth=claimed.attempt)
    if held is None:
        raise _superseded()
    at: int | None = await conn.scalar(_SOONEST, of=claimed.target)
    left = 0
    if at is not None:
        left = max(1, held["waiting"] - ended)
        if at == PARKED:  # what it was parked behind is gone, whoever did that
            await conn.run(_FREE, number=await conn.scalar(_FIRST_PARKED, of=claimed.target))
            at = 0
        at = max(at, held["paused_until"], held["now"])
    await conn.run(_GIVE_BACK, of=claimed.target, nth=claimed.attempt, at=at, left=left)
