"""In which projects a robot was granted something, and which of them a person's token covers, as conditions."""

import json
from typing import Final

from sqlalchemy import ColumnElement, literal
from sqlalchemy import false as sql_false
from sqlalchemy import true as sql_true

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.may import projects_where
from fairway.frame.access.principals import Robot, User
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
