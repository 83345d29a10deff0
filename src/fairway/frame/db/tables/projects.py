"""Projects, their settings, their members and their quota.

`project_metadata` has the settings that Harbor calls metadata, as text; whether a project is public is a column, for every
decision about rights asks it.
A project that was renamed keeps its former names in `project_aliases`.  No name is in both tables: whoever takes one looks
into the other after that.
A project with `deleted_at` is gone for everybody: its row is only there for what was in it, until a job has removed that.
It has a name that nobody can ask for, no members, no robots and no quota.
`quotas.hard` is bytes, -1 for no limit.  A project without a limit never touches its quota row on a push: it appends
to `quota_deltas`, which are folded into `used` in the background, so that a busy project has no hot row.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

_CUSTOM = text("role >= 100")
_GOING = text("deleted_at IS NOT NULL")

projects = Table(
    "projects",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Name, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Column("deleted_at", Micros),
    UniqueConstraint("name"),
    Index(None, "owner_id"),
    Index("ix_projects_deleted", "id", sqlite_where=_GOING, postgresql_where=_GOING),
    sqlite_autoincrement=True,
)

project_aliases = Table(
    "project_aliases",
    metadata,
    Column("name", Name, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Micros, nullable=False),
    Index(None, "project_id"),
)

project_metadata = Table(
    "project_metadata",
    metadata,
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("value", Text, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE")),  # a person, or
    Column("group_id", Id, ForeignKey("user_groups.id", ondelete="CASCADE")),  # a group of people
    Column("role", Integer, nullable=False),  # one of the five, or from 100 on of `roles`
    Column("repositories", Text),  # patterns with spaces between them; NULL: all of the project
    Column("created_at", Micros, nullable=False),
    UniqueConstraint("project_id", "user_id"),
    UniqueConstraint("project_id", "group_id"),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_entity"),
    Index(None, "user_id"),
    Index(None, "group_id"),
    Index("ix_members_custom_role", "role", sqlite_where=_CUSTOM, postgresql_where=_CUSTOM),
    sqlite_autoincrement=True,
)

quotas = Table(
    "quotas",
    metadata,
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("hard", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("changed_at", Micros),
)

quota_deltas = Table(
    "quota_deltas",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("delta", BigInteger, nullable=False),
    Index(None, "project_id"),
    sqlite_autoincrement=True,
)
