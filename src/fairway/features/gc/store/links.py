"""Digests in projects: whether anything there needs them, and letting go of those that nothing does."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    FromClause,
    Select,
    and_,
    bindparam,
    delete,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    update,
)

from fairway.features.gc.model import LinkFacts, Moment
from fairway.features.gc.store import items, reviews
from fairway.frame.db import Conn, ledger, now_us
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    deleted_artifacts,
    deleted_links,
    gc_reviews,
    leases,
    project_blobs,
    tags,
)
from fairway.frame.db.types import some, within

_AS_BLOB = ("config", "layer", "foreign")
_these = (
    project_blobs.c.project_id == bindparam("project"),
    within(project_blobs.c.digest, bindparam("digests")),
)
_LOCK = (
    select(project_blobs.c.digest)
    .where(*_these)
    .order_by(project_blobs.c.digest)
    .with_for_update(skip_locked=True)
)


async def lock(conn: Conn, project: int, digests: Sequence[str]) -> set[str]:
    """Of these, the ones the project has and nobody else is using: nobody refers to them until the end."""
    rows = await conn.all(_LOCK, project=project, digests=json.dumps(list(digests)))
    return {row["digest"] for row in rows}


# ---------------------------------------------------------------------------------------------- facts


def _stays(artifact: FromClause, *, dry: bool) -> ColumnElement[bool]:
    """An artifact is not one that this dry run would have deleted by now.

    Only a dry run may ask its own notes: in a real one the manifest may have been pushed again since.
    """
    if not dry:
        return true()
    return not_(
        items.noted(items.MANIFEST, artifact.c.project_id, artifact.c.digest, artifact.c.repository_id)
    )


def _needed(*, dry: bool) -> ColumnElement[bool]:
    by = artifacts.alias("needs")
    named = and_(
        artifact_links.c.project_id == project_blobs.c.project_id,
        artifact_links.c.digest == project_blobs.c.digest,
        artifact_links.c.kind.in_([literal(kind) for kind in _AS_BLOB]),
    )
    live = (
        some(named, some(by.c.id == artifact_links.c.artifact_id, _stays(by, dry=dry)))
        if dry
        else some(named)
    )
    undoable = some(
        deleted_links.c.project_id == project_blobs.c.project_id,
        deleted_links.c.digest == project_blobs.c.digest,
        deleted_links.c.kind.in_([literal(kind) for kind in _AS_BLOB]),
        deleted_links.c.until_at > bindparam("undo"),
    )
    return or_(live, undoable)


def loose(artifact: FromClause, *, dry: bool) -> ColumnElement[bool]:
    """A manifest without tag or index in its repository, and what it is about, if anything, is not there either.

    What a deleted manifest needs to be had back counts as if that were there.
    """
    link, parent, subject = artifact_links.alias(), artifacts.alias(), artifacts.alias()
    child_of = some(
        link.c.project_id == artifact.c.project_id,
        link.c.digest == artifact.c.digest,
        link.c.kind == literal("child"),
        some(
            parent.c.id == link.c.artifact_id,
            parent.c.repository_id == artifact.c.repository_id,
            parent.c.id != artifact.c.id,
            _stays(parent, dry=dry),
            of=[artifact, link],
        ),
    )
    child_of_deleted = some(
        deleted_links.c.project_id == artifact.c.project_id,
        deleted_links.c.digest == artifact.c.digest,
        deleted_links.c.kind == literal("child"),
        deleted_links.c.until_at > bindparam("undo"),
    )
    about = some(
        subject.c.repository_id == artifact.c.repository_id,
        subject.c.digest == artifact.c.subject,
        subject.c.id != artifact.c.id,
        _stays(subject, dry=dry),
    )
    about_deleted = some(
        deleted_artifacts.c.project_id == artifact.c.project_id,
        deleted_artifacts.c.digest == artifact.c.subject,
        deleted_artifacts.c.until_at > bindparam("undo"),
    )
    return and_(
        not_(some(tags.c.artifact_id == artifact.c.id)),
        not_(child_of),
        not_(child_of_deleted),
        or_(artifact.c.subject.is_(None), and_(not_(about), not_(about_deleted))),
        _stays(artifact, dry=dry),
    )


def _facts(*, dry: bool) -> Select[Any]:
    own, free = artifacts.alias("own"), artifacts.alias("free")
    readable: ColumnElement[bool] = project_blobs.c.blob_id.is_not(None)
    if dry:
        hidden = items.noted(items.HIDDEN, project_blobs.c.project_id, project_blobs.c.digest)
        readable = and_(readable, not_(hidden))
    mine = [
        (each.c.project_id == project_blobs.c.project_id) & (each.c.digest == project_blobs.c.digest)
        for each in (own, free)
    ]
    leased = some(
        leases.c.project_id == project_blobs.c.project_id,
        leases.c.digest == project_blobs.c.digest,
        leases.c.until_at > now_us(),
    )
    return select(
        project_blobs.c.digest,
        readable.label("readable"),
        leased.label("leased"),
        _needed(dry=dry).label("needed"),
        some(mine[0], _stays(own, dry=dry)).label("manifest"),
        some(mine[1], loose(free, dry=dry)).label("loose"),
    ).where(*_these)


_FACTS = _facts(dry=False)
_later = some(
    gc_reviews.c.project_id == project_blobs.c.project_id,
    gc_reviews.c.digest == project_blobs.c.digest,
    gc_reviews.c.waits_for.is_(None),
    gc_reviews.c.review_at > bindparam("due", type_=BigInteger),
)
_FACTS_DRY = _facts(dry=True).where(not_(_later))


async def facts(
    conn: Conn, project: int, digests: Sequence[str], moment: Moment, *, dry: bool = False
) -> list[LinkFacts]:
    """What is known of those of these digests that the project has.

    `dry`: as if what this run has noted were gone already; without those whose review is to come later.
    """
    given: dict[str, Any] = {"project": project, "digests": json.dumps(list(digests)), "undo": moment.undo}
    if dry:
        given |= {"run": moment.run, "due": moment.due}
    rows = await conn.all(_FACTS_DRY if dry else _FACTS, **given)
    return [
        LinkFacts(
            row["digest"],
            bool(row["readable"]),
            bool(row["leased"]),
            bool(row["needed"]),
            bool(row["manifest"]),
            bool(row["loose"]),
        )
        for row in rows
    ]


# -------------------------------------------------------------------------------------------- changes

_chosen = select(
    project_blobs.c.project_id,
    literal(0, type_=BigInteger).label("repository_id"),
    project_blobs.c.digest,
    project_blobs.c.size,
).where(*_these)
_NOTE = items.note(items.LINK, _chosen)
_NOTE_HIDDEN = items.note(items.HIDDEN, _chosen)
_REVIEW_BLOBS: Executable = reviews.at_once(
    literal(ledger.EVERYWHERE, type_=BigInteger),
    select(project_blobs.c.digest).where(*_these, project_blobs.c.blob_id.is_not(None)),
    "link released",
)
_RELEASE = delete(project_blobs).where(*_these).returning(project_blobs.c.size)
_HIDE = update(project_blobs).where(*_these).values(blob_id=null())


async def note(
    conn: Conn, project: int, digests: Sequence[str], run: int, step: int, *, hidden: bool = False
) -> int:
    """Write down that these links go, or with `hidden` that the project stops to show them as blobs; how many are new."""
    statement = _NOTE_HIDDEN if hidden else _NOTE
    return await conn.run(statement, project=project, digests=json.dumps(list(digests)), run=run, step=step)


async def release(conn: Conn, project: int, digests: Sequence[str]) -> tuple[int, int]:
    """Let go of these links and ask whether anybody else has the blobs; how many, and the bytes to release.

    The caller has locked them.  Blobs' reviews are taken in the order of the digests.
    """
    array = json.dumps(list(digests))
    await conn.run(_REVIEW_BLOBS, project=project, digests=array)
    rows = await conn.all(_RELEASE, project=project, digests=array)
    return len(rows), sum(row["size"] for row in rows)


async def hide(conn: Conn, project: int, digests: Sequence[str]) -> None:
    """Stop showing these as blobs, for they are manifests that stay; the caller has locked the links."""
    array = json.dumps(list(digests))
    await conn.run(_REVIEW_BLOBS, project=project, digests=array)
    await conn.run(_HIDE, project=project, digests=array)
