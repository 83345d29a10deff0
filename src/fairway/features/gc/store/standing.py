"""How much waits for the collector, for people to see."""

from sqlalchemy import bindparam, case, func, literal, select

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


_unparked = gc_reviews.c.waits_for.is_(None)  # as the index of what is due has it
_due = (
    select(literal(1).label("one"))
    .where(_unparked, gc_reviews.c.review_at <= now_us())
    .limit(bindparam("most"))
    .subquery("due")
)
_kept = select(trash.c.size).limit(bindparam("most")).subquery("kept")
_SOME_DUE = select(func.count()).select_from(_due)
_SOME_TRASH = select(func.count().label("objects"), func.coalesce(func.sum(_kept.c.size), 0).label("bytes"))
_OLDEST_DUE = (
    select(((now_us() - gc_reviews.c.review_at) / SECOND).label("seconds"))
    .where(_unparked)
    .order_by(gc_reviews.c.review_at)
    .limit(1)
)
_OLDEST_TRASH = (
    select(((now_us() - trash.c.not_before) / SECOND).label("seconds")).order_by(trash.c.not_before).limit(1)
)


async def waiting(conn: Conn, most: int) -> dict[str, int]:
    """The same for a machine that asks often: `due`, `trash` and `trash_bytes` of `most` rows at most, and for how many
    seconds the oldest has been due, `due_seconds` and `trash_seconds`."""
    kept = await conn.first(_SOME_TRASH, most=most)
    assert kept is not None
    return {
        "due": int(await conn.scalar(_SOME_DUE, most=most)),
        "due_seconds": max(0, int(await conn.scalar(_OLDEST_DUE) or 0)),
        "trash": int(kept["objects"]),
        "trash_bytes": int(kept["bytes"]),
        "trash_seconds": max(0, int(await conn.scalar(_OLDEST_TRASH) or 0)),
    }
