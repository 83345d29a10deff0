"""The database: how it is opened, asked and written to.  Nobody else knows which engine is behind it."""

from pathlib import Path

from fairway.frame.db.database import Body, Conn, Database, ReferenceViolation, Row, TooBroad, UniqueViolation
from fairway.frame.db.types import SECOND, now_us

__all__ = [
    "SECOND",
    "Body",
    "Conn",
    "Database",
    "ReferenceViolation",
    "Row",
    "TooBroad",
    "UniqueViolation",
    "database_at",
    "now_us",
    "open_database",
    "sqlite_path",
]


def sqlite_path(url: str) -> Path | None:
    """The file of an `sqlite:///path` URL; None for another engine."""
    prefix = "sqlite:///"
    return Path(url[len(prefix) :]) if url.startswith(prefix) else None


def database_at(
    url: str, *, pool: int = 10, statement_timeout_ms: int = 5000, gives_way: bool = False
) -> Database:
    """The database at `sqlite:///path` or `postgresql://…`, not open yet.

    `gives_way`: the writes of other processes go first, where only one can write at a time.
    """
    path = sqlite_path(url)
    if path is not None:
        from fairway.frame.db.sqlite import SqliteDatabase

        return SqliteDatabase(path, gives_way=gives_way, walk_seconds=statement_timeout_ms / 1000)
    from fairway.frame.db.postgres import PostgresDatabase

    return PostgresDatabase(url, pool=pool, statement_timeout_ms=statement_timeout_ms)


async def open_database(url: str, *, pool: int = 10, statement_timeout_ms: int = 5000) -> Database:
    """The same, open.  Raises Unavailable."""
    return await database_at(url, pool=pool, statement_timeout_ms=statement_timeout_ms).open()
