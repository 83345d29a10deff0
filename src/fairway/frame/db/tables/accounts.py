"""People: who may log in, who failed to, which tokens (refresh, personal) are out and who has a browser open; and groups.

Ids are never given twice (AUTOINCREMENT on SQLite): tokens carry them, so a new user must not inherit an old one's.
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
    text,
    true,
)

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

# Who is logged in with a browser.  Of the cookie's secret there is its SHA-256 only.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("secret_hash", Name, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("credentials_version", Integer, nullable=False),
    Column("client", Text, nullable=False),
    Column("browser", Text, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("seen_at", Micros, nullable=False),
    Column("expires_at", Micros, nullable=False),
    UniqueConstraint("secret_hash"),
    Index(None, "user_id"),
    Index(None, "seen_at"),
    Index(None, "expires_at"),
    sqlite_autoincrement=True,
)

personal_tokens = Table(
    "personal_tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("secret_hash", Name, nullable=False),  # sha256:… when we made it, else argon2id
    Column("words", Text, nullable=False),  # a JSON array: all | read | pull | push | delete
    Column("projects", Text),  # a JSON array of ids; NULL: every one
    Column("sysadmin", Boolean, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros),  # NULL: never
    Column("used_at", Micros),
    UniqueConstraint("secret_hash"),
    UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
)

_NAMED_BY_DN = text("group_type = 1")
_NAMED_BY_NAME = text("group_type <> 1")

user_groups = Table(
    "user_groups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_name", Name, nullable=False),
    Column("group_type", SmallInteger, nullable=False),  # 1 LDAP | 2 HTTP | 3 OIDC
    Column("ldap_group_dn", Name, nullable=False, server_default=""),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    # In a directory two groups may have one name.
    Index(
        "ix_user_groups_dn",
        "ldap_group_dn",
        unique=True,
        sqlite_where=_NAMED_BY_DN,
        postgresql_where=_NAMED_BY_DN,
    ),
    Index(
        "ix_user_groups_name",
        "group_name",
        "group_type",
        unique=True,
        sqlite_where=_NAMED_BY_NAME,
        postgresql_where=_NAMED_BY_NAME,
    ),
    sqlite_autoincrement=True,
)

user_group_members = Table(
    "user_group_members",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Id, ForeignKey("user_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Micros, nullable=False),
    Index(None, "group_id", "user_id"),
)
