"""Projects: which there are, how they begin and end."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.errors import PreconditionFailed
from fairway.features.projects import rules
from fairway.features.projects.model import LIBRARY, UNLIMITED, Change, Project, Settings, Wanted
from fairway.features.projects.store import allowlists, belonging, names, settings
from fairway.features.projects.store.belonging import LIVE, RIGHTS, membership
from fairway.features.projects.store.granted import hold_less, named, visible_to
from fairway.frame import events
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Principal, User
from fairway.frame.access.roles import Role
from fairway.frame.db import SECOND, Conn, Row, ledger, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import (
    deleted_artifacts,
    gc_reviews,
    members,
    project_blobs,
    projects,
    quotas,
    repositories,
    users,
)
from fairway.frame.db.types import within_ids

NOBODY = 0
"""Stands for an anonymous viewer where a statement wants a user id; no user has it."""

NOT_EMPTY = "the project contains repositories; delete them first"
"""Why a project stays."""

_FACTS = (
    select(projects.c.id, projects.c.name, projects.c.public, *RIGHTS).select_from(membership).where(LIVE)
)
_FACTS_BY_ID = _FACTS.where(projects.c.id == bindparam("id"))
_FACTS_BY_NAME = _FACTS.where(projects.c.id == names.called("name"))

# Outer, though every project has an owner: who only counts projects then needs not look the owners up.
_owned = membership.outerjoin(users, users.c.id == projects.c.owner_id)
_PROJECT = select(
    *projects.c,
    users.c.username.label("owner_name"),
    *RIGHTS,
    *allowlists.COLUMNS,
).select_from(allowlists.joined(_owned, projects.c.id))
_PROJECT_BY_ID = _PROJECT.where(projects.c.id == bindparam("id"), LIVE)


def viewer_id(principal: Principal) -> int:
    """What statements with `membership` take as `viewer`."""
    return principal.id if isinstance(principal, User) else NOBODY


async def facts(conn: Conn, principal: Principal, ref: int | str) -> ProjectFacts | None:
    """What a decision about `principal` in a project (by id, by name or by a former one) needs; None for no project."""
    if isinstance(ref, int):
        row = await conn.first(_FACTS_BY_ID, id=ref, viewer=viewer_id(principal))
    elif rules.is_name(ref):
        row = await conn.first(_FACTS_BY_NAME, name=ref, viewer=viewer_id(principal))
    else:
        return None
    return None if row is None else belonging.facts(row)


# Asked for a page at a time: beside a row that is only passed over or sorted they would be counted for nothing.
_COUNTS = (
    select(repositories.c.project_id, func.count().label("number"))
    .where(within_ids(repositories.c.project_id, bindparam("projects")))
    .group_by(repositories.c.project_id)
)


async def _projects(conn: Conn, rows: Sequence[Row]) -> list[Project]:
    """Rows of `_PROJECT`, with all that is in other tables."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    counted = await conn.all(_COUNTS, projects=json.dumps(ids))
    counts = {row["project_id"]: row["number"] for row in counted}
    kept = await settings.of_many(conn, ids)
    return [_project(row, counts.get(row["id"], 0), kept.get(row["id"], {})) for row in rows]


