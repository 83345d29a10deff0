"""People: who may log in, who failed to, and which refresh tokens are out.

Ids are never given twice (AUTOINCREMENT on SQLite): tokens carry them, so a new user must not inherit an old one's.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, true

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("username", Name, nullable=False),
    Column("email", Text, nullable=False, server_default=""),
    Column("realname", Text, nullable=False, server_default=""),
    Column("comment", Text, nullable=False, server_default=""),
    Column("password_hash", Text, nullable=False),
    Column("sysadmin", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("credentials_version", Integer, nullable=False, server_default="1"),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    Column("deleted_at", Micros),
    UniqueConstraint("username"),
    sqlite_autoincrement=True,
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("key", Name, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Micros, nullable=False),
    Column("blocked_until", Micros, nullable=False),
    Index(None, "last_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("secret_hash", Name, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("service", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("credentials_version", Integer, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros, nullable=False),
    UniqueConstraint("secret_hash"),
    Index(None, "user_id"),
    Index(None, "expires_at"),
    sqlite_autoincrement=True,
)
