"""Which artifacts lists show, kept in a column so that a list is counted and paged by an index alone.

Lists show what has a tag, and what no index of its repository names.  Whoever changes either locks the artifacts it is
about with `hold`, before the tags, and calls `refresh` at the end: two who change one artifact's standing at once, such as
the one who removes its last tag and the one who deletes its index, then see each other's work.
"""

import json
from collections.abc import Collection

from sqlalchemy import ColumnElement, bindparam, literal, or_, select, update
from sqlalchemy import false as sql_false
from sqlalchemy import true as sql_true

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Tag
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import artifact_links, artifacts, leases, tags
from fairway.frame.db.types import some, within

tagged: ColumnElement[bool] = some(tags.c.artifact_id == artifacts.c.id, of=[artifacts])
"""An artifact has a tag."""

_parent = artifacts.alias("parent")
_named = some(
    artifact_links.c.project_id == artifacts.c.project_id,
    artifact_links.c.digest == artifacts.c.digest,
    artifact_links.c.kind == literal("child"),
    _parent.c.id == artifact_links.c.artifact_id,
    _parent.c.repository_id == artifacts.c.repository_id,
    of=[artifacts],
)
_stands = or_(tagged, ~_named)

on_its_own: tuple[ColumnElement[bool], ...] = (
    artifacts.c.accessory_of.is_(None),
    artifacts.c.listed == sql_true(),
)
"""Artifacts that lists show."""

_these = (
    artifacts.c.repository_id == bindparam("repository"),
    within(artifacts.c.digest, bindparam("digests")),
)
_HOLD = (
    select(artifacts.c.id, artifacts.c.digest)
    .where(*_these)
    .order_by(artifacts.c.digest)
    .with_for_update(key_share=True)
)
_HOLD_TO_DELETE = _HOLD.with_for_update()
_HOLD_FREE = _HOLD.with_for_update(key_share=True, skip_locked=True)
_REFRESH = update(artifacts).where(*_these, artifacts.c.listed != _stands).values(listed=_stands)
_BEHIND_TAGS = (
    select(artifacts.c.digest)
    .join(tags, tags.c.artifact_id == artifacts.c.id)
    .where(tags.c.repository_id == bindparam("repository"), within(tags.c.name, bindparam("names")))
)
_CHILDREN = (
    select(artifact_links.c.digest)
    .join(artifacts, artifacts.c.id == artifact_links.c.artifact_id)
    .where(*_these, artifact_links.c.kind == literal("child"))
)

_HIDDEN = select(artifacts.c.digest).where(
    *_these,
    artifacts.c.accessory_of.is_(None),
    artifacts.c.listed == sql_false(),
    ~some(
        leases.c.project_id == artifacts.c.project_id,
        leases.c.digest == artifacts.c.digest,
        leases.c.until_at > now_us(),
        of=[artifacts],
    ),
)


async def hold(
    conn: Conn,
    repository: int,
    digests: Collection[Digest],
    *,
    to_delete: bool = False,
    if_free: bool = False,
) -> dict[Digest, int]:
    """Lock artifacts of a repository, in the order of their digests, until the transaction ends; the ids of those that
    are there.

    Nobody removes them meanwhile, or changes whether lists show them.  `to_delete`: nor refers to them.  `if_free`: only
    those that nobody else holds.
    """
    statement = _HOLD_TO_DELETE if to_delete else _HOLD_FREE if if_free else _HOLD
    rows = await conn.all(statement, repository=repository, digests=json.dumps(sorted(digests)))
    return {Digest(row["digest"]): row["id"] for row in rows}


async def behind(conn: Conn, repository: int, names: Collection[Tag]) -> set[Digest]:
    """What these tags point at."""
    rows = await conn.all(_BEHIND_TAGS, repository=repository, names=json.dumps(sorted(names)))
    return {Digest(row["digest"]) for row in rows}


async def children(conn: Conn, repository: int, digests: Collection[Digest]) -> set[Digest]:
    """What these indexes of a repository name."""
    rows = await conn.all(_CHILDREN, repository=repository, digests=json.dumps(sorted(digests)))
    return {Digest(row["digest"]) for row in rows}


async def hidden(conn: Conn, repository: int, digests: Collection[Digest]) -> set[Digest]:
    """Which of these lists do not show because an index names them and no tag does.

    Without those that somebody was told of who may be about to push another index of them.
    """
    rows = await conn.all(_HIDDEN, repository=repository, digests=json.dumps(sorted(digests)))
    return {Digest(row["digest"]) for row in rows}


async def refresh(conn: Conn, repository: int, digests: Collection[Digest]) -> None:
    """Note anew whether lists show these artifacts, which the caller holds."""
    if digests:
        await conn.run(_REFRESH, repository=repository, digests=json.dumps(sorted(digests)))
