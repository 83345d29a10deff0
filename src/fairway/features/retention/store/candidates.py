"""What a decision is about: repositories, and the images in them that lists show, with their tags.

Images are read from the newest on.  One that is pushed again meanwhile moves to the front, where nobody looks any more:
then it is neither counted nor judged, and nothing else goes for its sake.
"""

import json
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import bindparam, func, or_, select

from fairway.core.oci.digest import Digest
from fairway.features.artifacts.store.shown import on_its_own
from fairway.features.retention.model import Candidate, Tagged
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import artifact_labels, artifacts, executions, labels, leases, repositories, tags
from fairway.frame.db.types import some, within, within_ids

MOST_TAGS: Final = 10_000
"""Tags that are read at once; an image that has more is left alone."""

_NOW = select(now_us())
_REPOSITORIES = (
    select(repositories.c.id, repositories.c.name)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("limit"))
)
_REPOSITORY = select(repositories.c.id).where(
    repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("name")
)
_COUNTS = (
    select(artifacts.c.repository_id, func.count().label("number"))
    .where(within_ids(artifacts.c.repository_id, bindparam("repositories")), *on_its_own)
    .group_by(artifacts.c.repository_id)
)
_image = [
    artifacts.c.id,
    artifacts.c.repository_id,
    artifacts.c.digest,
    artifacts.c.pushed_at,
    artifacts.c.pulled_at,
    artifacts.c.created_at,
    artifacts.c.type,
]
_OF_SMALL = (
    select(*_image)
    .where(within_ids(artifacts.c.repository_id, bindparam("repositories")), *on_its_own)
    .limit(bindparam("limit"))
)
_PAGE = (
    select(*_image)
    .where(
        artifacts.c.repository_id == bindparam("repository"),
        *on_its_own,
        artifacts.c.pushed_at <= bindparam("pushed"),
        or_(artifacts.c.pushed_at < bindparam("pushed"), artifacts.c.id < bindparam("before")),
    )
    .order_by(artifacts.c.pushed_at.desc(), artifacts.c.id.desc())
    .limit(bindparam("limit"))
)
_BY_IDS = select(*_image).where(within_ids(artifacts.c.id, bindparam("artifacts")), *on_its_own)
_TAGS = (
    select(tags.c.artifact_id, tags.c.name, tags.c.pushed_at, tags.c.pulled_at, tags.c.created_at)
    .where(within_ids(tags.c.artifact_id, bindparam("artifacts")))
    .limit(bindparam("limit"))
)
_SIGNED_SINCE = (
    select(artifacts.c.accessory_of)
    .join(executions, executions.c.id == bindparam("execution"))
    .where(
        artifacts.c.repository_id == bindparam("repository"),
        within(artifacts.c.accessory_of, bindparam("digests")),
        artifacts.c.pushed_at >= executions.c.created_at,
    )
    .distinct()
)
_PROMISED = select(artifacts.c.id).where(
    within_ids(artifacts.c.id, bindparam("artifacts")),
    some(
        leases.c.project_id == artifacts.c.project_id,
        leases.c.digest == artifacts.c.digest,
        leases.c.until_at > now_us(),
        of=[artifacts],
    ),
)
_LABELS = (
    select(artifact_labels.c.artifact_id, labels.c.name)
    .join(labels, labels.c.id == artifact_labels.c.label_id)
    .where(within_ids(artifact_labels.c.artifact_id, bindparam("artifacts")))
    .order_by(labels.c.name)
)


async def now(conn: Conn) -> int:
    """The database's time."""
    return int(await conn.scalar(_NOW))


async def some_repositories(conn: Conn, project: int, after: str, limit: int) -> list[tuple[int, str]]:
    """Ids and names of repositories, by name, those that follow `after`."""
    rows = await conn.all(_REPOSITORIES, project=project, after=after, limit=limit)
    return [(row["id"], row["name"]) for row in rows]


async def repository(conn: Conn, project: int, name: str) -> int | None:
    """The id of a repository, by its name without the project."""
    found: int | None = await conn.scalar(_REPOSITORY, project=project, name=name)
    return found


