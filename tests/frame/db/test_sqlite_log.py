"""SQLite's log is moved to the database file now and then, and not trusted after the disk has failed."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from fairway.frame.db.migrate import migrate
from fairway.frame.db.sqlite import CHECKPOINT_AFTER, SqliteDatabase
from fairway.frame.db.tables import login_failures, quota_deltas


class Watched:
    """A connection that remembers what it was asked, and fails where it is told to."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self.asked: list[str] = []
        self.failing = ""

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self.asked.append(sql)
        if self.failing and self.failing in sql:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"  # type: ignore[misc]
            raise error
        return self._raw.execute(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    path = tmp_path / "fairway.db"
    migrate(f"sqlite:///{path}")
    made = SqliteDatabase(path)
    yield made
    await made.close()


@pytest.fixture
def watched(db: SqliteDatabase) -> Watched:
    connection = Watched(db._writer._raw)
    db._writer._raw = connection  # type: ignore[assignment]
    return connection


async def write(db: SqliteDatabase, times: int) -> None:
    for _ in range(times):
        await db.run(delete(login_failures))


async def test_the_log_is_moved_after_so_many_writes(db: SqliteDatabase, watched: Watched) -> None:
    await write(db, 2 * CHECKPOINT_AFTER)
    await write(db, 1)
    assert sum("wal_checkpoint(PASSIVE)" in sql for sql in watched.asked) == 2
    assert await db.scalar(select(func.count()).select_from(quota_deltas)) == 0


async def test_a_log_that_could_not_be_moved_is_begun_anew_before_the_next_write(
    db: SqliteDatabase, watched: Watched
) -> None:
    watched.failing = "PASSIVE"
    await write(db, CHECKPOINT_AFTER + 2)
    asked = "|".join(watched.asked)
    since = asked.partition("wal_checkpoint(PASSIVE)")[2]
    assert since.count("wal_checkpoint(TRUNCATE)") == 1
    assert "BEGIN" not in since.partition("wal_checkpoint(TRUNCATE)")[0]
