"""Who belongs to which project, by themselves and by the groups they are in: the SQL that every question about rights has.

All of it is part of a statement about projects, so that rights are read together with what they are about.  Whoever is in no
group costs one look into an index for that.
"""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    literal,
    literal_column,
    or_,
    select,
)

from fairway.frame.access.catalogue import PROJECT_READ, Permission
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.roles import FIRST_CUSTOM, HELD, Role, strongest
from fairway.frame.db import Conn, ReferenceViolation, Row
from fairway.frame.db.tables import members, projects, role_permissions, user_group_members
from fairway.frame.db.types import together

viewer = bindparam("viewer", type_=BigInteger)
"""The user it is about: statements with anything of this page take `viewer`."""

LIVE: Final = projects.c.deleted_at.is_(None)
"""The condition of projects that are there: of the others only what was in them is left, for a job to remove."""

_KEEP = (
    select(projects.c.id)
    .where(projects.c.id == bindparam("project"), LIVE)
    .with_for_update(read=True, key_share=True)
)


async def keep(conn: Conn, project: int | None) -> None:
    """Let nobody delete the project, if there is one, until the transaction ends, with all that is in it or without.

    For whoever makes something in it.  Raises ReferenceViolation when it is gone, though its row may still be there.
    """
    if project is not None and await conn.first(_KEEP, project=project) is None:
        raise ReferenceViolation("the project is gone")


membership = projects.outerjoin(
    members, and_(members.c.project_id == projects.c.id, members.c.user_id == viewer)
)
"""Projects, each with the `viewer`'s own row in its members, if there is one."""

_by_group = members.alias("by_group")
_groups = user_group_members.join(_by_group, _by_group.c.group_id == user_group_members.c.group_id)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value))


_colon: ColumnElement[str] = literal_column("':'")
_permission = role_permissions.c.resource.concat(_colon).concat(role_permissions.c.action)
_of_viewers_groups = (
    user_group_members.c.user_id == viewer,
    _by_group.c.project_id == projects.c.id,
)

_group_roles = (
    select(together(cast(_by_group.c.role, Text)))
    .select_from(_groups)
    .where(*_of_viewers_groups)
    .correlate(projects)
    .scalar_subquery()
    .label("group_roles")
)
_own_more = (
    select(together(_permission))
    .where(role_permissions.c.role_id == members.c.role)
    .correlate(members)
    .scalar_subquery()
    .label("own_more")
)
_group_more = (
    select(together(_permission))
    .select_from(_groups.join(role_permissions, role_permissions.c.role_id == _by_group.c.role))
    .where(*_of_viewers_groups)
    .correlate(projects)
    .scalar_subquery()
    .label("group_more")
)

RIGHTS: Final = (members.c.role, _group_roles, _own_more, _group_more)
"""Columns of a statement over `membership`: what the `viewer`'s rights in the project are read from."""


def roles(row: Row) -> frozenset[int]:
    """The ids of the roles in a row with RIGHTS, own and by groups."""
    found = {int(each) for each in (row["group_roles"] or "").split()}
    return frozenset(found if row["role"] is None else {*found, row["role"]})


def more(row: Row) -> frozenset[Permission]:
    """What those roles in a row with RIGHTS hold that were made here."""
    return _parsed(row["own_more"] or "") | _parsed(row["group_more"] or "")


def facts(row: Row) -> ProjectFacts:
    """What a row of a project with RIGHTS says for decisions."""
    return ProjectFacts(row["id"], bool(row["public"]), strongest(roles(row)), more(row), row["name"])


@lru_cache(maxsize=256)
def _parsed(text: str) -> frozenset[Permission]:
    return frozenset(Permission(*each.split(":", 1)) for each in text.split())


def _holds(role: ColumnElement[int], permission: Permission) -> ColumnElement[bool]:
    built_in = [_number(int(each)) for each in sorted(Role) if permission in HELD[each]]
    made_here = select(role_permissions.c.role_id).where(
        role_permissions.c.resource == literal(permission.resource),
        role_permissions.c.action == literal(permission.action),
    )
    return or_(role.in_(built_in), and_(role >= _number(FIRST_CUSTOM), role.in_(made_here)))


def projects_of(who: ColumnElement[int] | int, permission: Permission = PROJECT_READ) -> Any:
    """The ids of projects where somebody has a role that holds this, by themselves or by a group; to be compared with
    `in_`."""
    own: Select[Any] = select(members.c.project_id).where(
        members.c.user_id == who, _holds(members.c.role, permission)
    )
    by_group: Select[Any] = (
        select(_by_group.c.project_id)
        .select_from(_groups)
        .where(user_group_members.c.user_id == who, _holds(_by_group.c.role, permission))
    )
    return own.union_all(by_group)
