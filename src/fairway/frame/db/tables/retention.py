"""Retention: the policies, and what each run decided.

```text
retention_policies (one of a project, one of the server) ── executions (kind RETENTION, owner: the policy)
                                                              └── retention_results, one of each repository
                                                                    ├── retention_lines: what was decided, some at a time
                                                                    └── retention_doomed: what is still to be deleted
```
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

_OF_SERVER = text("project_id IS NULL")

retention_policies = Table(
    "retention_policies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE")),  # NULL: the one of the server
    Column("level", Name, nullable=False),  # project | system
    Column("rules", Text, nullable=False),  # JSON object: the mode and the rules
    Column("cron", Text, nullable=False),  # "" for no schedule
    Column("version", Integer, nullable=False, server_default="1"),  # grows with every change
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("project_id"),
    Index(
        "ix_retention_policies_system",
        "level",
        unique=True,
        sqlite_where=_OF_SERVER,
        postgresql_where=_OF_SERVER,
    ),
    sqlite_autoincrement=True,
)

# Projects that do not want the policy of the server.
retention_exemptions = Table(
    "retention_exemptions",
    metadata,
    Column("project_id", Id, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Micros, nullable=False),
)

# No foreign keys to projects and repositories: it speaks of what may be gone.
retention_results = Table(
    "retention_results",
    metadata,
    Column("id", Id, primary_key=True),
    Column("execution_id", Id, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Id, nullable=False),
    Column("repository_id", Id, nullable=False),
    Column("repository", Name, nullable=False),  # its full name
    Column("status", Text, nullable=False),  # Running | Success | Error | Stopped
    Column("message", Text, nullable=False, server_default=""),
    Column("decided", Boolean, nullable=False, server_default=false()),  # all of it was looked at
    Column("total", Integer, nullable=False, server_default="0"),
    Column("retained", Integer, nullable=False, server_default="0"),
    Column("gone", Integer, nullable=False, server_default="0"),  # deleted by this run
    Column("kept_lines", Integer, nullable=False, server_default="0"),
    Column("other_lines", Integer, nullable=False, server_default="0"),
    Column("started_at", Micros, nullable=False),
    Column("ended_at", Micros),
    UniqueConstraint("execution_id", "repository_id"),
    Index(None, "execution_id", "id"),
    sqlite_autoincrement=True,
)

retention_lines = Table(
    "retention_lines",
    metadata,
    Column("result_id", Id, ForeignKey("retention_results.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "kept", SmallInteger, primary_key=True
    ),  # 0: what goes, or was to go, which people look for; 1: what stays
    Column("first", Integer, primary_key=True),  # how many come before these
    Column("number", Integer, nullable=False),
    Column("lines", Text, nullable=False),  # JSON array
)

retention_doomed = Table(
    "retention_doomed",
    metadata,
    Column("id", Id, primary_key=True),
    Column("result_id", Id, ForeignKey("retention_results.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Name, nullable=False),
    Column("seen", Text, nullable=False),  # JSON object: the image as it was when this was decided
    Index(None, "result_id", "id"),
    sqlite_autoincrement=True,
)
