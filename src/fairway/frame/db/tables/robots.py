"""Robots: accounts of programs, with what each of them was granted.

`project_id` of a robot is NULL at the system level.  A grant is of kind `system`, or of kind `project` and then in one
project or, with NULL, in every one.  What belongs to a project goes with it.  Ids are never given twice: tokens carry them.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

_OF_SYSTEM = text("project_id IS NULL")

robots = Table(
    "robots",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE")),
    Column("name", Name, nullable=False),  # without prefix and project
    Column("description", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("duration", Integer, nullable=False),  # days, -1 for ever
    Column("expires_at", Micros),  # NULL: never
    Column("version", Integer, nullable=False, server_default="1"),  # moves with every change
    Column("creator_type", Name, nullable=False),  # local: a person; robot
    Column("creator_ref", Id, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("project_id", "name"),
    Index("uq_robots_name", "name", unique=True, sqlite_where=_OF_SYSTEM, postgresql_where=_OF_SYSTEM),
    sqlite_autoincrement=True,
)

robot_permissions = Table(
    "robot_permissions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("robot_id", Id, ForeignKey("robots.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Name, nullable=False),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE")),
    Column("resource", Name, nullable=False),
    Column("action", Name, nullable=False),
    Column("repositories", Text),  # patterns with spaces between them; NULL: all of the project
    Index(None, "robot_id"),
    Index(None, "project_id"),
    sqlite_autoincrement=True,
)
