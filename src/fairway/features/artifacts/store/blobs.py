"""Blobs: the row of each digest, and who may see it."""

import json
from collections.abc import Sequence

from sqlalchemy import and_, bindparam, exists, func, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.core.stores.protocols import Stored
from fairway.features.artifacts.store import manifests
from fairway.features.projects.store.granted import shown_to
from fairway.features.projects.store.names import called
from fairway.frame.access.catalogue import REPOSITORY_PULL
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, ledger, now_us
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    blobs,
    leases,
    project_blobs,
    projects,
    repositories,
)
from fairway.frame.db.tables.content import CORRUPT, LIVE
from fairway.frame.db.types import within

_VISIBLE = (
    select(blobs.c.key, blobs.c.size)
    .join(project_blobs, project_blobs.c.blob_id == blobs.c.id)
    .where(
        project_blobs.c.project_id == bindparam("project"),
        project_blobs.c.digest == bindparam("digest"),
        blobs.c.state == LIVE,
        manifests.THERE,
    )
)


async def visible(conn: Conn, project: int, digest: Digest) -> Stored | None:
    """Where a blob lies that the project may show."""
    row = await conn.first(_VISIBLE, project=project, digest=digest)
    return Stored(row["key"], row["size"]) if row is not None else None


_IS_BLOB = select(project_blobs.c.blob_id).where(
    project_blobs.c.project_id == bindparam("project"),
    project_blobs.c.digest == bindparam("digest"),
    project_blobs.c.blob_id.is_not(None),
)


async def is_blob(conn: Conn, project: int, digest: Digest) -> bool:
    """Whether the project has these bytes as a blob, readable or not."""
    return await conn.first(_IS_BLOB, project=project, digest=digest) is not None


_LEASE_LEFT = select((leases.c.until_at - now_us()).label("left")).where(
    leases.c.project_id == bindparam("project"), leases.c.digest == bindparam("digest")
)


async def lease_left(conn: Conn, project: int, digest: Digest) -> int | None:
    """Microseconds for which a digest is promised to stay; None or negative when it is not."""
    left: int | None = await conn.scalar(_LEASE_LEFT, project=project, digest=digest)
    return left


_MOUNTABLE = (
    select(blobs.c.id, blobs.c.size)
    .join(project_blobs, project_blobs.c.blob_id == blobs.c.id)
    .join(projects, projects.c.id == project_blobs.c.project_id)
    .where(
        projects.c.id == called("source"),
        project_blobs.c.digest == bindparam("digest"),
        blobs.c.state == LIVE,
    )
    .with_for_update(read=True, key_share=True, of=[project_blobs, blobs])
)


async def mountable(conn: Conn, source: str, digest: Digest) -> Row | None:
    """id and size of a blob that the project named `source` has; it stays until the transaction ends."""
    return await conn.first(_MOUNTABLE, source=source, digest=digest)


_PRESENT = (
    select(project_blobs.c.digest)
    .join(blobs, blobs.c.id == project_blobs.c.blob_id)
    .where(
        project_blobs.c.project_id == bindparam("project"),
        within(project_blobs.c.digest, bindparam("digests")),
        blobs.c.state == LIVE,
    )
    .order_by(project_blobs.c.digest)
    .with_for_update(read=True, key_share=True, of=[project_blobs, blobs])
)


async def present_blobs(conn: Conn, project: int, digests: Sequence[Digest]) -> set[str]:
    """Which of these blobs the project has, kept from being removed until the transaction ends."""
    rows = await conn.all(_PRESENT, project=project, digests=json.dumps(digests))
    return {row["digest"] for row in rows}


_HELD = select(blobs.c.id, blobs.c.key, blobs.c.size, blobs.c.state).where(
    blobs.c.digest == bindparam("digest")
)
_HELD_LOCKED = _HELD.with_for_update(key_share=True)  # NO KEY UPDATE: links to the row may be added meanwhile
_ADD_BLOB = (
    upsert(blobs)
    .values(
        digest=bindparam("digest"),
        size=bindparam("size"),
        key=bindparam("key"),
        state=LIVE,
        created_at=now_us(),
    )
    .on_conflict_do_nothing(index_elements=["digest"])
    .returning(blobs.c.id)
)
_REPLACE = (
    update(blobs)
    .where(blobs.c.id == bindparam("blob"))
    .values(key=bindparam("key"), size=bindparam("size"), state=LIVE, checked_at=0)
)
_DAMAGED = (
    update(blobs)
    .where(blobs.c.digest == bindparam("digest"), blobs.c.key == bindparam("key"))
    .values(state=CORRUPT)
)


async def held(conn: Conn, digest: Digest) -> Row | None:
    """id, key, size and state of a blob, whoever pushed it."""
    return await conn.first(_HELD, digest=digest)


async def held_locked(conn: Conn, digest: Digest) -> Row | None:
    """The same, locked until the transaction ends."""
    return await conn.first(_HELD_LOCKED, digest=digest)


