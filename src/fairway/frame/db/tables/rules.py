"""What people lay down about the tags of their projects."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, Table, Text, UniqueConstraint, false

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

immutable_rules = Table(
    "immutable_rules",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    # Of the six columns that follow, by which tags are chosen: no two rules of a project say the same.
    Column("fingerprint", Name, nullable=False),
    Column("tag_kind", Text, nullable=False),  # doublestar | regex | semver
    Column("tag_pattern", Text, nullable=False),
    Column("tag_excludes", Boolean, nullable=False),
    Column("repository_kind", Text, nullable=False),
    Column("repository_pattern", Text, nullable=False),  # of names without the project
    Column("repository_excludes", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("priority", Integer, nullable=False, server_default="0"),  # told, of no effect: every rule counts
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("project_id", "fingerprint"),
    sqlite_autoincrement=True,
)
