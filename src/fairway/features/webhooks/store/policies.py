"""Policies of webhooks: what of a project is told, and to whom."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from fairway.features.projects.store.belonging import keep as keep_project
from fairway.features.webhooks import selectors
from fairway.features.webhooks.model import Policy, Wanted, WantedTarget
from fairway.features.webhooks.store import targets
from fairway.features.webhooks.store.deliveries import OPEN
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import (
    projects,
    webhook_deliveries,
    webhook_policies,
    webhook_targets,
    webhook_triggers,
)
from fairway.frame.db.types import within_ids
from fairway.frame.sealing import Sealer

_table = webhook_policies
_BY_ID = select(_table).where(_table.c.project_id == bindparam("project"), _table.c.id == bindparam("policy"))
_LOCK = _BY_ID.with_for_update()
_OF_PROJECT = select(_table).where(_table.c.project_id == bindparam("project")).order_by(_table.c.id)
_ENABLED = _OF_PROJECT.where(_table.c.enabled)
# Whoever changes or removes one of them waits.
_KEEP = (
    select(_table)
    .where(within_ids(_table.c.id, bindparam("policies")), _table.c.enabled)
    .order_by(_table.c.id)
    .with_for_update(read=True)
)
_COUNT = select(func.count()).select_from(_table).where(_table.c.project_id == bindparam("project"))
_said = {
    "name": bindparam("new_name"),
    "description": bindparam("new_description"),
    "event_types": bindparam("new_types"),
    "tag_selectors": bindparam("new_tags"),
    "repository_selectors": bindparam("new_repositories"),
    "enabled": bindparam("is_enabled"),
    "updated_at": now_us(),
}
_CREATE = (
    insert(_table)
    .values(**_said, project_id=bindparam("project"), creator=bindparam("creator"), created_at=now_us())
    .returning(_table.c.id)
)
_CHANGE = update(_table).where(_table.c.id == bindparam("policy")).values(**_said)
_REMOVE = delete(_table).where(_table.c.id == bindparam("policy"))
_FORGET_TRIGGERS = delete(webhook_triggers).where(webhook_triggers.c.policy_id == bindparam("policy"))
_DISABLE = update(_table).where(_table.c.project_id == bindparam("project")).values(enabled=False)
_PROJECT_NAME = select(projects.c.name).where(projects.c.id == bindparam("project"))
_LISTING = Listing(
    {
        "id": Field(_table.c.id),
        "name": Field(_table.c.name),
        "description": Field(_table.c.description),
        "enabled": Field(_table.c.enabled),
        "creator": Field(_table.c.creator),
        "creation_time": Field(_table.c.created_at, moment=True),
        "update_time": Field(_table.c.updated_at, moment=True),
    },
    default=[("creation_time", True)],
    tie=_table.c.id,
)


def _policy(row: Row) -> Policy:
    return Policy(
        id=row["id"],
        project=row["project_id"],
        name=row["name"],
        description=row["description"],
        event_types=tuple(json.loads(row["event_types"])),
        tags=selectors.opened(row["tag_selectors"], selectors.OF_TAGS),
        repositories=selectors.opened(row["repository_selectors"], selectors.OF_REPOSITORIES),
        enabled=bool(row["enabled"]),
        creator=row["creator"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def by_id(conn: Conn, project: int, policy: int, *, lock: bool = False) -> Policy | None:
    """A policy of the project; with `lock`, nobody else changes it, or tells by it, until the transaction ends."""
    row = await conn.first(_LOCK if lock else _BY_ID, project=project, policy=policy)
    return None if row is None else _policy(row)


async def of_project(conn: Conn, project: int) -> list[Policy]:
    """All of them; a project has a hundred at most."""
    return [_policy(row) for row in await conn.all(_OF_PROJECT, project=project)]


async def listed(
    conn: Conn, project: int, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Policy], int]:
    """One page of them, the newest first, and how many there are.

    Raises BadRequest for a value that its field cannot have.
    """
    conditions = [_table.c.project_id == project, *_LISTING.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(_table).where(*conditions)))
    page: Any = select(_table).where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [_policy(row) for row in rows], total


async def wanting(conn: Conn, project: int, types: frozenset[str]) -> list[Policy]:
    """The enabled policies of a project that want one of these types of events; nobody changes them until the
    transaction ends.  Where there are none it is one look into an index."""
    rows = await conn.all(_ENABLED, project=project)
    found = [row["id"] for row in rows if types & set(json.loads(row["event_types"]))]
    if not found:
        return []
    return [_policy(row) for row in await conn.all(_KEEP, policies=json.dumps(found))]


async def count(conn: Conn, project: int) -> int:
    """How many a project has."""
    return int(await conn.scalar(_COUNT, project=project))


async def create(
    conn: Conn,
    project: int,
    wanted: Wanted,
    settled: Sequence[WantedTarget],
    by: Principal,
    sealer: Sealer,
) -> int:
    """Make a policy with these targets; its id.

    Needs a transaction.  Raises UniqueViolation when there is one of this name, ReferenceViolation when the project is
    gone.
    """
    await keep_project(conn, project)
    made = int(await conn.scalar(_CREATE, **_columns(wanted, None), project=project, creator=by.name))
    await targets.replace(conn, made, [(each, None) for each in settled], sealer)
    await _record(conn, "created", project, made, wanted.name, by)
    return made


async def change(
    conn: Conn,
    before: Policy,
    wanted: Wanted,
    pairs: Sequence[targets.Pair],
    by: Principal,
    sealer: Sealer,
) -> None:
    """Let a policy that is locked say something else; `pairs`: its targets, each with the one it is a change of.

    Needs a transaction.  Raises UniqueViolation when there is another one of this name.
    """
    await conn.run(_CHANGE, **_columns(wanted, before), policy=before.id)
    await targets.replace(conn, before.id, pairs, sealer)
    await _record(conn, "updated", before.project, before.id, wanted.name, by)


async def remove(conn: Conn, policy: Policy, by: Principal) -> None:
    """Remove a policy that is locked; what was told by it goes after it, bit by bit.  Needs a transaction."""
    await _forget(conn, policy.id)
    await _record(conn, "deleted", policy.project, policy.id, policy.name, by)


async def _forget(conn: Conn, policy: int) -> None:
    await conn.run(_REMOVE, policy=policy)
    await conn.run(_FORGET_TRIGGERS, policy=policy)
    await targets.remove_all(conn, policy)


_open = (
    select(webhook_deliveries.c.id)
    .join(webhook_targets, webhook_targets.c.id == webhook_deliveries.c.target_id)
    .where(webhook_targets.c.policy_id == _table.c.id, OPEN)
    .correlate(_table)
)
_live = select(projects.c.id).where(projects.c.id == _table.c.project_id, projects.c.deleted_at.is_(None))
_LEFT = (
    select(_table.c.id)
    .where(~_table.c.enabled, ~exists(_live), ~exists(_open))
    .order_by(_table.c.id)
    .limit(bindparam("most"))
)


async def forget_left(conn: Conn, most: int) -> int:
    """Forget some policies of projects that are gone, when all that was to be told of them is; how many.

    Needs a transaction.  That a project is gone is told by those that are enabled, which `disable_all` ends.
    """
    left = [row["id"] for row in await conn.all(_LEFT, most=most)]
    for policy in left:
        await _forget(conn, policy)
    return len(left)


async def disable_all(conn: Conn, project: int) -> None:
    """Let nothing be told of a project any more, which is gone.  Needs a transaction."""
    await conn.run(_DISABLE, project=project)


def _columns(wanted: Wanted, before: Policy | None) -> dict[str, Any]:
    kept_tags, kept_repositories = (before.tags, before.repositories) if before else ((), ())
    tags = kept_tags if wanted.tags is None else wanted.tags
    repositories = kept_repositories if wanted.repositories is None else wanted.repositories
    return {
        "new_name": wanted.name,
        "new_description": wanted.description,
        "new_types": json.dumps(wanted.event_types),
        "new_tags": selectors.kept(tags, selectors.OF_TAGS),
        "new_repositories": selectors.kept(repositories, selectors.OF_REPOSITORIES),
        "is_enabled": wanted.enabled,
    }


async def _record(conn: Conn, what: str, project: int, policy: int, name: str, by: Principal) -> None:
    payload = {
        "project_id": project,
        "project": await conn.scalar(_PROJECT_NAME, project=project),
        "policy_id": policy,
        "name": name,
        "by": by.name,
    }
    await events.record(conn, f"project:{project}", f"webhook.{what}", payload)
