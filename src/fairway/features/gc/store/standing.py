"""How much waits for the collector, for people to see."""

from sqlalchemy import case, func, select

from fairway.frame.db import Conn, now_us
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
