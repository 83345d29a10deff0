"""In which projects, and in which repositories of them, a robot was granted something, and which of them a person's token
covers, as conditions.

What was granted in a project that was deleted since may still be remembered: it opens nothing.
"""

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select, update
from sqlalchemy import false as sql_false
from sqlalchemy import true as sql_true

from fairway.features.projects.store.belonging import GOING
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.may import projects_where, repositories_where
from fairway.frame.access.narrowing import Span, span
from fairway.frame.access.principals import Principal, Robot, User
from fairway.frame.db import Conn
from fairway.frame.db.tables import robot_permissions, robots
from fairway.frame.db.types import within_ids

_SOME_PROJECT: Final = 1


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
    """Whether this was granted for the repository `name` of `project`, though not for all that are there."""
    if not isinstance(viewer, Robot) or not viewer.narrowed:
        return sql_false()
    where = repositories_where(viewer, permission)
    found = or_(sql_false(), *(and_(project == each, named(only, name)) for each, only in where.items()))
    return and_(project.not_in(GOING), found)


def somewhere(viewer: Principal, permission: Permission, project: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether this was granted for some repositories of `project`."""
    if not isinstance(viewer, Robot) or not viewer.narrowed:
        return sql_false()
    where = list(repositories_where(viewer, permission))
    return and_(project.not_in(GOING), within_ids(project, literal(json.dumps(where))))


_HOLDERS = select(robot_permissions.c.robot_id).where(robot_permissions.c.project_id == bindparam("project"))
_HOLD_LESS = update(robots).where(robots.c.id.in_(_HOLDERS)).values(version=robots.c.version + 1)


async def hold_less(conn: Conn, project: int) -> None:
    """Say to all processes, which remember what robots hold, that a project with grants goes.  Needs a transaction."""
    await conn.run(_HOLD_LESS, project=project)
