"""What keeps queues and their history from growing without end: in batches, by indexes, however much waits.

Who ends deliveries of a queue that may be somebody else's holds the target's row FOR UPDATE: whoever works through it waits
for that, and finds the heads of topics where they belong.
"""

import json

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Executable,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.types import NullType

from fairway.features.webhooks.store.deliveries import OPEN, UNPARK
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import webhook_deliveries, webhook_policies, webhook_targets
from fairway.frame.db.types import within_ids
from fairway.frame.jobs.job import ERROR

_d, _t = webhook_deliveries, webhook_targets
_ENDED = literal_column("webhook_deliveries.ended_at IS NOT NULL", NullType)
_most: BindParameter[int] = bindparam("most", type_=BigInteger)
_of: BindParameter[int] = bindparam("of", type_=BigInteger)

# -- ending what is open

_HOLD = select(_t.c.id).where(_t.c.id == _of).with_for_update()
_END = (
    update(_d)
    .where(within_ids(_d.c.id, bindparam("ids")), OPEN)
    .values(status=bindparam("outcome"), ended_at=now_us(), message=bindparam("text"), next_at=0)
    .returning(_d.c.topic)
)
_FEWER = (
    update(_t)
    .where(_t.c.id == _of)
    .values(
        waiting=_t.c.waiting - bindparam("fewer", type_=BigInteger),
        dropped=_t.c.dropped + bindparam("dropped", type_=BigInteger),
    )
)


async def end(
    conn: Conn, target: int, ids: list[int], *, status: str, message: str, dropped: bool = False
) -> int:
    """End these open deliveries of one target, whoever works through its queue; how many there were."""
    await conn.first(_HOLD, of=target)
    rows = await conn.all(_END, ids=json.dumps(ids), outcome=status, text=message)
    await conn.many(
        UNPARK, [{"of": target, "about": topic} for topic in sorted({row["topic"] for row in rows})]
    )
    await conn.run(_FEWER, of=target, fewer=len(rows), dropped=len(rows) if dropped else 0)
    return len(rows)


# -- too many, and too old

