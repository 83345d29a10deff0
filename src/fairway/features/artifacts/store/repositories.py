"""Repositories: lists of them, their descriptions, and emptying one to delete it."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)

from fairway.core.oci.digest import Digest
from fairway.features.artifacts.store.shown import on_its_own
from fairway.features.projects.store.belonging import GOING
from fairway.features.projects.store.granted import lists_every, named, shown_to
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import COUNTED, Field, Filters, Listing, Order
from fairway.frame.db.tables import artifacts, projects, repositories
from fairway.frame.db.types import within_ids

_FROM = projects.join(repositories, repositories.c.project_id == projects.c.id)
_shown = [*repositories.c, projects.c.name.label("project")]

_LISTING = Listing(
    {
        "name": Field(
            projects.c.name + "/" + repositories.c.name,
            parts=(projects.c.name, repositories.c.name),
            lower=True,
        ),
        "repository_id": Field(repositories.c.id),
        "id": Field(repositories.c.id),
        "project_id": Field(repositories.c.project_id),
        "project_name": Field(projects.c.name),
        "repository_name": Field(repositories.c.name),
        "pull_count": Field(repositories.c.pull_count),
        "creation_time": Field(repositories.c.created_at, moment=True),
        "update_time": Field(repositories.c.updated_at, moment=True),
    },
    # By the columns and not by the whole name: their index has this order already.
    default=[("project_name", False), ("repository_name", False)],
    tie=repositories.c.id,
)

# Few projects are being deleted: to look into their list takes half as long as to look every project up.
_EVERY: Select[Any] = select(literal(1).label("one")).where(repositories.c.project_id.not_in(GOING))


async def page(
    conn: Conn,
    viewer: Principal,
    project: int | None,
    filters: Filters,
    order: Order,
    *,
    only: Sequence[str] | None = None,
    offset: int,
    limit: int,
) -> tuple[list[Row], int]:
    """One page of a project's repositories, or (None) of all that `viewer` may list, and how many there are.

    `only`: patterns of those that are shown of the project.
    By name unless `order` says otherwise; each with `project`, its project's name.  With filters they are counted as far
    as COUNTED says.  Raises BadRequest.
    """
    where: ColumnElement[bool] = shown_to(viewer) if project is None else projects.c.id == project
    if only is not None:
        where = and_(where, named(only, repositories.c.name))
    conditions = [where, *_LISTING.where(filters)]
    found: Select[Any] = select(literal(1).label("one")).select_from(_FROM).where(*conditions)
    most = max(COUNTED, offset + limit + 1) if filters else None
    if project is None and not filters and lists_every(viewer):
        found = _EVERY
    total = int(await conn.scalar(select(func.count()).select_from(found.limit(most).subquery())))
    if offset >= total:
        return [], total
    chosen: Select[Any] = select(repositories.c.id).select_from(_FROM).where(*conditions)
    exact = None if total == most else total
    ids = _LISTING.part(chosen, order, total=exact, offset=offset, limit=limit).scalar_subquery()
    rows = select(*_shown).select_from(_FROM).where(repositories.c.id.in_(ids))
    return await conn.all(rows.order_by(*_LISTING.order(order))), total


_ONE = (
    select(*_shown)
    .select_from(projects.join(repositories, repositories.c.project_id == projects.c.id))
    .where(projects.c.id == bindparam("project"), repositories.c.name == bindparam("name"))
)


async def one(conn: Conn, project: int, name: str) -> Row | None:
    """A repository as `page` has it, by its name without the project."""
    return await conn.first(_ONE, project=project, name=name)


_COUNTS = (
    select(artifacts.c.repository_id, func.count().label("artifacts"))
    .where(within_ids(artifacts.c.repository_id, bindparam("ids")), *on_its_own)
    .group_by(artifacts.c.repository_id)
)


async def artifact_counts(conn: Conn, ids: Sequence[int]) -> dict[int, int]:
    """How many artifacts each of these repositories lists."""
    rows = await conn.all(_COUNTS, ids=json.dumps(list(ids)))
    return {row["repository_id"]: row["artifacts"] for row in rows}


_DESCRIBE = (
    update(repositories)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("name"))
    .values(description=bindparam("text"), updated_at=now_us())
)


async def describe(conn: Conn, project: int, name: str, text: str) -> bool:
    """Set a repository's description; False when there is no such repository."""
    return bool(await conn.run(_DESCRIBE, project=project, name=name, text=text))


_NEWEST = select(func.max(artifacts.c.id)).where(artifacts.c.repository_id == bindparam("repository"))
_SOME = (
    select(artifacts.c.digest)
    .where(
        artifacts.c.repository_id == bindparam("repository"),
        artifacts.c.digest > bindparam("after"),
        artifacts.c.id <= bindparam("newest"),
    )
    .order_by(artifacts.c.digest)
    .limit(bindparam("limit"))
)
_ANY = select(exists().where(artifacts.c.repository_id == bindparam("repository")))


async def newest(conn: Conn, repository: int) -> int:
    """The id of the artifact that came last; 0 when there is none."""
    return int(await conn.scalar(_NEWEST, repository=repository) or 0)


async def some_artifacts(conn: Conn, repository: int, newest: int, after: str, limit: int) -> list[Digest]:
    """Digests of artifacts up to the id `newest`, in order, those that follow `after`."""
    rows = await conn.all(_SOME, repository=repository, newest=newest, after=after, limit=limit)
    return [Digest(row["digest"]) for row in rows]


_LOCK = select(repositories.c.id).where(repositories.c.id == bindparam("repository")).with_for_update()
_REMOVE = delete(repositories).where(repositories.c.id == bindparam("repository"))


async def remove_empty(conn: Conn, repository: int) -> bool:
    """Delete a repository without artifacts; False when it is gone already, or somebody has pushed to it.

    A push keeps the row: the two are never in it together, and what is asked after the lock is answered by what was
    committed before.
    """
    if await conn.first(_LOCK, repository=repository) is None or await conn.scalar(
        _ANY, repository=repository
    ):
        return False
    return bool(await conn.run(_REMOVE, repository=repository))
