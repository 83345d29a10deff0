"""Deleting a project with all that is in it: gone for everybody in one transaction, its content bit by bit after that.

The row stays for what refers to it, under a name that no client can ask for; it goes last.
"""

from sqlalchemy import bindparam, delete, func, select, update

from fairway.features.projects.store import allowlists
from fairway.features.projects.store import projects as store
from fairway.features.projects.store.belonging import LIVE
from fairway.features.projects.store.granted import hold_less
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import (
    artifacts,
    members,
    project_aliases,
    projects,
    quota_deltas,
    quotas,
    repositories,
    robot_permissions,
    robots,
)

_LOCK = select(projects.c.name).where(projects.c.id == bindparam("project"), LIVE).with_for_update()
_HIDE = (
    update(projects)
    .where(projects.c.id == bindparam("project"))
    .values(name=bindparam("nobodys"), public=False, deleted_at=now_us(), updated_at=now_us())
)
# Deltas before the quota: in the order in which they are folded.
_DROPPED = [
    delete(table).where(table.c.project_id == bindparam("project"))
    for table in (project_aliases, members, robot_permissions, robots, quota_deltas, quotas)
]


async def hide(conn: Conn, project: int, by: Principal) -> str | None:
    """Let a project be gone for everybody, whatever is in it; the name it had, which is free now, or None when it is gone.

    Needs a transaction.  Whoever is just making something in it is waited for, and who comes later finds no project.
    """
    name: str | None = await conn.scalar(_LOCK, project=project)
    if name is None:
        return None
    await conn.run(_HIDE, project=project, nobodys=f"{name}#{project}")
    await hold_less(conn, project)
    for statement in _DROPPED:
        await conn.run(statement, project=project)
    payload = {"project_id": project, "name": name, "by": by.name}
    await events.record(conn, f"project:{project}", "project.deleted", payload)
    return name


_GOING = select(projects.c.id, projects.c.name).where(projects.c.deleted_at.is_not(None))
_IS_GOING = _GOING.where(projects.c.id == bindparam("project"))


async def is_going(conn: Conn, project: int) -> bool:
    """Whether something of a deleted project is left."""
    return await conn.first(_IS_GOING, project=project) is not None


async def all_going(conn: Conn) -> list[tuple[int, str]]:
    """The ids of deleted projects of which something is left, and the names they had."""
    rows = await conn.all(_GOING.order_by(projects.c.id))
    return [(row["id"], row["name"].rpartition("#")[0]) for row in rows]


_REPOSITORIES = (
    select(repositories.c.id, repositories.c.name)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name > bindparam("after"))
    .order_by(repositories.c.name)
    .limit(bindparam("limit"))
)
_LEFT = select(func.count()).select_from(artifacts).where(artifacts.c.project_id == bindparam("project"))


async def some_repositories(conn: Conn, project: int, after: str, limit: int) -> list[tuple[int, str]]:
    """Ids and names of repositories, by name, those that follow `after`."""
    rows = await conn.all(_REPOSITORIES, project=project, after=after, limit=limit)
    return [(row["id"], row["name"]) for row in rows]


async def manifests_left(conn: Conn, project: int) -> int:
    """How many manifests are still to be removed."""
    return int(await conn.scalar(_LEFT, project=project))


_DELETE = delete(projects).where(projects.c.id == bindparam("project"), projects.c.deleted_at.is_not(None))


async def finish(conn: Conn, project: int, *, grace_seconds: int) -> None:
    """Delete the row, when all that was in the project is gone.  Needs a transaction.

    Raises PreconditionFailed while there are repositories in it.
    """
    while await store.empty(conn, project, grace_seconds=grace_seconds, going=True):
        pass
    await allowlists.drop(conn, project)
    await conn.run(_DELETE, project=project)
