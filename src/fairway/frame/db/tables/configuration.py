"""What administrators choose while the server runs, and the vulnerabilities they let pass.

A key without a row has its default.  Values are JSON, those of secrets sealed text.
"""

from sqlalchemy import BigInteger, Column, Table, Text

from fairway.frame.db.tables.base import metadata
from fairway.frame.db.types import Id, Micros, Name

configuration = Table(
    "configuration",
    metadata,
    Column("key", Name, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", Micros, nullable=False),
)

# Project 0 is the server's own list; so no reference, and whoever deletes a project drops its list.
cve_allowlists = Table(
    "cve_allowlists",
    metadata,
    Column("project_id", Id, primary_key=True, autoincrement=False),
    Column("items", Text, nullable=False),  # JSON: a list of ids such as CVE-2026-1234
    Column("expires_at", BigInteger),  # seconds since the epoch; NULL: never
    Column("created_at", Micros, nullable=False),
    Column("updated_at", Micros, nullable=False),
)
