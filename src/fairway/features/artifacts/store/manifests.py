"""Repositories, and the manifests in them with what they name."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Text, bindparam, delete, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Link, Manifest
from fairway.core.oci.names import Tag
from fairway.features.artifacts import rules
from fairway.features.artifacts.processors import table
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import artifact_links, artifacts, projects, repositories, tags
from fairway.frame.db.types import within, within_ids

# Who has a token made before the project was deleted asks by the project's id.
THERE: Final = exists(
    select(literal(1)).where(projects.c.id == bindparam("project"), projects.c.deleted_at.is_(None))
)
"""The condition that the bound `project` is there, and not only something that was in it."""

_REPOSITORY = select(repositories.c.id).where(
    repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("name"), THERE
)


async def repository(conn: Conn, project: int, name: str) -> int | None:
    """The id of a repository, by its name without the project."""
    found: int | None = await conn.scalar(_REPOSITORY, project=project, name=name)
    return found


_BY_DIGEST = (
    select(artifacts.c.digest, artifacts.c.media_type, artifacts.c.payload)
    .select_from(repositories.join(artifacts, artifacts.c.repository_id == repositories.c.id))
    .where(
        repositories.c.project_id == bindparam("project"),
        repositories.c.name == bindparam("name"),
        artifacts.c.digest == bindparam("ref"),
        THERE,
    )
)
_BY_TAG = (
    select(artifacts.c.digest, artifacts.c.media_type, artifacts.c.payload)
    .select_from(
        repositories.join(tags, tags.c.repository_id == repositories.c.id).join(
            artifacts, artifacts.c.id == tags.c.artifact_id
        )
    )
    .where(
        repositories.c.project_id == bindparam("project"),
        repositories.c.name == bindparam("name"),
        tags.c.name == bindparam("ref"),
        THERE,
    )
)
_INFO = [artifacts.c.digest, artifacts.c.media_type, artifacts.c.size]
_INFO_BY_DIGEST = _BY_DIGEST.with_only_columns(*_INFO, maintain_column_froms=True)
_INFO_BY_TAG = _BY_TAG.with_only_columns(*_INFO, maintain_column_froms=True)


async def manifest(conn: Conn, project: int, name: str, ref: Tag | Digest) -> Row | None:
    """digest, media_type and payload of what a tag or digest names."""
    statement = _BY_DIGEST if isinstance(ref, Digest) else _BY_TAG
    return await conn.first(statement, project=project, name=name, ref=ref)


_SMALL = (
    select(artifacts.c.digest, artifacts.c.media_type, artifacts.c.payload)
    .select_from(repositories.join(artifacts, artifacts.c.repository_id == repositories.c.id))
    .where(
        repositories.c.project_id == bindparam("project"),
        within(repositories.c.name, bindparam("names")),
        within(artifacts.c.digest, bindparam("digests")),
        within(repositories.c.name + "@" + artifacts.c.digest, bindparam("places")),
        artifacts.c.size <= bindparam("most"),
        THERE,
    )
)


async def small(
    conn: Conn, project: int, places: Collection[tuple[str, Digest]], most: int
) -> dict[Digest, Row]:
    """The same for several digests, each in the repository it is wanted of; without those of more than `most` bytes."""
    rows = await conn.all(
        _SMALL,
        project=project,
        names=json.dumps(sorted({name for name, _ in places})),
        digests=json.dumps(sorted({digest for _, digest in places})),
        places=json.dumps([f"{name}@{digest}" for name, digest in places]),
        most=most,
    )
    return {Digest(row["digest"]): row for row in rows}


async def manifest_info(conn: Conn, project: int, name: str, ref: Tag | Digest) -> Row | None:
    """digest, media_type and size (bytes) of what a tag or digest names."""
    statement = _INFO_BY_DIGEST if isinstance(ref, Digest) else _INFO_BY_TAG
    return await conn.first(statement, project=project, name=name, ref=ref)


_KEEP_ARTIFACT = (
    select(artifacts.c.id, artifacts.c.size)
    .where(artifacts.c.repository_id == bindparam("repository"), artifacts.c.digest == bindparam("digest"))
    .with_for_update(read=True, key_share=True)
)


async def keep_artifact(conn: Conn, repository: int, digest: Digest) -> Row | None:
    """id and size of an artifact, which nobody removes until the transaction ends."""
    return await conn.first(_KEEP_ARTIFACT, repository=repository, digest=digest)


_ADD_ARTIFACT = (
    upsert(artifacts)
    .values(
        project_id=bindparam("project"),
        repository_id=bindparam("repository"),
        digest=bindparam("digest"),
        media_type=bindparam("media_type"),
        kind=bindparam("kind"),
        artifact_type=bindparam("artifact_type"),
        subject=bindparam("subject"),
        annotations=bindparam("annotations"),
        size=bindparam("size"),
        type=bindparam("type"),
        config_media_type=bindparam("config_media_type"),
        total_size=bindparam("total_size"),
        payload=bindparam("payload"),
        pushed_at=now_us(),
        created_at=now_us(),
    )
    .on_conflict_do_nothing(index_elements=["repository_id", "digest"])
    .returning(artifacts.c.id)
)
_PUSHED_AGAIN = (
    update(artifacts)
    .where(artifacts.c.repository_id == bindparam("repository"), artifacts.c.digest == bindparam("digest"))
    .values(pushed_at=now_us(), payload=bindparam("payload"))  # repairs a damaged row
    .returning(artifacts.c.id)
)
_ADD_LINK = insert(artifact_links).values(
    artifact_id=bindparam("artifact"),
    digest=bindparam("digest"),
    kind=bindparam("kind"),
    project_id=bindparam("project"),
    about=bindparam("about"),
)
_BELONGS = (
    update(artifacts)
    .where(
        artifacts.c.id == bindparam("artifact"),
        (artifacts.c.accessory != bindparam("accessory"))
        | artifacts.c.accessory_of.is_distinct_from(bindparam("of", type_=Text)),
    )
    .values(accessory=bindparam("accessory"), accessory_of=bindparam("of", type_=Text))
)
_SIZES = select(artifacts.c.total_size).where(
    artifacts.c.repository_id == bindparam("repository"), within(artifacts.c.digest, bindparam("digests"))
)


async def add_artifact(
    conn: Conn, project: int, repository: int, manifest: Manifest, *, total_size: int
) -> tuple[int, bool]:
    """Store a manifest with what it names; the id, and whether it is new."""
    row = {
        "project": project,
        "repository": repository,
        "digest": manifest.digest,
        "media_type": manifest.media_type,
        "kind": manifest.kind,
        "artifact_type": manifest.artifact_type,
        "subject": manifest.subject.digest if manifest.subject else None,
        "annotations": json.dumps(dict(manifest.annotations), separators=(",", ":"), ensure_ascii=False),
        "size": manifest.size,
        "type": table.type_of(manifest),
        "config_media_type": rules.media_type_of(manifest),
        "total_size": total_size,
        "payload": manifest.raw,
    }
    while True:
        made: int | None = await conn.scalar(_ADD_ARTIFACT, **row)
        if made is not None:
            about = rules.about_children(manifest)
            await conn.many(_ADD_LINK, [_link_row(made, project, link, about) for link in manifest.links()])
            return made, True
        again: int | None = await conn.scalar(
            _PUSHED_AGAIN, repository=repository, digest=manifest.digest, payload=manifest.raw
        )
        if again is not None:
            return again, False
        # It was deleted between the two statements: store it anew.


def _link_row(artifact: int, project: int, link: Link, about: Mapping[Digest, str]) -> dict[str, object]:
    told = about.get(link.digest) if link.kind == "child" else None
    return {
        "artifact": artifact,
        "project": project,
        "digest": link.digest,
        "kind": link.kind,
        "about": told,
    }


async def make_accessory(conn: Conn, artifact: int, kind: str, of: Digest) -> bool:
    """Note that an artifact belongs to another manifest, whether that is here or not; False when it did before."""
    return bool(await conn.run(_BELONGS, artifact=artifact, accessory=kind, of=of))


async def total_sizes(conn: Conn, repository: int, digests: Sequence[Digest]) -> list[int]:
    """Bytes of each of these manifests with all they name."""
    rows = await conn.all(_SIZES, repository=repository, digests=json.dumps(digests))
    return [row["total_size"] for row in rows]


_LINKED = (
    select(artifact_links.c.digest).distinct().where(artifact_links.c.artifact_id == bindparam("artifact"))
)
_PARENTS = (
    select(artifacts.c.digest)
    .join(artifact_links, artifact_links.c.artifact_id == artifacts.c.id)
    .where(
        artifact_links.c.project_id == bindparam("project"),
        artifact_links.c.digest == bindparam("digest"),
        artifact_links.c.kind == "child",
        artifacts.c.repository_id == bindparam("repository"),
    )
    .limit(1_000)
)
_REMOVE_ARTIFACT = (
    delete(artifacts)
    .where(artifacts.c.id == bindparam("artifact"))
    .returning(artifacts.c.media_type, artifacts.c.artifact_type, artifacts.c.size)
)
_ELSEWHERE = select(
    exists().where(artifacts.c.project_id == bindparam("project"), artifacts.c.digest == bindparam("digest"))
)


async def linked(conn: Conn, artifact: int) -> list[Digest]:
    """Everything an artifact names."""
    return [Digest(row["digest"]) for row in await conn.all(_LINKED, artifact=artifact)]


_LINK_COUNTS = (
    select(artifacts.c.digest, func.count().label("links"))
    .join(artifact_links, artifact_links.c.artifact_id == artifacts.c.id)
    .where(
        artifacts.c.repository_id == bindparam("repository"), within(artifacts.c.digest, bindparam("digests"))
    )
    .group_by(artifacts.c.digest)
)


async def link_counts(conn: Conn, repository: int, digests: Sequence[Digest]) -> dict[Digest, int]:
    """How much each of these manifests names."""
    rows = await conn.all(_LINK_COUNTS, repository=repository, digests=json.dumps(digests))
    return {Digest(row["digest"]): row["links"] for row in rows}


_ABOUT = select(artifacts.c.digest).where(
    artifacts.c.repository_id == bindparam("repository"), artifacts.c.subject == bindparam("digest")
)


async def about(conn: Conn, repository: int, digest: Digest) -> list[Digest]:
    """The manifests of the repository whose subject this one is."""
    rows = await conn.all(_ABOUT, repository=repository, digest=digest)
    return [Digest(row["digest"]) for row in rows]


_ACCESSORIES = (
    select(artifacts.c.digest)
    .where(
        artifacts.c.repository_id == bindparam("repository"), artifacts.c.accessory_of == bindparam("digest")
    )
    .order_by(artifacts.c.id)
    .limit(bindparam("limit"))
)


async def accessories(conn: Conn, repository: int, digest: Digest, limit: int) -> list[Digest]:
    """The manifests of the repository that are accessories of this one."""
    rows = await conn.all(_ACCESSORIES, repository=repository, digest=digest, limit=limit)
    return [Digest(row["digest"]) for row in rows]


_SUBJECTS = select(artifacts.c.id, artifacts.c.accessory_of).where(
    within_ids(artifacts.c.id, bindparam("artifacts")), artifacts.c.accessory_of.is_not(None)
)


async def subjects(conn: Conn, artifacts: Collection[int]) -> dict[int, str]:
    """Of those of these artifacts, by id, that are accessories: the digest that each belongs to."""
    rows = await conn.all(_SUBJECTS, artifacts=json.dumps(sorted(artifacts)))
    return {row["id"]: row["accessory_of"] for row in rows}


async def parents(conn: Conn, project: int, repository: int, digest: Digest) -> set[str]:
    """The digests of the indexes in the repository that name this manifest; a thousand at most, which is more than
    are ever deleted at once."""
    rows = await conn.all(_PARENTS, project=project, repository=repository, digest=digest)
    return {row["digest"] for row in rows}


async def remove_artifact(conn: Conn, artifact: int) -> dict[str, Any]:
    """Delete an artifact, its tags and its links; what is told of it besides: media_type, artifact_type and size."""
    row = await conn.first(_REMOVE_ARTIFACT, artifact=artifact)
    return {} if row is None else {name: row[name] for name in ("media_type", "artifact_type", "size")}


async def manifest_in_project(conn: Conn, project: int, digest: Digest) -> bool:
    """Does any repository of the project have this manifest?"""
    return bool(await conn.scalar(_ELSEWHERE, project=project, digest=digest))


_REFERRERS = (
    select(
        artifacts.c.digest,
        artifacts.c.media_type,
        artifacts.c.size,
        artifacts.c.artifact_type,
        artifacts.c.annotations,
    )
    .join(repositories, repositories.c.id == artifacts.c.repository_id)
    .where(
        repositories.c.project_id == bindparam("project"),
        repositories.c.name == bindparam("name"),
        artifacts.c.subject == bindparam("subject"),
        artifacts.c.digest > bindparam("after"),
        THERE,
    )
    .order_by(artifacts.c.digest)
    .limit(bindparam("limit"))
)
_REFERRERS_OF_TYPE = _REFERRERS.where(artifacts.c.artifact_type == bindparam("artifact_type"))


async def referrers(
    conn: Conn, project: int, name: str, subject: Digest, artifact_type: str, after: str, limit: int
) -> list[Row]:
    """What `Descriptor`s are made of, ordered by digest."""
    if artifact_type:
        return await conn.all(
            _REFERRERS_OF_TYPE,
            project=project,
            name=name,
            subject=subject,
            after=after,
            limit=limit,
            artifact_type=artifact_type,
        )
    return await conn.all(_REFERRERS, project=project, name=name, subject=subject, after=after, limit=limit)