async def counts(conn: Conn, repositories: Sequence[int]) -> dict[int, int]:
    """How many images each of these has; none is left out."""
    rows = await conn.all(_COUNTS, repositories=json.dumps(repositories))
    return {row["repository_id"]: row["number"] for row in rows}


async def of_small(conn: Conn, repositories: Sequence[int], limit: int) -> dict[int, list[Candidate]] | None:
    """All images of each of these repositories, newest first; None when they have as many as `limit` together."""
    rows = await conn.all(_OF_SMALL, repositories=json.dumps(repositories), limit=limit)
    if len(rows) >= limit:
        return None
    found: dict[int, list[Candidate]] = {}
    of = {row["id"]: row["repository_id"] for row in rows}
    rows.sort(key=lambda row: (row["pushed_at"], row["id"]), reverse=True)
    for candidate in await _candidates(conn, rows):
        found.setdefault(of[candidate.id], []).append(candidate)
    return found


async def page(conn: Conn, repository: int, last: Candidate | None, limit: int) -> list[Candidate]:
    """Images of a repository, newest first, those that follow `last`."""
    rows = await conn.all(
        _PAGE,
        repository=repository,
        pushed=2**62 if last is None else last.pushed_at,
        before=2**62 if last is None else last.id,
        limit=limit,
    )
    return await _candidates(conn, rows)


async def as_they_are(conn: Conn, artifacts: Collection[int]) -> dict[int, Candidate]:
    """These images, by id, those that are still there."""
    rows = await conn.all(_BY_IDS, artifacts=json.dumps(sorted(artifacts)))
    return {each.id: each for each in await _candidates(conn, rows)}


async def signed_since(
    conn: Conn, repository: int, digests: Collection[Digest], execution: int
) -> Collection[str]:
    """Those of these images to which a signature, or something else that belongs to them, came since a run began."""
    asked = json.dumps(sorted(digests))
    rows = await conn.all(_SIGNED_SINCE, repository=repository, digests=asked, execution=execution)
    return {row["accessory_of"] for row in rows}


async def promised(conn: Conn, artifacts: Collection[int]) -> set[int]:
    """Those of these images that somebody was told of who may be about to push an index of them."""
    rows = await conn.all(_PROMISED, artifacts=json.dumps(sorted(artifacts)))
    return {row["id"] for row in rows}


async def _candidates(conn: Conn, rows: Sequence[Row]) -> list[Candidate]:
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    of = await _tags(conn, ids)
    called: dict[int, tuple[str, ...]] = {}
    for label in await conn.all(_LABELS, artifacts=json.dumps(ids)):
        called[label["artifact_id"]] = (*called.get(label["artifact_id"], ()), label["name"])
    return [
        Candidate(
            row["id"],
            Digest(row["digest"]),  # one that is none is an error, and nothing goes
            row["pushed_at"],
            row["pulled_at"],
            tuple(of[row["id"]] or ()),
            row["type"],
            called.get(row["id"], ()),
            row["created_at"],
            crowded=of[row["id"]] is None,
        )
        for row in rows
    ]


async def _tags(conn: Conn, artifacts: Sequence[int]) -> dict[int, list[Tagged] | None]:
    """The tags of each of these, by name; None of one that has too many."""
    rows = await conn.all(_TAGS, artifacts=json.dumps(artifacts), limit=MOST_TAGS + 1)
    if len(rows) > MOST_TAGS:
        if len(artifacts) == 1:
            return {artifacts[0]: None}
        half = len(artifacts) // 2
        return {**await _tags(conn, artifacts[:half]), **await _tags(conn, artifacts[half:])}
    found: dict[int, list[Tagged] | None] = {}
    of: dict[int, list[Tagged]] = {each: [] for each in artifacts}
    found.update(of)
    for row in sorted(rows, key=lambda row: str(row["name"])):
        of[row["artifact_id"]].append(
            Tagged(row["name"], row["pushed_at"], row["pulled_at"], row["created_at"])
        )
    return found


_STANDING = (
    select(func.count())
    .select_from(artifacts)
    .where(artifacts.c.repository_id == bindparam("repository"), *on_its_own)
)


async def standing(conn: Conn, repository: int) -> int:
    """How many images a repository has that retention is about."""
    return int(await conn.scalar(_STANDING, repository=repository))
