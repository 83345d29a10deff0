"""Several processes write to one SQLite file: who waits for whom."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import Conn, sqlite
from fairway.frame.db.migrate import migrate
from fairway.frame.db.sqlite import SqliteDatabase
from fairway.frame.db.tables import login_failures


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "fairway.db"
    migrate(f"sqlite:///{made}")
    return made


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process's writer."""
    raw = sqlite3.connect(path, isolation_level=None)
    yield raw
    raw.close()


@pytest.fixture
async def db(path: Path) -> AsyncIterator[SqliteDatabase]:
    made = await SqliteDatabase(path).open()
    yield made
    await made.close()


@pytest.fixture
async def yielding(path: Path) -> AsyncIterator[SqliteDatabase]:
    made = await SqliteDatabase(path, gives_way=True).open()
    yield made
    await made.close()


async def add(db: SqliteDatabase, key: str) -> None:
    await db.run(insert(login_failures).values(key=key, failures=1, last_at=1, blocked_until=1))


def commit_by(other: sqlite3.Connection, key: str) -> None:
    other.execute("INSERT INTO login_failures VALUES (?, 1, 1, 1)", (key,))


async def test_who_comes_while_another_process_writes_joins_the_group(
    db: SqliteDatabase, other: sqlite3.Connection
) -> None:
    commits: list[str] = []
    db._writer._raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    other.execute("BEGIN IMMEDIATE")
    writes = [asyncio.create_task(add(db, "first"))]
    await asyncio.sleep(0.05)  # the writer waits for the lock
    writes += [asyncio.create_task(add(db, str(number))) for number in range(10)]
    await asyncio.sleep(0.05)
    assert not any(write.done() for write in writes)
    other.execute("ROLLBACK")
    await asyncio.gather(*writes)
    assert commits == ["COMMIT"]
    assert await db.scalar(select(func.count()).select_from(login_failures)) == 11


async def test_it_does_not_wait_for_ever(
    db: SqliteDatabase, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    other.execute("BEGIN IMMEDIATE")
    refused = await asyncio.gather(add(db, "a"), add(db, "b"), return_exceptions=True)
    assert [type(each) for each in refused] == [Unavailable, Unavailable]
    other.execute("ROLLBACK")
    await add(db, "a")
    assert await db.scalar(select(func.count()).select_from(login_failures)) == 1


class Clock:
    """Time passes only where a body says so; what the writer sleeps for is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.rests: list[float] = []
        monkeypatch.setattr(sqlite.time, "sleep", self.rests.append)  # type: ignore[attr-defined]
        monkeypatch.setattr(sqlite.time, "monotonic", lambda: self.now)  # type: ignore[attr-defined]

    async def write(self, db: SqliteDatabase, key: str, *, seconds: float) -> None:
        async def body(conn: Conn) -> None:
            await conn.run(insert(login_failures).values(key=key, failures=1, last_at=1, blocked_until=1))
            self.now += seconds

        await db.write(body)


async def test_one_that_gives_way_rests_as_long_as_it_wrote_when_others_write(
    yielding: SqliteDatabase, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(yielding, "to begin with")  # by now it has seen what others had done before
    clock = Clock(monkeypatch)
    await clock.write(yielding, "a", seconds=0.03)
    await clock.write(yielding, "b", seconds=0.03)
    assert clock.rests == []  # alone
    commit_by(other, "theirs")
    await clock.write(yielding, "c", seconds=10)
    assert clock.rests == [pytest.approx(0.03)]
    await clock.write(yielding, "d", seconds=10)
    assert len(clock.rests) == 1  # nobody else has written since
    commit_by(other, "theirs again")
    await clock.write(yielding, "e", seconds=0.01)
    assert clock.rests[1:] == [pytest.approx(sqlite.MOST_REST)]
    commit_by(other, "and again")
    clock.now += 0.01  # it had a rest anyway
    await clock.write(yielding, "f", seconds=0.01)
    assert len(clock.rests) == 2


async def test_others_do_not_rest(
    db: SqliteDatabase, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for number in range(3):
        commit_by(other, f"theirs {number}")
        await clock.write(db, f"ours {number}", seconds=0.03)
    assert clock.rests == []
