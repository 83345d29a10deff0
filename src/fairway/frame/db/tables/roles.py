"""Roles that are made here, beside the five that every server has (frame/access/roles.py), and what each of them holds.

`members.role` has the id of either.  Ids begin where none of Harbor's is, and are never given twice.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

roles = Table(
    "roles",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
    UniqueConstraint("name"),
    CheckConstraint("id >= 100", name="custom"),
    sqlite_autoincrement=True,
)

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role_id", Id, ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("resource", Name, primary_key=True),
    Column("action", Name, primary_key=True),
    Index(None, "resource", "action", "role_id"),
)
