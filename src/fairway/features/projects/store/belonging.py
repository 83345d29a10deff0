"""Who belongs to which project, by themselves and by the groups they are in: the SQL that every question about rights has.

All of it is part of a statement about projects, so that rights are read together with what they are about.  Whoever is in no
group costs one look into an index for that.

A membership may be for some repositories only.  Then what its role holds about repositories is held for those, and the rest
of the role not at all.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy import true as sql_true

from fairway.frame.access.catalogue import PROJECT_READ, Permission
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.narrowing import is_narrowable, read
from fairway.frame.access.principals import Narrowed
from fairway.frame.access.roles import FIRST_CUSTOM, HELD, Role, strongest
from fairway.frame.db import Conn, ReferenceViolation, Row
from fairway.frame.db.tables import members, projects, role_permissions, user_group_members
from fairway.frame.db.types import fits_one_of, together

viewer = bindparam("viewer", type_=BigInteger)
"""The user it is about: statements with anything of this page take `viewer`."""

LIVE: Final = projects.c.deleted_at.is_(None)
"""The condition of projects that are there: of the others only what was in them is left, for a job to remove."""

_going = projects.alias("going")
GOING: Final = select(_going.c.id).where(_going.c.deleted_at.is_not(None))
"""The ids of those others, of which there are few, with an index of their own."""

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


_nothing: ColumnElement[str] = literal_column("''")
_space: ColumnElement[str] = literal_column("' '")
_comma: ColumnElement[str] = literal_column("','")
_colon: ColumnElement[str] = literal_column("':'")
_equals: ColumnElement[str] = literal_column("'='")


def _for(role: ColumnElement[int], repositories: ColumnElement[str]) -> ColumnElement[str]:
    """A role's id, and the patterns if it is for some repositories only: `2` or `2=team-a/**,team-b/app`."""
    patterns = _equals.concat(func.replace(repositories, _space, _comma))
    return cast(role, Text).concat(func.coalesce(patterns, _nothing))


_permission = role_permissions.c.resource.concat(_colon).concat(role_permissions.c.action)
_of_viewers_groups = (
    user_group_members.c.user_id == viewer,
    _by_group.c.project_id == projects.c.id,
)

_group_roles = (
    select(together(_for(_by_group.c.role, _by_group.c.repositories)))
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
    select(together(cast(role_permissions.c.role_id, Text).concat(_colon).concat(_permission)))
    .select_from(_groups.join(role_permissions, role_permissions.c.role_id == _by_group.c.role))
    .where(*_of_viewers_groups)
    .correlate(projects)
    .scalar_subquery()
    .label("group_more")
)

RIGHTS: Final = (
    members.c.role,
    members.c.repositories.label("own_only"),
    _group_roles,
    _own_more,
    _group_more,
)
"""Columns of a statement over `membership`: what the `viewer`'s rights in the project are read from."""


class Rights(NamedTuple):
    """What memberships in a project give: `roles`, by id, for all that is in it, `more`, what those of them hold that were
    made here, and `narrowed`, what is held for the repositories of some patterns only."""

    roles: frozenset[int]
    more: frozenset[Permission]
    narrowed: frozenset[tuple[Permission, tuple[str, ...]]]

    def narrowed_in(self, project: int) -> frozenset[Narrowed]:
        """The same as it is decided by."""
        return frozenset(Narrowed(project, permission, only) for permission, only in self.narrowed)


def rights(row: Row) -> Rights:
    """What a row with RIGHTS gives the viewer, by themselves and by groups."""
    return _rights(row["role"], row["own_only"], row["own_more"], row["group_roles"], row["group_more"])


def facts(row: Row) -> ProjectFacts:
    """What a row of a project with RIGHTS says for decisions."""
    given = rights(row)
    return ProjectFacts(
        row["id"],
        bool(row["public"]),
        strongest(given.roles),
        given.more,
        given.narrowed_in(row["id"]),
        row["name"],
    )


