"""Untagged manifests: which of a batch may go, and deleting them with what follows from it."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, literal, not_, select

from fairway.core.oci.digest import Digest
from fairway.features.artifacts.store import shown
from fairway.features.gc.model import Moment
from fairway.features.gc.store import items, reviews
from fairway.features.gc.store.links import loose
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import artifact_links, artifacts, gc_reviews, leases
from fairway.frame.db.types import some, within, within_ids

_these = (artifacts.c.project_id == bindparam("project"), within(artifacts.c.digest, bindparam("digests")))
_LOCK = (
    select(artifacts.c.id)
    .where(*_these)
    .order_by(artifacts.c.digest, artifacts.c.repository_id)
    .with_for_update(skip_locked=True)
)


async def lock(conn: Conn, project: int, digests: Sequence[str]) -> set[int]:
    """Ids of these artifacts that nobody else is using: nobody tags them or names them in an index until the end."""
    return {row["id"] for row in await conn.all(_LOCK, project=project, digests=json.dumps(list(digests)))}


_leased = some(
    leases.c.project_id == artifacts.c.project_id,
    leases.c.digest == artifacts.c.digest,
    leases.c.until_at > now_us(),
)
_review = (
    gc_reviews.c.project_id == artifacts.c.project_id,
    gc_reviews.c.digest == artifacts.c.digest,
    gc_reviews.c.waits_for.is_(None),
)
_due = some(*_review, gc_reviews.c.review_at <= bindparam("due", type_=BigInteger))
_later = some(*_review, gc_reviews.c.review_at > bindparam("due", type_=BigInteger))
_wanted = select(artifacts.c.id, artifacts.c.digest).where(*_these, not_(_leased))
_LOOSE = _wanted.where(loose(artifacts, dry=False), _due)
_LOOSE_DRY = _wanted.where(loose(artifacts, dry=True), not_(_later))


async def loose_ones(
    conn: Conn, project: int, digests: Sequence[str], moment: Moment, *, dry: bool = False
) -> list[Row]:
    """id and digest of those artifacts of these digests that may go now; `dry` as with links.

    One statement, so that what it sees is of one moment: a tag that goes leaves a review that is to come later.
    """
    given: dict[str, Any] = {
        "project": project,
        "digests": json.dumps(list(digests)),
        "undo": moment.undo,
        "due": moment.due,
    }
    if dry:
        return await conn.all(_LOOSE_DRY, run=moment.run, **given)
    return await conn.all(_LOOSE, **given)


_NOTE = items.note(
    items.MANIFEST,
    select(artifacts.c.project_id, artifacts.c.repository_id, artifacts.c.digest, artifacts.c.size).where(
        within_ids(artifacts.c.id, bindparam("ids"))
    ),
)
_FOLLOW_UP = reviews.at_once(
    bindparam("project", type_=BigInteger),
    items.follows(bindparam("ids")),
    "manifest collected",
)
_NAMED = (
    select(artifacts.c.repository_id, artifact_links.c.digest)
    .join(artifact_links, artifact_links.c.artifact_id == artifacts.c.id)
    .where(within_ids(artifacts.c.id, bindparam("ids")), artifact_links.c.kind == literal("child"))
)
_REMOVE = delete(artifacts).where(within_ids(artifacts.c.id, bindparam("ids")))


async def note(conn: Conn, ids: Sequence[int], run: int, step: int) -> int:
    """Write down that these manifests go; how many are new."""
    return await conn.run(_NOTE, ids=json.dumps(list(ids)), run=run, step=step)


async def remove(conn: Conn, project: int, ids: Sequence[int]) -> None:
    """Delete these artifacts of a project for good; the caller has locked them, and no review yet.

    Reviewed at once: what they named, who is about them, and their own digests, whose links nothing may need now.  These
    rows are waited for, in the order of their digests, before anything is deleted.
    """
    array = json.dumps(list(ids))
    await conn.run(_FOLLOW_UP, project=project, ids=array)
    named = await conn.all(_NAMED, ids=array)
    await conn.run(_REMOVE, ids=array)
    # What somebody holds just now is looked at in its own review.
    for repository in sorted({row["repository_id"] for row in named}):
        children = {Digest(row["digest"]) for row in named if row["repository_id"] == repository}
        free = await shown.hold(conn, repository, children, if_free=True)
        await shown.refresh(conn, repository, free)
