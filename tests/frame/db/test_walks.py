"""What looks at very many rows holds nobody up, sees one snapshot, and ends when its time is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.sql.base import Executable

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import Conn, Database, TooBroad
from fairway.frame.db.sqlite import SqliteDatabase
from fairway.frame.db.tables import generations
from fairway.frame.db.walks import TooManyWalks, asker
from fairway.frame.web.errors import reply_to

ADD = insert(generations).values(name=bindparam("name"), value=bindparam("value"))
COUNT = select(func.count()).select_from(generations)
ENDLESS = text("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT count(*) FROM s")
ENDLESS_ROWS = text(
    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT n FROM s WHERE n < 3 OR n < 0"
)


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """A database whose walks have a second."""
    made = await SqliteDatabase(tmp_path / "walks.db", walk_seconds=1.0).open()
    yield made
    await made.close()


async def test_a_walk_sees_what_was_written(db: Database) -> None:
    await db.run(ADD, name="a", value=1)
    assert await db.walk(lambda conn: conn.scalar(COUNT)) == 1


async def test_a_walk_writes_nothing(db: Database) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - each driver has its own
        await db.walk(lambda conn: conn.run(ADD, name="a", value=1))
    assert await db.scalar(COUNT) == 0
    assert await db.walk(lambda conn: conn.scalar(COUNT)) == 0


@pytest.mark.parametrize("statement", [ENDLESS, ENDLESS_ROWS])
async def test_a_walk_without_end_is_told_to_narrow_its_filter(
    hurried: SqliteDatabase, statement: Executable
) -> None:
    with pytest.raises(TooBroad) as told:
        await hurried.walk(lambda conn: conn.all(statement))
    reply = reply_to(told.value)
    assert reply.status == 400
    assert b"narrow" in reply.body
    assert await hurried.walk(lambda conn: conn.scalar(text("SELECT 7"))) == 7


async def test_others_are_answered_while_somebody_walks(hurried: SqliteDatabase) -> None:
    walks = [asyncio.create_task(hurried.walk(lambda conn: conn.scalar(ENDLESS))) for _ in range(5)]
    await asyncio.sleep(0.1)
    for _ in range(20):
        assert await hurried.scalar(text("SELECT 1")) == 1
        await asyncio.sleep(0)
    assert not any(walk.done() for walk in walks)
    assert all(isinstance(each, TooBroad) for each in await asyncio.gather(*walks, return_exceptions=True))


async def test_walks_that_nobody_gets_to_are_refused(
    hurried: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.frame.db.walks.MOST_WALKS", 1)
    walk = asyncio.create_task(hurried.walk(lambda conn: conn.scalar(ENDLESS)))
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await hurried.walk(lambda conn: conn.scalar(COUNT))
    with pytest.raises(TooBroad):
        await walk


async def test_no_more_wait_for_their_turn_than_there_is_patience_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.frame.db.walks.MOST_WALKS", 6)
    slow = ENDLESS_ROWS if db.dialect == "sqlite" else text("SELECT pg_sleep(1)")
    walks = [asyncio.create_task(db.walk(lambda conn: conn.all(slow))) for _ in range(6)]
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable):
        await db.walk(lambda conn: conn.scalar(COUNT))
    await asyncio.gather(*walks, return_exceptions=True)
    assert await db.walk(lambda conn: conn.scalar(COUNT)) == 0
    given_up = [asyncio.create_task(db.walk(lambda conn: conn.all(slow))) for _ in range(6)]
    await asyncio.sleep(0.1)
    for each in given_up:
        each.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    assert await db.walk(lambda conn: conn.scalar(COUNT)) == 0


async def test_nobody_alone_keeps_the_others_from_their_lists(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.frame.db.walks.MOST_OF_ONE", 2)
    slow = ENDLESS_ROWS if db.dialect == "sqlite" else text("SELECT pg_sleep(1)")

    async def walk(by: str, statement: Executable) -> Any:
        asker.set(by)
        return await db.walk(lambda conn: conn.all(statement))

    walks = [asyncio.create_task(walk("192.0.2.1", slow)) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(TooManyWalks, match="you are filtering many lists"):
        await asyncio.create_task(walk("192.0.2.1", COUNT))
    assert len(await asyncio.create_task(walk("bob", COUNT))) == 1
    await asyncio.gather(*walks, return_exceptions=True)
    assert len(await asyncio.create_task(walk("192.0.2.1", COUNT))) == 1


async def test_closing_does_not_wait_for_a_walk(tmp_path: Path) -> None:
    made = await SqliteDatabase(tmp_path / "closing.db", walk_seconds=600).open()
    walk = asyncio.create_task(made.walk(lambda conn: conn.scalar(ENDLESS)))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await made.close()
    assert time.monotonic() - started < 30
    with pytest.raises(Unavailable):
        await walk


async def test_a_walk_is_planned_for_what_is_asked(db: Database) -> None:
    """However often: PostgreSQL would plan the sixth for no value in particular."""
    if db.dialect != "postgresql":
        pytest.skip("SQLite plans each statement once, and its plans know no values")
    mode = text("SHOW plan_cache_mode")
    assert await db.walk(lambda conn: conn.scalar(mode)) == "force_custom_plan"
    assert await db.read(lambda conn: conn.scalar(mode)) == "auto"


async def test_a_walk_that_the_server_cancels_is_too_broad(db: Database) -> None:
    if db.dialect != "postgresql":
        pytest.skip("the tests above are about SQLite")

    async def slow(conn: Conn) -> None:
        await conn.scalar(text("SELECT set_config('statement_timeout', '100', true)"))
        await conn.scalar(text("SELECT pg_sleep(20)"))

    with pytest.raises(TooBroad):
        await db.walk(slow)
