"""How much waits for the collector, for people to see."""

from sqlalchemy import BigInteger, bindparam, case, func, select

from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import gc_reviews, trash

_REVIEWS = select(
    func.coalesce(
        func.sum(
            case((gc_reviews.c.waits_for.is_not(None), 0), (gc_reviews.c.review_at <= now_us(), 1), else_=0)
        ),
        0,
    ).label("due"),
    func.coalesce(func.sum(case((gc_reviews.c.waits_for.is_not(None), 1), else_=0)), 0).label("parked"),
    func.count().label("all"),
)
_TRASH = select(func.count().label("objects"), func.coalesce(func.sum(trash.c.size), 0).label("bytes"))


async def standing(conn: Conn) -> dict[str, int]:
    """Reviews that are `due`, come `later` or are `parked` until untagged manifests may go; objects and bytes in the `trash`."""
    reviews, kept = await conn.first(_REVIEWS), await conn.first(_TRASH)
    assert reviews is not None
    assert kept is not None
    due, parked = int(reviews["due"]), int(reviews["parked"])
    return {
        "due": due,
        "later": int(reviews["all"]) - due - parked,
        "parked": parked,
        "trash": int(kept["objects"]),
        "trash_bytes": int(kept["bytes"]),
    }


# The time is a parameter and the order that of an index, so that each engine reads from the index's beginning and stops.
_NOW = select(now_us())
_unparked = gc_reviews.c.waits_for.is_(None)
_due = (
    select(gc_reviews.c.review_at)
    .where(_unparked, gc_reviews.c.review_at <= bindparam("now", type_=BigInteger))
    .order_by(gc_reviews.c.review_at)
    .limit(bindparam("most"))
    .subquery("due")
)
_kept = (
    select(trash.c.size, trash.c.not_before)
    .order_by(trash.c.not_before)
    .limit(bindparam("most"))
    .subquery("kept")
)
_SOME_DUE = select(func.count().label("count"), func.min(_due.c.review_at).label("oldest"))
_SOME_TRASH = select(
    func.count().label("objects"),
    func.coalesce(func.sum(_kept.c.size), 0).label("bytes"),
    func.min(_kept.c.not_before).label("oldest"),
)


async def waiting(conn: Conn, most: int) -> dict[str, int]:
    """The same for a machine that asks often: `due`, `trash` and `trash_bytes` of `most` rows at most, and for how many
    seconds the oldest has been due, `due_seconds` and `trash_seconds`."""
    now = int(await conn.scalar(_NOW))
    due, kept = await conn.first(_SOME_DUE, now=now, most=most), await conn.first(_SOME_TRASH, most=most)
    assert due is not None
    assert kept is not None
    return {
        "due": int(due["count"]),
        "due_seconds": _seconds(now, due["oldest"]),
        "trash": int(kept["objects"]),
        "trash_bytes": int(kept["bytes"]),
        "trash_seconds": _seconds(now, kept["oldest"]),
    }


def _seconds(now: int, since: int | None) -> int:
    return 0 if since is None else max(0, now - since) // SECOND
