"""Labels: words that people hang on artifacts, for the whole server or for one project, and where they hang."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

_GLOBAL = text("project_id IS NULL")
_OF_PROJECT = text("project_id IS NOT NULL")

labels = Table(
    "labels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE")),  # null: of the whole server
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("color", Text, nullable=False, server_default=""),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Index("ix_labels_global", "name", unique=True, sqlite_where=_GLOBAL, postgresql_where=_GLOBAL),
    Index(
        "ix_labels_in_project",
        "project_id",
        "name",
        unique=True,
        sqlite_where=_OF_PROJECT,
        postgresql_where=_OF_PROJECT,
    ),
    sqlite_autoincrement=True,
)

artifact_labels = Table(
    "artifact_labels",
    metadata,
    Column("artifact_id", Id, ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", Id, ForeignKey("labels.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Micros, nullable=False),
    Index(None, "label_id", "artifact_id"),
)
