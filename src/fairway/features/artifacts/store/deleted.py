"""Manifests that people deleted: kept for a while with their tags and links, so that they can be had back."""

import json
from collections.abc import Sequence

from sqlalchemy import BigInteger, Text, bindparam, delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    deleted_artifacts,
    deleted_links,
    repositories,
)
from fairway.frame.db.types import some

_SAME = [
    column.name
    for column in artifacts.c
    if column.name in deleted_artifacts.c and column.name not in {"id", "payload"}
] + ["payload"]

_KEEP = (
    insert(deleted_artifacts)
    .from_select(
        [*_SAME, "repository", "tags", "deleted_by", "deleted_at", "until_at"],
        select(
            *(artifacts.c[name] for name in _SAME),
            bindparam("repository", type_=Text),
            bindparam("tags", type_=Text),
            bindparam("by", type_=Text),
            now_us(),
            now_us() + bindparam("micros", type_=BigInteger),
        ).where(artifacts.c.id == bindparam("artifact")),
    )
    .returning(deleted_artifacts.c.id)
)
_KEEP_LINKS = insert(deleted_links).from_select(
    ["deleted_id", "digest", "kind", "project_id", "about", "until_at"],
    select(
        deleted_artifacts.c.id,
        artifact_links.c.digest,
        artifact_links.c.kind,
        artifact_links.c.project_id,
        artifact_links.c.about,
        deleted_artifacts.c.until_at,
    ).where(
        artifact_links.c.artifact_id == bindparam("artifact"), deleted_artifacts.c.id == bindparam("deleted")
    ),
)


async def keep(
    conn: Conn, artifact: int, repository: str, tags: Sequence[str], by: str, seconds: int
) -> None:
    """Remember an artifact that is about to be deleted for `seconds`, under its repository's name and with its tags."""
    given = {"artifact": artifact, "repository": repository, "by": by, "micros": seconds * SECOND}
    made = await conn.scalar(_KEEP, tags=json.dumps(list(tags), ensure_ascii=False), **given)
    await conn.run(_KEEP_LINKS, artifact=artifact, deleted=made)


_NEWEST = (
    select(deleted_artifacts.c.id, deleted_artifacts.c.size, deleted_artifacts.c.tags)
    .where(
        deleted_artifacts.c.project_id == bindparam("project"),
        deleted_artifacts.c.digest == bindparam("digest"),
        deleted_artifacts.c.repository == bindparam("repository"),
        deleted_artifacts.c.until_at > now_us(),
    )
    .order_by(deleted_artifacts.c.id.desc())
    .limit(1)
    .with_for_update()
)
_LINKS = select(deleted_links.c.digest, deleted_links.c.kind).where(
    deleted_links.c.deleted_id == bindparam("deleted")
)
_PUT_BACK = (
    upsert(artifacts)
    .from_select(
        [*_SAME, "repository_id"],
        select(
            *(deleted_artifacts.c[name] for name in _SAME), bindparam("repository", type_=BigInteger)
        ).where(deleted_artifacts.c.id == bindparam("deleted")),
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "digest"])
    .returning(artifacts.c.id)
)
_PUT_LINKS_BACK = insert(artifact_links).from_select(
    ["artifact_id", "digest", "kind", "project_id", "about"],
    select(
        bindparam("artifact", type_=BigInteger),
        deleted_links.c.digest,
        deleted_links.c.kind,
        deleted_links.c.project_id,
        deleted_links.c.about,
    ).where(deleted_links.c.deleted_id == bindparam("deleted"), literal(1) == literal(1)),
)
_FORGET = delete(deleted_artifacts).where(
    deleted_artifacts.c.project_id == bindparam("project"),
    deleted_artifacts.c.digest == bindparam("digest"),
    deleted_artifacts.c.repository == bindparam("repository"),
)


async def newest(conn: Conn, project: int, repository: str, digest: Digest) -> Row | None:
    """id, size and tags (a JSON array) of a manifest that can be had back, locked; the last one deleted of several."""
    return await conn.first(_NEWEST, project=project, repository=repository, digest=digest)


async def links(conn: Conn, deleted: int) -> list[Row]:
    """digest and kind of what a deleted manifest names."""
    return await conn.all(_LINKS, deleted=deleted)


async def put_back(conn: Conn, deleted: int, repository: int) -> int | None:
    """Make a deleted manifest an artifact again; its id, or None when there is one of this digest."""
    artifact: int | None = await conn.scalar(_PUT_BACK, deleted=deleted, repository=repository)
    if artifact is not None:
        await conn.run(_PUT_LINKS_BACK, artifact=artifact, deleted=deleted)
    return artifact


async def forget(conn: Conn, project: int, repository: str, digest: Digest) -> None:
    """Drop every deleted manifest of this digest in a repository: it is there again."""
    await conn.run(_FORGET, project=project, repository=repository, digest=digest)


_listed = [
    deleted_artifacts.c[name]
    for name in (
        *("id", "project_id", "repository", "digest", "media_type", "size"),
        *("tags", "deleted_at", "deleted_by", "until_at"),
    )
]
_later = deleted_artifacts.alias("later")
_there = (
    deleted_artifacts.c.project_id == bindparam("project"),
    deleted_artifacts.c.until_at > now_us(),
    # What was pushed again is there, and of one that was deleted again the last counts.
    ~some(
        repositories.c.project_id == deleted_artifacts.c.project_id,
        repositories.c.name == deleted_artifacts.c.repository,
        artifacts.c.repository_id == repositories.c.id,
        artifacts.c.digest == deleted_artifacts.c.digest,
    ),
    ~some(
        _later.c.project_id == deleted_artifacts.c.project_id,
        _later.c.digest == deleted_artifacts.c.digest,
        _later.c.repository == deleted_artifacts.c.repository,
        _later.c.id > deleted_artifacts.c.id,
    ),
)
_PAGE = (
    select(*_listed)
    .where(*_there)
    .order_by(deleted_artifacts.c.id.desc())
    .offset(bindparam("skip"))
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(deleted_artifacts).where(*_there)


async def page(conn: Conn, project: int, offset: int, limit: int) -> tuple[list[Row], int]:
    """A page of what can be had back in a project, all but the payload, the last one deleted first; and how many there are."""
    rows = await conn.all(_PAGE, project=project, skip=offset, limit=limit)
    return rows, int(await conn.scalar(_COUNT, project=project))
