"""SQLite's log is moved to the database file now and then, and not trusted after the disk has failed."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert

from fairway.frame.db import Conn, sqlite
from fairway.frame.db.migrate import migrate
from fairway.frame.db.sqlite import CHECKPOINT_AFTER, CHECKPOINT_ROWS, SqliteDatabase
from fairway.frame.db.tables import login_failures

ADD = insert(login_failures).values(key=bindparam("key"), failures=1, last_at=1, blocked_until=1)


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
    made = await SqliteDatabase(path).open()
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


async def add(db: SqliteDatabase, rows: int) -> None:
    async def body(conn: Conn) -> None:
        await conn.run(delete(login_failures))
        await conn.many(ADD, [{"key": str(number)} for number in range(rows)])

    await db.write(body)


async def test_the_log_is_moved_after_so_many_writes(db: SqliteDatabase, watched: Watched) -> None:
    await write(db, 2 * CHECKPOINT_AFTER)
    await write(db, 1)
    assert sum("wal_checkpoint(PASSIVE)" in sql for sql in watched.asked) == 2


async def test_the_log_is_moved_sooner_when_many_rows_change(db: SqliteDatabase, watched: Watched) -> None:
    await add(db, CHECKPOINT_ROWS - 1)
    assert not any("wal_checkpoint" in sql for sql in watched.asked)
    await add(db, 1)
    await write(db, 1)  # the log is moved after the answer
    assert sum("wal_checkpoint(PASSIVE)" in sql for sql in watched.asked) == 1


async def test_a_log_that_grew_is_cut_when_it_begins_anew(
    db: SqliteDatabase, watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "fairway.db-wal"
    watched.execute("PRAGMA journal_size_limit=100000")
    monkeypatch.setattr(sqlite, "CHECKPOINT_ROWS", 10**9)
    await add(db, 20_000)
    await add(db, 20_000)
    assert log.stat().st_size > 500_000
    monkeypatch.setattr(sqlite, "CHECKPOINT_ROWS", 1)
    await add(db, 1)
    await add(db, 1)
    assert log.stat().st_size <= 100_000


async def test_a_log_that_could_not_be_moved_is_begun_anew_before_the_next_write(
    db: SqliteDatabase, watched: Watched
) -> None:
    watched.failing = "PASSIVE"
    await write(db, CHECKPOINT_AFTER + 2)
    asked = "|".join(watched.asked)
    since = asked.partition("wal_checkpoint(PASSIVE)")[2]
    assert since.count("wal_checkpoint(TRUNCATE)") == 1
    assert "BEGIN" not in since.partition("wal_checkpoint(TRUNCATE)")[0]
