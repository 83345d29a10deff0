"""Which projects and repositories somebody sees, and in which they hold something, as conditions.

Who sees which project is said here once, in `visible_to`, and who sees which repository in `shown_to`.  What was granted in a
project that was deleted since may still be remembered: it opens nothing.
"""

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select, update
from sqlalchemy import false as sql_false
from sqlalchemy import true as sql_true

from fairway.features.projects.store import belonging
from fairway.features.projects.store.belonging import GOING, LIVE, projects_of
from fairway.frame.access.catalogue import PROJECT_LIST, PROJECT_READ, REPOSITORY_LIST, Permission
from fairway.frame.access.may import may, projects_where, repositories_where
from fairway.frame.access.narrowing import Span, span
from fairway.frame.access.principals import Principal, Robot, User
from fairway.frame.db import Conn
from fairway.frame.db.tables import projects, repositories, robot_permissions, robots
from fairway.frame.db.types import within_ids

_SOME_PROJECT: Final = 1


def visible_to(viewer: Principal) -> ColumnElement[bool]:
    """Public projects and the viewer's own; every project for a system administrator, and a robot that may list them."""
    if isinstance(viewer, Robot):
        every = sql_true() if may(viewer, PROJECT_LIST) else granted(viewer, PROJECT_READ, projects.c.id)
        return and_(LIVE, or_(projects.c.public, every))
    if not isinstance(viewer, User):
        return and_(LIVE, projects.c.public)
    own = sql_true() if viewer.sysadmin else projects.c.id.in_(projects_of(viewer.id))
    return and_(LIVE, or_(projects.c.public, and_(own, covered(viewer, PROJECT_READ, projects.c.id))))


def listable_by(viewer: Principal, permission: Permission = REPOSITORY_LIST) -> ColumnElement[bool]:
    """The projects of which the viewer may list all repositories, or do with all of them what `permission` says."""
    if isinstance(viewer, Robot):
        return and_(LIVE, or_(projects.c.public, granted(viewer, permission, projects.c.id)))
    if not isinstance(viewer, User):
        return and_(LIVE, projects.c.public)
    own = sql_true() if viewer.sysadmin else projects.c.id.in_(projects_of(viewer.id, permission))
    return and_(LIVE, or_(projects.c.public, and_(own, covered(viewer, permission, projects.c.id))))


def lists_every(viewer: Principal) -> bool:
    """Whether `listable_by` this viewer is every project that is there."""
    return isinstance(viewer, User) and viewer.sysadmin and viewer.scope is None


def shown_to(viewer: Principal, permission: Permission = REPOSITORY_LIST) -> ColumnElement[bool]:
    """Of repositories with their projects: those that the viewer may list, or do with what `permission` says."""
    whole = listable_by(viewer, permission)
    return or_(whole, narrowly(viewer, permission, repositories.c.project_id, repositories.c.name))


def granted(robot: Robot, permission: Permission, project: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a robot was granted this in the project whose id is in the column `project`."""
    where = projects_where(robot, permission)
    return sql_true() if where is None else within_ids(project, literal(json.dumps(sorted(where))))


def covered(person: User, permission: Permission, project: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the token they came with, if they came with one, covers this in the project whose id is in `project`."""
    scope = person.scope
    if scope is None:
        return sql_true()
    if scope.projects is None:
        return sql_true() if scope.covers(permission, _SOME_PROJECT) else sql_false()
    where = [each for each in scope.projects if scope.covers(permission, each)]
    return within_ids(project, literal(json.dumps(sorted(where))))


def named(patterns: Iterable[str], name: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the repository whose name is in the column `name` is one of those that the patterns mean."""
    return or_(sql_false(), *(_within(span(each), name) for each in patterns))


def _within(names: Span, name: ColumnElement[str]) -> ColumnElement[bool]:
    if names.whole:
        return name == names.start
    found: list[ColumnElement[bool]] = [sql_true()]
    if names.start:  # a range, which an index of names has together
        found += [name >= names.start, name < names.start[:-1] + chr(ord(names.start[-1]) + 1)]
    if names.flat:
        found.append(~func.substr(name, len(names.start) + 1).contains("/"))
    return and_(*found)


def narrowly(
    viewer: Principal, permission: Permission, project: ColumnElement[int], name: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether they hold this for the repository `name` of `project`, though not for all that are there."""
    if isinstance(viewer, Robot):
        where = repositories_where(viewer.narrowed, permission)
        found = or_(sql_false(), *(and_(project == each, named(only, name)) for each, only in where.items()))
        return and_(project.not_in(GOING), found)
    if isinstance(viewer, User) and not viewer.sysadmin:
        held = belonging.partly(viewer.id, permission, project, name)
        return and_(held, covered(viewer, permission, project))
    return sql_false()


def somewhere(viewer: Principal, permission: Permission, project: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether they hold this for some repositories of `project`."""
    if isinstance(viewer, Robot):
        where = repositories_where(viewer.narrowed, permission)
        return and_(project.not_in(GOING), within_ids(project, literal(json.dumps(list(where)))))
    if isinstance(viewer, User) and not viewer.sysadmin:
        held = project.in_(belonging.partly_of(viewer.id, permission))
        return and_(held, covered(viewer, permission, project))
    return sql_false()


_HOLDERS = select(robot_permissions.c.robot_id).where(robot_permissions.c.project_id == bindparam("project"))
_HOLD_LESS = update(robots).where(robots.c.id.in_(_HOLDERS)).values(version=robots.c.version + 1)


async def hold_less(conn: Conn, project: int) -> None:
    """Say to all processes, which remember what robots hold, that a project with grants goes.  Needs a transaction."""
    await conn.run(_HOLD_LESS, project=project)
