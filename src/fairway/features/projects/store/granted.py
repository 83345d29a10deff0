"""In which projects a robot was granted something, as a condition."""

import json

from sqlalchemy import ColumnElement, literal
from sqlalchemy import true as sql_true

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.may import projects_where
from fairway.frame.access.principals import Robot
from fairway.frame.db.types import within_ids


def granted(robot: Robot, permission: Permission, project: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a robot was granted this in the project whose id is in the column `project`."""
    where = projects_where(robot, permission)
    return sql_true() if where is None else within_ids(project, literal(json.dumps(sorted(where))))