@lru_cache(maxsize=1024)
def _rights(
    role: int | None,
    only: str | None,
    own_more: str | None,
    group_roles: str | None,
    group_more: str | None,
) -> Rights:
    given: list[tuple[int, tuple[str, ...]]] = [] if role is None else [(role, read(only))]
    made_here: dict[int, set[Permission]] = {}
    for text in (group_roles or "").split():
        number, _, patterns = text.partition("=")
        given.append((int(number), read(patterns.replace(",", " ") or None)))
    for text in (group_more or "").split():
        number, _, held = text.partition(":")
        made_here.setdefault(int(number), set()).add(Permission(*held.split(":", 1)))
    if role is not None:
        own = {Permission(*each.split(":", 1)) for each in (own_more or "").split()}
        made_here.setdefault(role, set()).update(own)
    return Rights(
        roles=frozenset(number for number, patterns in given if not patterns),
        more=frozenset(
            each for number, patterns in given if not patterns for each in made_here.get(number, ())
        ),
        narrowed=frozenset(
            (each, patterns)
            for number, patterns in given
            if patterns
            for each in _held(number) | made_here.get(number, set())
            if is_narrowable(each)
        ),
    )


def _held(number: int) -> frozenset[Permission]:
    return HELD[Role(number)] if number < FIRST_CUSTOM else frozenset()


def _holds(role: ColumnElement[int], permission: Permission) -> ColumnElement[bool]:
    built_in = [_number(int(each)) for each in sorted(Role) if permission in HELD[each]]
    made_here = select(role_permissions.c.role_id).where(
        role_permissions.c.resource == literal(permission.resource),
        role_permissions.c.action == literal(permission.action),
    )
    return or_(role.in_(built_in), and_(role >= _number(FIRST_CUSTOM), role.in_(made_here)))


def projects_of(who: ColumnElement[int] | int, permission: Permission = PROJECT_READ) -> Any:
    """The ids of projects where somebody has a role that holds this for all that is in the project, by themselves or by a
    group; to be compared with `in_`.  A project itself is read by who has some of its repositories, too."""
    if permission == PROJECT_READ:
        return _projects(who, permission, lambda _: sql_true())
    return _projects(who, permission, lambda only: only.is_(None))


def partly_of(who: ColumnElement[int] | int, permission: Permission) -> Any:
    """The ids of projects where somebody has a role that holds this for some repositories only, as `projects_of`."""
    return _projects(who, permission, lambda only: only.is_not(None))


def _projects(
    who: ColumnElement[int] | int,
    permission: Permission,
    wanted: Callable[[ColumnElement[str]], ColumnElement[bool]],
) -> Any:
    own: Select[Any] = select(members.c.project_id).where(
        members.c.user_id == who, _holds(members.c.role, permission), wanted(members.c.repositories)
    )
    by_group: Select[Any] = (
        select(_by_group.c.project_id)
        .select_from(_groups)
        .where(
            user_group_members.c.user_id == who,
            _holds(_by_group.c.role, permission),
            wanted(_by_group.c.repositories),
        )
    )
    return own.union_all(by_group)


def partly(
    who: int, permission: Permission, project: ColumnElement[int], name: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether somebody's role holds this for the repository `name` of `project`, though not for all that are there.

    `permission` is one that can be narrowed.
    """
    own = (
        select(literal(1))
        .select_from(members)
        .where(
            members.c.project_id == project,
            members.c.user_id == who,
            _holds(members.c.role, permission),
            fits_one_of(name, members.c.repositories),
        )
        .correlate_except(members)
    )
    by_group = (
        select(literal(1))
        .select_from(_groups)
        .where(
            _by_group.c.project_id == project,
            user_group_members.c.user_id == who,
            _holds(_by_group.c.role, permission),
            fits_one_of(name, _by_group.c.repositories),
        )
        .correlate_except(user_group_members, _by_group)
    )
    # First the projects, once for the statement: there are few, and then the names in these.
    return and_(project.in_(partly_of(who, permission)), or_(own.exists(), by_group.exists()))