async def add_blob(conn: Conn, digest: Digest, stored: Stored) -> int | None:
    """A new blob's id; None when the digest has a row already."""
    made: int | None = await conn.scalar(_ADD_BLOB, digest=digest, size=stored.size, key=stored.key)
    return made


async def replace_object(conn: Conn, blob: int, stored: Stored) -> None:
    """Let a blob's row name another object."""
    await conn.run(_REPLACE, blob=blob, key=stored.key, size=stored.size)


async def mark_damaged(conn: Conn, digest: Digest, key: str) -> bool:
    """Stop offering a blob while it is this object; False when it was replaced meanwhile."""
    return bool(await conn.run(_DAMAGED, digest=digest, key=key))


_UNCHECKED = (
    select(blobs.c.digest, blobs.c.key, blobs.c.size, blobs.c.state)
    .order_by(blobs.c.checked_at)
    .limit(bindparam("limit"))
)
_CHECKED = (
    update(blobs)
    .where(blobs.c.digest == bindparam("of"), blobs.c.key == bindparam("object"))
    .values(checked_at=now_us())
)
_JUDGED = _CHECKED.values(state=bindparam("verdict"))


_COUNT = select(func.count()).select_from(blobs)


async def count(conn: Conn) -> int:
    """How many blobs there are to check."""
    return int(await conn.scalar(_COUNT))


async def unchecked_longest(conn: Conn, limit: int) -> list[Row]:
    """digest, key, size and state of the blobs that were looked at longest ago, or never; damaged ones too."""
    return await conn.all(_UNCHECKED, limit=limit)


async def checked(conn: Conn, digest: Digest, key: str, *, intact: bool | None) -> bool:
    """The object `key` was looked at just now: it is what it should be or not, or nobody could tell.

    False when it was replaced meanwhile.
    """
    if intact is None:
        return bool(await conn.run(_CHECKED, of=digest, object=key))
    return bool(await conn.run(_JUDGED, of=digest, object=key, verdict=LIVE if intact else CORRUPT))


_NEEDED = (
    select(artifacts.c.digest)
    .join(artifact_links, artifact_links.c.artifact_id == artifacts.c.id)
    .where(
        artifact_links.c.project_id == bindparam("project"),
        artifact_links.c.digest == bindparam("digest"),
        # A layer with `urls` may be absent; once it is here, the manifest needs it like any other.
        artifact_links.c.kind.in_(
            [bindparam("config", "config"), bindparam("layer", "layer"), bindparam("foreign", "foreign")]
        ),
    )
    .limit(1)
)


async def needed_by(conn: Conn, project: int, digest: Digest) -> str | None:
    """The digest of a manifest in the project that needs this blob."""
    found: str | None = await conn.scalar(_NEEDED, project=project, digest=digest)
    return found


_IS_MANIFEST = exists().where(
    artifacts.c.project_id == bindparam("project"), artifacts.c.digest == bindparam("digest")
)
_HIDE = (
    update(project_blobs)
    .where(
        project_blobs.c.project_id == bindparam("project"),
        project_blobs.c.digest == bindparam("digest"),
        _IS_MANIFEST,
    )
    .values(blob_id=null())
)


async def release(conn: Conn, project: int, digest: Digest) -> int:
    """Stop showing a blob in a project, whose link is locked; the bytes to release.

    They are none while a manifest of the project is of the same bytes: the link is the manifest's as well.
    """
    if await conn.run(_HIDE, project=project, digest=digest):
        return 0
    return await ledger.unlink(conn, project, digest)


_MOST_HOLDERS = 1_000
_holders = (
    select(project_blobs.c.project_id, project_blobs.c.digest)
    .join(blobs, blobs.c.id == project_blobs.c.blob_id)
    .where(blobs.c.digest == bindparam("digest"), blobs.c.state == LIVE, blobs.c.size <= bindparam("largest"))
    .limit(_MOST_HOLDERS)
    .subquery("holders")
)
_LAYER_SEEN = (
    select(projects.c.id.label("project_id"), projects.c.name.label("project"), repositories.c.name)
    .select_from(
        projects.join(_holders, _holders.c.project_id == projects.c.id)
        .join(
            artifact_links,
            and_(
                artifact_links.c.project_id == _holders.c.project_id,
                artifact_links.c.digest == _holders.c.digest,
            ),
        )
        .join(artifacts, artifacts.c.id == artifact_links.c.artifact_id)
        .join(repositories, repositories.c.id == artifacts.c.repository_id)
    )
    .where(artifact_links.c.kind == "layer")
    .limit(1)
)


async def where_seen(conn: Conn, viewer: Principal, digest: Digest, largest: int) -> Row | None:
    """A place where a viewer may see a layer of `largest` bytes at most: project_id, project, and the repository's name
    without it.  Not every place is looked at when very many projects have the same bytes."""
    seen = _LAYER_SEEN.where(shown_to(viewer, REPOSITORY_PULL))
    return await conn.first(seen, digest=digest, largest=largest)