_TOO_MANY = (
    select(_t.c.id).where(_t.c.due_at.is_not(None), _t.c.waiting > bindparam("kept")).order_by(_t.c.id)
)
_NEWEST_OVER = (
    select(_d.c.id)
    .where(_d.c.target_id == _of, OPEN)
    .order_by(_d.c.id.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_RECOUNT = (
    update(_t).where(_t.c.id == _of, _t.c.waiting > bindparam("kept")).values(waiting=bindparam("kept"))
)
_UNTIL = (
    select(_d.c.id)
    .where(_d.c.target_id == _of, OPEN, _d.c.id <= bindparam("last"))
    .order_by(_d.c.id)
    .limit(_most)
)
_WITH_SOME = (
    select(_t.c.id)
    .where(_t.c.due_at.is_not(None), _t.c.id > bindparam("after"))
    .order_by(_t.c.id)
    .limit(_most)
)
_first = (
    select(_d.c.id, _d.c.created_at)
    .where(_d.c.target_id == _of, OPEN)
    .order_by(_d.c.id)
    .limit(_most)
    .subquery("oldest")
)
_OLD = select(_first.c.id).where(_first.c.created_at < now_us() - bindparam("micros", type_=BigInteger))


async def with_too_many(conn: Conn, kept: int) -> list[int]:
    """Targets for which more than so many wait, or did."""
    return [row["id"] for row in await conn.all(_TOO_MANY, kept=kept)]


async def newest_over(conn: Conn, target: int, kept: int) -> int | None:
    """The last of those that are beyond the newest `kept`; None when there are no more than that.  Looks at `kept` rows."""
    found: int | None = await conn.scalar(_NEWEST_OVER, of=target, kept=kept)
    return found


async def no_more_than(conn: Conn, target: int, kept: int) -> None:
    """It was looked: no more than so many wait."""
    await conn.run(_RECOUNT, of=target, kept=kept)


async def drop(conn: Conn, target: int, last: int, message: str, most: int) -> int:
    """End the oldest of what waits for a target, until `last`; how many, at most `most`."""
    ids = [row["id"] for row in await conn.all(_UNTIL, of=target, last=last, most=most)]
    return await end(conn, target, ids, status=ERROR, message=message, dropped=True) if ids else 0


async def targets(conn: Conn, after: int, most: int) -> list[int]:
    """Some of the targets for which something waits, by their ids."""
    return [row["id"] for row in await conn.all(_WITH_SOME, after=after, most=most)]


async def old(conn: Conn, target: int, seconds: float, most: int) -> list[int]:
    """Of the `most` that wait longest, those that do so for more than so many seconds."""
    return [row["id"] for row in await conn.all(_OLD, of=target, micros=int(seconds * SECOND), most=most)]


# -- history

_LAST_KEPT = (
    select(_d.c.ended_at)
    .where(_d.c.policy_id == _of, _ENDED)
    .order_by(_d.c.ended_at.desc())
    .offset(bindparam("skipped"))
    .limit(1)
)
_BEFORE = (
    select(_d.c.id)
    .where(_d.c.policy_id == _of, _ENDED, _d.c.ended_at < bindparam("moment", type_=BigInteger))
    .order_by(_d.c.ended_at)
    .limit(_most)
)
_FORGET = delete(_d).where(within_ids(_d.c.id, bindparam("ids")))


async def sweep(conn: Conn, policy: int, kept: int, most: int) -> int:
    """Forget what ended before the last `kept` of a policy that did; how many, at most `most`.

    Those that ended at one moment stay or go together.
    """
    moment: int | None = await conn.scalar(_LAST_KEPT, of=policy, skipped=kept - 1)
    if moment is None:
        return 0
    return await _forget(conn, await conn.all(_BEFORE, of=policy, moment=moment, most=most))


async def _forget(conn: Conn, rows: list[Row]) -> int:
    if rows:
        await conn.run(_FORGET, ids=json.dumps([row["id"] for row in rows]))
    return len(rows)


# -- what nobody is there for any more

_NEXT_POLICY = (
    select(_d.c.policy_id).where(_d.c.policy_id > bindparam("after")).order_by(_d.c.policy_id).limit(1)
)
_NEXT_TARGET = (
    select(_d.c.target_id).where(_d.c.target_id > bindparam("after"), OPEN).order_by(_d.c.target_id).limit(1)
)
_POLICY = select(webhook_policies.c.id).where(webhook_policies.c.id == _of)
_TARGET = select(_t.c.id).where(_t.c.id == _of)
_OF_POLICY = select(_d.c.id).where(_d.c.policy_id == _of).limit(_most)
_OF_TARGET = select(_d.c.id).where(_d.c.target_id == _of, OPEN).limit(_most)


async def next_policy(conn: Conn, after: int) -> tuple[int, bool] | None:
    """The next policy by its id that has deliveries, and whether it is still there; None behind the last."""
    return await _next(conn, _NEXT_POLICY, _POLICY, after)


async def next_target(conn: Conn, after: int) -> tuple[int, bool] | None:
    """The same for targets with open deliveries."""
    return await _next(conn, _NEXT_TARGET, _TARGET, after)


async def _next(conn: Conn, following: Executable, there: Executable, after: int) -> tuple[int, bool] | None:
    found: int | None = await conn.scalar(following, after=after)
    if found is None:
        return None
    return found, await conn.first(there, of=found) is not None


async def forget_policy(conn: Conn, policy: int, most: int) -> int:
    """Forget deliveries of a policy that is gone; how many, at most `most`."""
    if await conn.first(_POLICY, of=policy) is not None:
        return 0
    return await _forget(conn, await conn.all(_OF_POLICY, of=policy, most=most))


async def forget_target(conn: Conn, target: int, most: int) -> int:
    """Forget what is open for a target that is gone; how many, at most `most`."""
    if await conn.first(_TARGET, of=target) is not None:
        return 0
    return await _forget(conn, await conn.all(_OF_TARGET, of=target, most=most))


# -- how it stands

_oldest = (
    select(_d.c.created_at)
    .where(_d.c.target_id == _t.c.id, OPEN)
    .order_by(_d.c.id)
    .limit(1)
    .correlate(_t)
    .scalar_subquery()
)
_STANDING = select(
    func.coalesce(func.sum(_t.c.waiting), 0).label("waiting"),
    func.count().filter(_t.c.failures >= bindparam("broken")).label("broken"),
    (now_us() - func.min(_oldest)).label("age"),
).where(_t.c.due_at.is_not(None))


async def standing(conn: Conn, broken_after: int) -> Row:
    """`waiting`: deliveries, `broken`: targets that failed so often in a row, `age`: microseconds that the oldest has
    waited, or None."""
    row = await conn.first(_STANDING, broken=broken_after)
    assert row is not None
    return row
