"""One suite for both engines: what a transaction promises, and what it refuses."""

import asyncio

import pytest
from sqlalchemy import bindparam, func, insert, literal, null, select

from fairway.frame.access import narrowing
from fairway.frame.db import Conn, Database, UniqueViolation, now_us
from fairway.frame.db.tables import generations
from fairway.frame.db.types import fits_one_of, within

ADD = insert(generations).values(name=bindparam("name"), value=bindparam("value"))
GET = select(generations.c.value).where(generations.c.name == bindparam("name"))
COUNT = select(func.count()).select_from(generations)


async def test_what_was_written_can_be_read(db: Database) -> None:
    await db.write(lambda conn: conn.run(ADD, name="a", value=1))
    row = await db.first(GET, name="a")
    assert row is not None
    assert row["value"] == 1
    assert await db.scalar(GET, name="nobody") is None


async def test_a_failing_body_leaves_nothing(db: Database) -> None:
    async def body(conn: Conn) -> None:
        await conn.run(ADD, name="a", value=1)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await db.write(body)
    assert await db.scalar(COUNT) == 0


async def test_a_second_row_with_the_same_key_is_a_unique_violation(db: Database) -> None:
    await db.write(lambda conn: conn.run(ADD, name="a", value=1))
    with pytest.raises(UniqueViolation):
        await db.write(lambda conn: conn.run(ADD, name="a", value=2))
    assert await db.scalar(GET, name="a") == 1


async def test_one_failure_among_many_concurrent_writes_takes_only_itself_back(db: Database) -> None:
    async def body(conn: Conn, n: int) -> int:
        await conn.run(ADD, name=f"n{n}", value=n)
        if n % 10 == 3:
            raise LookupError(n)
        return n

    results = await asyncio.gather(
        *(db.write(lambda conn, n=n: body(conn, n)) for n in range(100)), return_exceptions=True
    )
    assert [r for r in results if isinstance(r, int)] == [n for n in range(100) if n % 10 != 3]
    assert sum(isinstance(r, LookupError) for r in results) == 10
    assert await db.scalar(COUNT) == 90


async def test_soft_and_durable_writes_mix(db: Database) -> None:
    await asyncio.gather(
        *(
            db.write(lambda conn, n=n: conn.run(ADD, name=f"n{n}", value=n), soft=n % 2 == 0)
            for n in range(40)
        )
    )
    assert await db.scalar(COUNT) == 40


async def test_a_cancelled_caller_does_not_undo_its_write(db: Database) -> None:
    task = asyncio.create_task(db.write(lambda conn: conn.run(ADD, name="a", value=1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(lambda conn: conn.run(ADD, name="b", value=1))
    for _ in range(100):
        if await db.scalar(COUNT) == 2:
            break
        await asyncio.sleep(0.01)
    assert await db.scalar(COUNT) == 2


async def test_reads_in_one_body_see_one_snapshot(db: Database) -> None:
    await db.write(lambda conn: conn.run(ADD, name="a", value=1))

    async def body(conn: Conn) -> list[int]:
        return [await conn.scalar(COUNT), await conn.scalar(COUNT)]

    assert await db.read(body) == [1, 1]


async def test_the_clock_is_the_databases_and_counts_microseconds(db: Database) -> None:
    first = await db.scalar(select(now_us()))
    second = await db.scalar(select(now_us()))
    assert 1_700_000_000_000_000 < first <= second < first + 60_000_000


async def test_names_are_ordered_by_code_point(db: Database) -> None:
    names = ["b", "B", "a", "A", "_", "1", "a-b", "a.b", "ab"]
    for n, name in enumerate(names):
        await db.write(lambda conn, n=n, name=name: conn.run(ADD, name=name, value=n))
    rows = await db.all(select(generations.c.name).order_by(generations.c.name))
    assert [row["name"] for row in rows] == sorted(names)


async def test_a_set_of_names_is_one_parameter(db: Database) -> None:
    for n in range(5):
        await db.write(lambda conn, n=n: conn.run(ADD, name=f"n'{n}", value=n))
    statement = select(generations.c.value).where(within(generations.c.name, bindparam("names")))
    rows = await db.all(statement, names='["n\'1","n\'3","absent"]')
    assert sorted(row["value"] for row in rows) == [1, 3]
    listed = await db.all(select(generations.c.value).where(generations.c.name.in_(["n'1", "n'4"])))
    assert sorted(row["value"] for row in listed) == [1, 4]


async def test_the_database_takes_patterns_of_repositories_as_everybody_does(db: Database) -> None:
    names = ["a", "team-a", "team-a/app", "team-a/app/deep", "team-ab", "team-b/app", "x_y", "xzy", "x.y/app"]
    patterns = [
        "**",
        "*",
        "team-a/**",
        "team-a*",
        "team-a/a*",
        "team-a",
        "x_y",
        "x_*",
        "x_y/**",
        "x.y/**",
        "no",
    ]
    for n, name in enumerate(names):
        await db.write(lambda conn, n=n, name=name: conn.run(ADD, name=name, value=n))
    for some in [[each] for each in patterns] + [["team-b/**", "a"], patterns[2:]]:
        fits = fits_one_of(generations.c.name, literal(narrowing.kept(some)))
        rows = await db.all(select(generations.c.name).where(fits))
        assert {row["name"] for row in rows} == {each for each in names if narrowing.match(some, each)}, some
    none = fits_one_of(generations.c.name, null())
    assert await db.all(select(generations.c.name).where(none)) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_sqlite_body_that_waits_for_something_else_is_refused(db: Database) -> None:
    async def body(conn: Conn) -> None:
        await conn.run(ADD, name="a", value=1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="await nothing but its connection"):
        await db.write(body)
    assert await db.scalar(COUNT) == 0
