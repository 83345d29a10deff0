"""Logins that failed, and how long the next one has to wait."""

from sqlalchemy import BigInteger, bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.accounts import throttle
from fairway.features.accounts.model import Failures
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import login_failures

_FAILURES = select(
    login_failures.c.key,
    login_failures.c.failures,
    (login_failures.c.blocked_until - now_us()).label("wait"),
).where(login_failures.c.key.in_([bindparam("key"), bindparam("address")]))

_forget = bindparam("forget", type_=BigInteger)
_FAILED = (
    upsert(login_failures)
    .values(key=bindparam("key"), failures=1, last_at=now_us(), blocked_until=0)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={
            "failures": case(
                (login_failures.c.last_at < now_us() - _forget, 1), else_=login_failures.c.failures + 1
            ),
            "last_at": now_us(),
        },
    )
    .returning(login_failures.c.failures)
)
_BLOCK = (
    update(login_failures)
    .where(login_failures.c.key == bindparam("failed_key"))
    .values(blocked_until=now_us() + bindparam("wait", type_=BigInteger))
)
_SUCCEEDED = delete(login_failures).where(login_failures.c.key == bindparam("key"))
_FORGET = delete(login_failures).where(login_failures.c.last_at < now_us() - _forget)


async def waiting(conn: Conn, key: str, address: str = "") -> Failures:
    """The failures behind a throttle key, and the whole seconds still to wait for it and for that of its `address`."""
    rows = {row["key"]: row for row in await conn.all(_FAILURES, key=key, address=address)}
    count = rows[key]["failures"] if key in rows else 0
    waits = [max(0, -(-int(rows[each]["wait"]) // SECOND)) if each in rows else 0 for each in (key, address)]
    return Failures(count, *waits)


async def record(conn: Conn, key: str, address: str = "") -> None:
    """Count one more failure and set the wait that follows from it.  Needs a transaction.

    It counts for its `address`, too, as long as it is one of those that are free for the key.
    """
    failed = await _count_failure(conn, key)
    await conn.run(_BLOCK, failed_key=key, wait=throttle.wait_seconds(failed) * SECOND)
    if address and failed <= throttle.FREE_FAILURES:
        wait = throttle.wait_seconds(await _count_failure(conn, address), of_address=True)
        await conn.run(_BLOCK, failed_key=address, wait=wait * SECOND)


async def _count_failure(conn: Conn, key: str) -> int:
    return int(await conn.scalar(_FAILED, key=key, forget=throttle.FORGET_SECONDS * SECOND))


async def clear(conn: Conn, key: str) -> None:
    """Start over after a correct password."""
    await conn.run(_SUCCEEDED, key=key)


async def forget(conn: Conn) -> int:
    """Drop the counters that start over anyway; how many."""
    return await conn.run(_FORGET, forget=throttle.FORGET_SECONDS * SECOND)
