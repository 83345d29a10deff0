"""Who did what, and what is still to be told to whom.

Rows outlive the projects they tell of, so they name them and refer to nothing.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, UniqueConstraint, true

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Name, nullable=False),
    Column("project_id", Id, nullable=False),  # 0 for what belongs to none
    Column("username", Name, nullable=False),
    Column("resource", Text, nullable=False),
    Column("resource_type", Name, nullable=False),
    Column("operation", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("succeeded", Boolean, nullable=False, server_default=true()),
    Column("at", Micros, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "project_id", "at"),
    Index(None, "at"),
    Index(None, "username", "at"),
    sqlite_autoincrement=True,
)

# How many lines each project has: whoever adds or drops some says so here, so that nobody counts millions for a page.
audit_totals = Table(
    "audit_totals",
    metadata,
    Column("project_id", Id, primary_key=True, autoincrement=False),
    Column("lines", BigInteger, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("endpoint", Name, nullable=False),
    Column("event_id", Name, nullable=False),
    Column("body", Text, nullable=False),  # JSON: one event of the docker notification envelope
    Column("created_at", Micros, nullable=False),
    Index(None, "endpoint", "id"),
    sqlite_autoincrement=True,
)

# Lines on their way to the server that administrators have chosen: gone when it has them.
audit_forwards = Table(
    "audit_forwards",
    metadata,
    Column("id", Id, primary_key=True),
    Column("line", Text, nullable=False),
    Column("claimed_until", Micros, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
