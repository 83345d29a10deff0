"""SQL that belongs to no single page of content: pull counts, and the catalogue of all repositories."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, TypedDict

from sqlalchemy import BigInteger, bindparam, select, update

from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import artifacts, projects, repositories, tags
from fairway.frame.db.types import within, within_ids


class PullRow(TypedDict):
    """How often one artifact was pulled, by one of its tags or by digest (`tag` empty)."""

    project: int
    repository: str
    digest: str
    tag: str
    count: int


_repository = (
    select(repositories.c.id)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("repository"))
    .scalar_subquery()
)
_count = bindparam("count", type_=BigInteger)
_ARTIFACT_PULLED = (
    update(artifacts)
    .where(artifacts.c.repository_id == _repository, artifacts.c.digest == bindparam("digest"))
    .values(pull_count=artifacts.c.pull_count + _count, pulled_at=now_us())
)
_REPOSITORY_PULLED = (
    update(repositories)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("repository"))
    .values(pull_count=repositories.c.pull_count + _count, pulled_at=now_us())
)
_TAG_PULLED = (
    update(tags)
    .where(tags.c.repository_id == _repository, tags.c.name == bindparam("tag"))
    .values(pulled_at=now_us())
)


async def add_pulls(conn: Conn, rows: Sequence[PullRow]) -> None:
    """Add counts and set pull times; what was deleted meanwhile is passed over."""
    pulled: Counter[tuple[int, str]] = Counter()
    for row in rows:
        pulled[row["project"], row["repository"]] += row["count"]
    await conn.many(
        _REPOSITORY_PULLED,
        [
            {"project": project, "repository": repository, "count": count}
            for (project, repository), count in pulled.items()
        ],
    )
    await conn.many(_ARTIFACT_PULLED, rows)
    await conn.many(_TAG_PULLED, [row for row in rows if row["tag"]])


async def projects_wanting_pulls(_conn: Conn, project_ids: Collection[int]) -> set[int]:  # noqa: ARG001
    """Which of these projects want to be told of pulls.  Nobody can say so yet: there are no webhooks of projects."""
    return set()


_PLACES = (
    select(
        projects.c.id,
        repositories.c.name,
        (projects.c.name + "/" + repositories.c.name).label("repository"),
        repositories.c.created_at.label("repository_created_at"),
        projects.c.public,
    )
    .join(repositories, repositories.c.project_id == projects.c.id)
    .where(
        within_ids(projects.c.id, bindparam("projects")),
        within(repositories.c.name, bindparam("names")),
        projects.c.deleted_at.is_(None),
    )
)


async def places(conn: Conn, wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], dict[str, Any]]:
    """What is told of repositories, each by its project's id and its name in it; of those that are there."""
    rows = await conn.all(
        _PLACES,
        projects=json.dumps(sorted({project for project, _ in wanted})),
        names=json.dumps(sorted({name for _, name in wanted})),
    )
    return {
        (row["id"], row["name"]): {
            "repository": row["repository"],
            "repository_created_at": row["repository_created_at"],
            "public": bool(row["public"]),
        }
        for row in rows
    }


_CATALOGUE = (
    select(projects.c.name.label("project"), repositories.c.name.label("repository"))
    .join(repositories, repositories.c.project_id == projects.c.id)
    .where(
        projects.c.deleted_at.is_(None),
        projects.c.name >= bindparam("project"),  # found by the index, which an OR alone would not use
        (projects.c.name > bindparam("project")) | (repositories.c.name > bindparam("repository")),
    )
    .order_by(projects.c.name, repositories.c.name)
    .limit(bindparam("limit"))
)


async def catalogue(conn: Conn, after: str, limit: int) -> list[str]:
    """Full names of all repositories, ordered by project and then by name, those that follow `after`."""
    project, _, repository = after.partition("/")
    rows = await conn.all(_CATALOGUE, project=project, repository=repository, limit=limit)
    return [f"{row['project']}/{row['repository']}" for row in rows]