def _project(row: Row, repositories: int, kept: Settings) -> Project:
    rights = belonging.rights(row)
    return Project(
        id=row["id"],
        name=row["name"],
        public=bool(row["public"]),
        owner_id=row["owner_id"],
        owner_name=row["owner_name"],
        repositories=repositories,
        roles=rights.roles,
        more=rights.more,
        narrowed=rights.narrowed_in(row["id"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        settings=kept,
        allowlist=allowlists.of_row(row, row["id"]),
    )


async def by_id(conn: Conn, project: int, viewer: Principal) -> Project | None:
    """A project as `viewer` sees it.  Whether they may see it is decided before."""
    found = await _projects(conn, await conn.all(_PROJECT_BY_ID, id=project, viewer=viewer_id(viewer)))
    return found[0] if found else None


_REPOSITORIES_OF = (
    select(func.count()).select_from(repositories).where(repositories.c.project_id == bindparam("project"))
)
_HARD = select(quotas.c.hard).where(quotas.c.project_id == bindparam("project"))


async def repositories_of(conn: Conn, project: int, only: Sequence[str] | None = None) -> int:
    """How many repositories it has, of those that the patterns `only` mean if there are any."""
    counted = _REPOSITORIES_OF if only is None else _REPOSITORIES_OF.where(named(only, repositories.c.name))
    return int(await conn.scalar(counted, project=project))


async def quota_of(conn: Conn, project: int) -> tuple[int, int]:
    """The bytes it may store (UNLIMITED: any), and those it does."""
    hard = await conn.scalar(_HARD, project=project)
    return (UNLIMITED if hard is None else int(hard)), await ledger.used(conn, project)


_LISTING = Listing(
    {
        "project_id": Field(projects.c.id),
        "name": Field(projects.c.name, lower=True),
        "public": Field(projects.c.public),
        "owner": Field(users.c.username),
        "creation_time": Field(projects.c.created_at, moment=True),
        "update_time": Field(projects.c.updated_at, moment=True),
    },
    default=[("name", False)],
    tie=projects.c.id,
)


async def listed(
    conn: Conn, viewer: Principal, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Project], int]:
    """One page of the projects `viewer` may see, by name, and how many there are on all pages.

    Raises BadRequest for a value that its field cannot have.
    """
    conditions = [visible_to(viewer), *_LISTING.where(filters)]
    counted: Select[Any] = select(func.count()).select_from(_owned).where(*conditions)
    sorted_by = _LISTING.order(order)
    total = int(await conn.scalar(counted, viewer=viewer_id(viewer)))
    # Apart from what is shown: PostgreSQL would read the viewer's rights in every project that it passes over.
    chosen = select(projects.c.id).select_from(_owned).where(*conditions)
    ids = _LISTING.part(chosen, order, total=total, offset=offset, limit=limit).scalar_subquery()
    page = _PROJECT.where(projects.c.id.in_(ids)).order_by(*sorted_by)
    rows = await conn.all(page, viewer=viewer_id(viewer)) if offset < total else []
    return await _projects(conn, rows), total


_CREATE = (
    insert(projects)
    .values(
        name=bindparam("name"),
        public=bindparam("public"),
        owner_id=bindparam("owner"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(projects.c.id)
)
_JOIN = insert(members).values(
    project_id=bindparam("project"),
    user_id=bindparam("user"),
    role=bindparam("role", type_=Integer),
    created_at=now_us(),
)
_LIMIT = insert(quotas).values(
    project_id=bindparam("project"), hard=bindparam("hard", type_=BigInteger), used=0
)


async def create(conn: Conn, wanted: Wanted, owner: User, by: Principal | None = None) -> int:
    """Make a project with its quota and `owner` as its first project administrator; its id.  `by`: who else asked for it.

    Needs a transaction.  Raises UniqueViolation when the name is taken, be it as somebody's former one.
    """
    project = int(await conn.scalar(_CREATE, name=wanted.name, public=wanted.public, owner=owner.id))
    await names.require_not_former(conn, wanted.name)
    await conn.run(_JOIN, project=project, user=owner.id, role=int(Role.PROJECT_ADMIN))
    await conn.run(_LIMIT, project=project, hard=wanted.storage_limit)
    for name, value in wanted.settings.items():
        await settings.keep(conn, project, name, value)
    if wanted.allowlist is not None:
        await allowlists.keep(conn, project, wanted.allowlist)
    payload = {"project_id": project, "name": wanted.name, "public": wanted.public, "by": (by or owner).name}
    await events.record(conn, f"project:{project}", "project.created", payload)
    return project


async def ensure_library(conn: Conn, owner: User) -> bool:
    """Make the public project `library` unless it is there; whether it was made.

    Needs a transaction.  Raises UniqueViolation when another process was quicker.
    """
    if await facts(conn, owner, LIBRARY) is not None:
        return False
    await create(conn, Wanted(LIBRARY, public=True), owner)
    return True


_LOCK_ANY = (
    select(projects.c.name, projects.c.public).where(projects.c.id == bindparam("project")).with_for_update()
)
_LOCK_ROW = _LOCK_ANY.where(LIVE)
_UPDATE = (
    update(projects)
    .where(projects.c.id == bindparam("project"))
    .values(public=bindparam("is_public"), updated_at=now_us())
)


async def lock(conn: Conn, project: int) -> None:
    """Let nobody else change the project until the transaction ends."""
    await conn.first(_LOCK_ROW, project=project)


_PUBLIC = select(projects.c.public).where(projects.c.id == bindparam("project"))


async def is_public(conn: Conn, project: int) -> bool:
    """Whether everybody may pull from it."""
    return bool(await conn.scalar(_PUBLIC, project=project))


async def change(conn: Conn, project: int, wanted: Change, by: Principal) -> bool:
    """Make a project public or private, set and remove settings; False when there is no such project.

    Needs a transaction.
    """
    row = await conn.first(_LOCK_ROW, project=project)
    if row is None:
        return False
    public = bool(row["public"]) if wanted.public is None else wanted.public
    await conn.run(_UPDATE, project=project, is_public=public)
    for name, value in wanted.settings.items():
        if value is None:
            await settings.drop(conn, project, name)
        else:
            await settings.keep(conn, project, name, value)
    if wanted.allowlist is not None:
        await allowlists.keep(conn, project, wanted.allowlist)
    payload = {"project_id": project, "name": row["name"], "public": public, "by": by.name}
    await events.record(conn, f"project:{project}", "project.updated", payload)
    return True


_HAS_REPOSITORIES = select(
    exists(select(literal(1)).where(repositories.c.project_id == bindparam("project")))
)
_some_links = (
    select(project_blobs.c.digest)
    .where(project_blobs.c.project_id == bindparam("project"))
    .order_by(project_blobs.c.digest)
    .limit(bindparam("limit"))
)
# Before their reviews, as everybody locks them.
_LOCK_LINKS = _some_links.with_for_update()
_review_links = upsert(gc_reviews).from_select(
    ["project_id", "digest", "reason", "review_at"],
    _some_links.with_only_columns(
        literal(0, type_=BigInteger),
        project_blobs.c.digest,
        literal("project deleted"),
        now_us() + bindparam("grace", type_=BigInteger),
    ),
)
# A review that is there is pushed on: the collector may be ending it just now, for the sake of the link that goes.
_REVIEW_LINKS = _review_links.on_conflict_do_update(
    index_elements=["project_id", "digest"],
    set_={
        "review_at": _review_links.excluded.review_at,
        "reason": _review_links.excluded.reason,
        "tries": 0,
    },
)
_DROP_LINKS = (
    delete(project_blobs)
    .where(
        project_blobs.c.project_id == bindparam("project"),
        project_blobs.c.digest.in_(_some_links.scalar_subquery()),
    )
    .returning(project_blobs.c.size)
)
_some_deleted = (
    select(deleted_artifacts.c.id)
    .where(deleted_artifacts.c.project_id == bindparam("project"))
    .order_by(deleted_artifacts.c.id)
    .limit(bindparam("limit"))
)
_DROP_DELETED = delete(deleted_artifacts).where(deleted_artifacts.c.id.in_(_some_deleted.scalar_subquery()))
_DELETE = delete(projects).where(projects.c.id == bindparam("project"))


async def empty(
    conn: Conn, project: int, *, grace_seconds: int, limit: int = 500, going: bool = False
) -> bool:
    """Let go of some of what a project stored, for the collector to review; whether there may be more.

    `going`: of one that is gone for everybody else.  To be called, each time in a transaction of its own, until it says
    no: a project may hold a million digests.  Raises PreconditionFailed while there are repositories in it.
    """
    if await _lock_empty(conn, project, going=going) is None:
        return False
    # Manifests that could be had back go for good: there is no place for them any more.
    if await conn.run(_DROP_DELETED, project=project, limit=limit) == limit:
        return True
    await conn.all(_LOCK_LINKS, project=project, limit=limit)
    await conn.run(_REVIEW_LINKS, project=project, limit=limit, grace=grace_seconds * SECOND)
    dropped = await conn.all(_DROP_LINKS, project=project, limit=limit)
    await ledger.charge(conn, project, -sum(row["size"] for row in dropped))
    return len(dropped) == limit


async def has_repositories(conn: Conn, project: int) -> bool:
    """Whether there is anything in it that keeps it from being deleted."""
    return bool(await conn.scalar(_HAS_REPOSITORIES, project=project))


async def remove(conn: Conn, project: int, by: Principal, *, grace_seconds: int) -> bool:
    """Delete a project without repositories; False when it is gone already.

    Its members, quota and uploads go with it.  Needs a transaction, after `empty` has said that there is no more.
    Raises PreconditionFailed while there are repositories in it.
    """
    name = await _lock_empty(conn, project, going=False)
    if name is None:
        return False
    while await empty(conn, project, grace_seconds=grace_seconds):
        pass  # pushed since: what the row's deletion takes along must have been reviewed
    await allowlists.drop(conn, project)
    await hold_less(conn, project)
    await conn.run(_DELETE, project=project)
    payload = {"project_id": project, "name": name, "by": by.name}
    await events.record(conn, f"project:{project}", "project.deleted", payload)
    return True


async def _lock_empty(conn: Conn, project: int, *, going: bool) -> str | None:
    # A push that makes a repository waits for this.
    name: str | None = await conn.scalar(_LOCK_ANY if going else _LOCK_ROW, project=project)
    if name is not None and await has_repositories(conn, project):
        raise PreconditionFailed(NOT_EMPTY)
    return name
