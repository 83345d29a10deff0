"""What PostgreSQL is told about commits: soft ones do not wait, all others do, and a setting against that is noticed."""

import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from fairway.frame.db import Conn, durability, open_database
from postgres import Postgres

ASK = select(func.current_setting("synchronous_commit"))


@pytest.fixture
async def name(postgres: Postgres, postgres_template: str) -> AsyncIterator[str]:
    """A database whose sessions wait for their commits, though the server of the tests would not."""
    name = f"durable_{uuid.uuid4().hex}"
    postgres.create(name, postgres_template)
    postgres.sql(f"ALTER DATABASE {name} SET synchronous_commit = on")
    yield name
    postgres.drop(name)


async def asked(conn: Conn) -> str:
    return str(await conn.scalar(ASK))


async def test_only_soft_commits_do_not_wait(postgres: Postgres, name: str) -> None:
    db = await open_database(postgres.url(name), pool=1)
    try:
        assert await db.write(asked) == "on"
        assert await db.write(asked, soft=True) == "off"
        assert await db.write(asked) == "on", "nothing of it is left on the connection"
        assert await db.scalar(ASK) == "on", "nor for a statement alone"
    finally:
        await db.close()


@pytest.mark.parametrize("where", ["DATABASE {}", "ROLE postgres IN DATABASE {}"])
async def test_whoever_turned_waiting_off_it_is_noticed(postgres: Postgres, name: str, where: str) -> None:
    """The tests' server has other weaknesses, which no database of it can mend."""
    assert await weaknesses(postgres.url(name)) == ["fsync = off", "full_page_writes = off"]
    for value, weak in (("off", True), ("local", False), ("remote_write", False)):
        postgres.sql(f"ALTER {where.format(name)} SET synchronous_commit = {value}")
        found = await weaknesses(postgres.url(name))
        assert (f"synchronous_commit = {value}" in found) == weak


async def weaknesses(url: str) -> list[str]:
    db = await open_database(url, pool=1)
    try:
        return await durability.weaknesses(db)
    finally:
        await db.close()
