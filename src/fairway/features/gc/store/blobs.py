"""Blobs as a whole: whether any project has them, and moving those that none has into the trash."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, delete, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.gc.model import Moment
from fairway.features.gc.store import items
from fairway.frame.db import SECOND, Conn, ledger, now_us
from fairway.frame.db.tables import blobs, gc_reviews, project_blobs, trash
from fairway.frame.db.types import some, within

_these = within(blobs.c.digest, bindparam("digests"))
_LOCK = select(blobs.c.digest).where(_these).order_by(blobs.c.digest).with_for_update(skip_locked=True)


async def lock(conn: Conn, digests: Sequence[str]) -> set[str]:
    """Of these, the blobs that there are and nobody else is using: nobody links them until the end."""
    return {row["digest"] for row in await conn.all(_LOCK, digests=json.dumps(list(digests)))}


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob, its bytes, and whether any project has it."""

    digest: str
    size: int
    linked: bool


def _facts(*, dry: bool) -> Select[Any]:
    link = project_blobs.alias("link")
    linked = [link.c.blob_id == blobs.c.id]
    if dry:
        gone = or_(
            *(items.noted(what, link.c.project_id, link.c.digest) for what in (items.LINK, items.HIDDEN))
        )
        linked.append(not_(gone))
    return select(blobs.c.digest, blobs.c.size, some(*linked).label("linked")).where(_these)


_FACTS = _facts(dry=False)
_later = some(
    gc_reviews.c.project_id == literal(ledger.EVERYWHERE),
    gc_reviews.c.digest == blobs.c.digest,
    gc_reviews.c.review_at > bindparam("due", type_=BigInteger),
)
_FACTS_DRY = _facts(dry=True).where(not_(_later))


async def facts(conn: Conn, digests: Sequence[str], moment: Moment, *, dry: bool = False) -> list[BlobFacts]:
    """What is known of those of these that there are; `dry` as with links."""
    given: dict[str, Any] = {"digests": json.dumps(list(digests))}
    if dry:
        given |= {"run": moment.run, "due": moment.due}
    rows = await conn.all(_FACTS_DRY if dry else _FACTS, **given)
    return [BlobFacts(row["digest"], row["size"], bool(row["linked"])) for row in rows]


_NOTE = items.note(
    items.BLOB,
    select(
        literal(ledger.EVERYWHERE, type_=BigInteger).label("project_id"),
        literal(0, type_=BigInteger).label("repository_id"),
        blobs.c.digest,
        blobs.c.size,
    ).where(_these),
)
_DISCARD = (
    upsert(trash)
    .from_select(
        ["key", "size", "not_before"],
        select(blobs.c.key, blobs.c.size, now_us() + bindparam("micros", type_=BigInteger)).where(_these),
    )
    .on_conflict_do_nothing(index_elements=["key"])
)
_REMOVE = delete(blobs).where(_these)


async def note(conn: Conn, digests: Sequence[str], run: int, step: int) -> int:
    """Write down that these blobs go; how many are new."""
    return await conn.run(_NOTE, digests=json.dumps(list(digests)), run=run, step=step)


async def remove(conn: Conn, digests: Sequence[str], trash_seconds: int) -> None:
    """Delete these blobs' rows; their objects go to the trash in the same transaction.  The caller has locked them."""
    array = json.dumps(list(digests))
    await conn.run(_DISCARD, digests=array, micros=trash_seconds * SECOND)
    await conn.run(_REMOVE, digests=array)
