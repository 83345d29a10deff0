"""The queue of what to look at: who is due, and what becomes of a review."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    Text,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.gc.model import Moment
from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import gc_reviews, leases
from fairway.frame.db.types import some, within

Place = tuple[int, int, str]
"""Where a walk over the queue is: review_at, project, digest."""
START: Place = (-1, -1, "")

_NOW = select(now_us())


async def now(conn: Conn) -> int:
    """The database's time, in microseconds."""
    return int(await conn.scalar(_NOW))


_leased = some(
    leases.c.project_id == gc_reviews.c.project_id,
    leases.c.digest == gc_reviews.c.digest,
    leases.c.until_at > now_us(),
)
_PAGE = (
    select(gc_reviews.c.review_at, gc_reviews.c.project_id, gc_reviews.c.digest)
    .where(
        gc_reviews.c.waits_for.is_(None),
        gc_reviews.c.review_at <= bindparam("due"),
        tuple_(gc_reviews.c.review_at, gc_reviews.c.project_id, gc_reviews.c.digest)
        > tuple_(
            bindparam("at", type_=BigInteger),
            bindparam("project", type_=BigInteger),
            bindparam("digest", type_=Text),
        ),
    )
    .order_by(gc_reviews.c.review_at, gc_reviews.c.project_id, gc_reviews.c.digest)
    .limit(bindparam("limit"))
)
_PAGE_UNLEASED = _PAGE.where(~_leased)
_PARKED = (
    select(literal(0).label("review_at"), gc_reviews.c.project_id, gc_reviews.c.digest)
    .where(
        gc_reviews.c.waits_for.is_not(None),
        tuple_(gc_reviews.c.project_id, gc_reviews.c.digest)
        > tuple_(bindparam("project", type_=BigInteger), bindparam("digest", type_=Text)),
    )
    .order_by(gc_reviews.c.project_id, gc_reviews.c.digest)
    .limit(bindparam("limit"))
)


async def page(conn: Conn, due: int, after: Place, limit: int, *, leased: bool) -> list[Place]:
    """Reviews that are due, oldest first, those that follow `after`.  Locks nothing.

    `leased`: also those that would only be told to wait for the end of a lease.
    """
    statement = _PAGE if leased else _PAGE_UNLEASED
    at, project, digest = after
    rows = await conn.all(statement, due=due, at=at, project=project, digest=digest, limit=limit)
    return [(row["review_at"], row["project_id"], row["digest"]) for row in rows]


async def parked(conn: Conn, after: Place, limit: int) -> list[Place]:
    """Reviews of untagged manifests that earlier runs were not to delete, by project and digest."""
    rows = await conn.all(_PARKED, project=after[1], digest=after[2], limit=limit)
    return [(0, row["project_id"], row["digest"]) for row in rows]


_these = (gc_reviews.c.project_id == bindparam("project"), within(gc_reviews.c.digest, bindparam("digests")))
_LOCK = (
    select(gc_reviews.c.digest)
    .where(
        *_these,
        gc_reviews.c.waits_for.is_(None),
        gc_reviews.c.review_at <= bindparam("due", type_=BigInteger),
    )
    .order_by(gc_reviews.c.digest)
    .with_for_update(skip_locked=True)
)
_LOCK_PARKED = (
    select(gc_reviews.c.digest)
    .where(*_these, gc_reviews.c.waits_for.is_not(None))
    .order_by(gc_reviews.c.digest)
    .with_for_update(skip_locked=True)
)
_SETTLE = delete(gc_reviews).where(*_these)
_PARK = update(gc_reviews).where(*_these).values(waits_for=bindparam("reason"))
_UNPARK = update(gc_reviews).where(*_these).values(waits_for=null())
_AWAIT_LEASE = (
    update(gc_reviews)
    .where(*_these)
    .values(
        # A lease that is over may have been dropped just now.
        review_at=func.coalesce(
            select(leases.c.until_at)
            .where(leases.c.project_id == gc_reviews.c.project_id, leases.c.digest == gc_reviews.c.digest)
            .scalar_subquery(),
            now_us(),
        )
    )
)


def _array(digests: Sequence[str]) -> str:
    return json.dumps(list(digests))


async def lock(conn: Conn, project: int, digests: Sequence[str], moment: Moment) -> set[str]:
    """Of these, the ones whose review is still due and in nobody else's hands; nobody changes it until the end."""
    rows = await conn.all(_LOCK, project=project, digests=_array(digests), due=moment.due)
    return {row["digest"] for row in rows}


async def settle(conn: Conn, project: int, digests: Sequence[str]) -> None:
    """The reviews of these are done; the caller has locked them."""
    if digests:
        await conn.run(_SETTLE, project=project, digests=_array(digests))


async def park(conn: Conn, project: int, digests: Sequence[str], reason: str) -> None:
    """Let these wait for a run that may decide them; the caller has locked them."""
    if digests:
        await conn.run(_PARK, project=project, digests=_array(digests), reason=reason)


async def unpark(conn: Conn, project: int, digests: Sequence[str]) -> None:
    """Let what waits be decided by this run, apart from what somebody else is changing just now."""
    found = [row["digest"] for row in await conn.all(_LOCK_PARKED, project=project, digests=_array(digests))]
    if found:
        await conn.run(_UNPARK, project=project, digests=_array(found))


async def await_leases(conn: Conn, project: int, digests: Sequence[str]) -> None:
    """Look at these again when their leases end; the caller has locked them, and the links under the leases."""
    if digests:
        await conn.run(_AWAIT_LEASE, project=project, digests=_array(digests))


_RETRY = (
    update(gc_reviews)
    .where(gc_reviews.c.project_id == bindparam("project"), gc_reviews.c.digest == bindparam("of"))
    .values(
        tries=gc_reviews.c.tries + 1,
        review_at=now_us() + bindparam("micros", type_=BigInteger),
    )
)
_TRIES = select(gc_reviews.c.tries).where(
    gc_reviews.c.project_id == bindparam("project"), gc_reviews.c.digest == bindparam("digest")
)


async def tries(conn: Conn, project: int, digest: str) -> int:
    """How often a review has failed."""
    return int(await conn.scalar(_TRIES, project=project, digest=digest) or 0)


async def retry_later(conn: Conn, project: int, digest: str, seconds: int) -> None:
    """A review failed: look at it again after `seconds`."""
    await conn.run(_RETRY, project=project, of=digest, micros=seconds * SECOND)


def at_once(project: ColumnElement[int], digests: Select[Any], reason: str) -> Executable:
    """A statement that asks for a review, due now, of every digest in a `select` of one column.

    A review that is to come later stays so: it belongs to somebody who has just changed something.  The rows are written
    in the order of their digests, as by everybody.
    """
    found = digests.subquery("found")
    chosen = select(
        project,
        found.c.digest,
        literal(reason, type_=Text),
        now_us(),
    ).where(literal(1) == literal(1))  # SQLite's parser needs a WHERE before ON CONFLICT
    statement = upsert(gc_reviews).from_select(
        ["project_id", "digest", "reason", "review_at"], chosen.order_by(found.c.digest)
    )
    later = case(
        (gc_reviews.c.review_at > statement.excluded.review_at, gc_reviews.c.review_at),
        else_=statement.excluded.review_at,
    )
    return statement.on_conflict_do_update(
        index_elements=["project_id", "digest"], set_={"review_at": later, "waits_for": null()}
    )
