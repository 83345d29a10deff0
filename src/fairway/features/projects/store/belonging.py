"""Who belongs to which project, by themselves and by the groups they are in: the SQL that every question about rights has.

All of it is part of a statement about projects, so that rights are read together with what they are about.  Whoever is in no
group costs one look into an index for that.
"""

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, func, literal_column, select

from fairway.frame.access.roles import Role
from fairway.frame.db import Row
from fairway.frame.db.tables import members, projects, user_group_members

viewer = bindparam("viewer", type_=BigInteger)
"""The user it is about: statements with anything of this page take `viewer`."""

membership = projects.outerjoin(
    members, and_(members.c.project_id == projects.c.id, members.c.user_id == viewer)
)
"""Projects, each with the `viewer`'s own row in its members, if there is one."""

_by_group = members.alias("by_group")
_groups = user_group_members.join(_by_group, _by_group.c.group_id == user_group_members.c.group_id)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value))


def _bit(role: Role) -> ColumnElement[int]:
    has_it = case((_by_group.c.role == _number(int(role)), _number(1 << role)), else_=_number(0))
    return func.max(has_it)


group_roles = (
    select(reduce(add, map(_bit, Role)))
    .select_from(_groups)
    .where(user_group_members.c.user_id == viewer, _by_group.c.project_id == projects.c.id)
    .correlate(projects)
    .scalar_subquery()
    .label("group_roles")
)
"""Of a project: the roles that the `viewer` has by groups, a bit for each; null for none."""


def roles(row: Row) -> frozenset[Role]:
    """The roles in a row with `role`, of `membership`, and `group_roles`."""
    by_group = row["group_roles"] or 0
    found = {role for role in Role if by_group >> role & 1}
    return frozenset(found if row["role"] is None else {*found, Role(row["role"])})


def projects_of(who: ColumnElement[int] | int, holding: Iterable[Role] = Role) -> Any:
    """The ids of projects that somebody belongs to with one of these roles, by themselves or by a group; to be compared
    with `in_`."""
    wanted = [_number(int(role)) for role in sorted(holding)]
    own: Select[Any] = select(members.c.project_id).where(
        members.c.user_id == who, members.c.role.in_(wanted)
    )
    by_group: Select[Any] = (
        select(_by_group.c.project_id)
        .select_from(_groups)
        .where(user_group_members.c.user_id == who, _by_group.c.role.in_(wanted))
    )
    return own.union_all(by_group)
