"""Sessions in both databases."""

import pytest
from sqlalchemy import select, update

from fairway.features.accounts.store import people, sessions
from fairway.frame.access.principals import User
from fairway.frame.db import SECOND, Database, now_us
from fairway.frame.db import tables as t

IDLE = 3600
SECRET = "s" * 43


async def person(db: Database, name: str = "alice") -> User:
    account = await people.by_id(db, await db.write(lambda conn: people.create(conn, name, "hash")))
    assert account is not None
    return account.user


async def begin(db: Database, user: User, secret: str = SECRET, seconds: int = 7200) -> bool:
    return await db.write(
        lambda conn: sessions.begin(conn, user, secret, client="192.0.2.7", browser="Lynx", seconds=seconds)
    )


async def good(db: Database, secret: str = SECRET, idle: int = IDLE) -> bool:
    return await sessions.find(db, secret, idle_seconds=idle) is not None


async def age(db: Database, **columns: int) -> None:
    """Move times of all sessions back by so many seconds."""
    earlier = {name: t.sessions.c[name] - seconds * SECOND for name, seconds in columns.items()}
    await db.write(lambda conn: conn.run(update(t.sessions).values(**earlier)))


async def test_it_is_found_by_its_secret_and_kept_as_a_hash(db: Database) -> None:
    alice = await person(db)
    assert await begin(db, alice)
    found = await sessions.find(db, SECRET, idle_seconds=IDLE)
    assert found is not None
    assert (found.user, found.key) == (alice, sessions.hashed(SECRET))
    assert found.unseen_seconds == pytest.approx(0, abs=60)
    row = await db.first(select(t.sessions))
    assert row is not None
    assert SECRET not in [str(row[column.name]) for column in t.sessions.columns]
    assert (row["client"], row["browser"], row["expires_at"] - row["created_at"]) == (
        "192.0.2.7",
        "Lynx",
        pytest.approx(7200 * SECOND, abs=SECOND),
    )
    assert not await good(db, sessions.hashed(SECRET))
    assert not await good(db, "t" * 43)


async def test_it_ends_without_use_and_by_itself(db: Database) -> None:
    await begin(db, await person(db))
    await age(db, seen_at=IDLE - 60)
    assert await good(db)
    assert not await good(db, idle=IDLE - 120)
    (row,) = await db.all(select(t.sessions.c.id))
    await db.write(lambda conn: sessions.used(conn, row["id"]))
    assert await good(db, idle=60)
    await age(db, expires_at=7201)
    assert not await good(db)


@pytest.mark.parametrize("what", ["password", "disabled", "deleted"])
async def test_it_is_over_with_what_let_its_user_in(db: Database, what: str) -> None:
    alice = await person(db)
    await begin(db, alice)
    await begin(db, await person(db, "bob"), "b" * 43)
    match what:
        case "password":
            await db.write(lambda conn: people.set_password(conn, alice.id, "other"))
        case "disabled":
            await db.write(lambda conn: conn.run(update(t.users).values(enabled=t.users.c.id != alice.id)))
        case _:
            await db.write(lambda conn: people.close(conn, alice.id))
            assert await db.scalar(select(t.sessions.c.user_id)) != alice.id
    assert not await good(db)
    assert await good(db, "b" * 43)
    assert not await begin(db, alice, "n" * 43), "the login had begun before"


async def test_its_user_is_read_as_they_are(db: Database) -> None:
    alice = await person(db)
    await begin(db, alice)
    for sysadmin in (True, False):
        await db.write(lambda conn, flag=sysadmin: people.set_sysadmin(conn, alice.id, sysadmin=flag))  # type: ignore[misc]
        found = await sessions.find(db, SECRET, idle_seconds=IDLE)
        assert found is not None
        assert found.user.sysadmin is sysadmin


async def test_one_more_than_enough_ends_the_oldest(db: Database) -> None:
    alice, bob = await person(db), await person(db, "bob")
    await begin(db, bob, "b" * 43)
    for n in range(sessions.MOST_SESSIONS + 1):
        await begin(db, alice, f"{n:043}")
    assert not await good(db, f"{0:043}")
    assert await good(db, f"{1:043}")
    assert await good(db, "b" * 43)


async def test_one_ends_ones_own_only(db: Database) -> None:
    alice, bob = await person(db), await person(db, "bob")
    await begin(db, alice)
    (row,) = await db.all(select(t.sessions.c.id))
    assert not await db.write(lambda conn: sessions.end(conn, bob, row["id"], ""))
    assert await good(db)
    assert await db.write(lambda conn: sessions.end(conn, alice, row["id"], ""))
    assert not await db.write(lambda conn: sessions.end(conn, alice, row["id"], ""))
    assert not await good(db)


async def test_those_that_are_over_are_dropped_some_at_a_time(db: Database) -> None:
    alice = await person(db)
    for n in range(5):
        await begin(db, alice, f"{n:043}", seconds=0 if n < 2 else 7200)
    await age(db, seen_at=1000)
    await begin(db, alice)

    async def drop(limit: int, idle: int) -> int:
        return await db.write(lambda conn: sessions.expire(conn, limit, idle_seconds=idle))

    assert [await drop(1, IDLE), await drop(9, IDLE), await drop(9, IDLE)] == [1, 1, 0]
    assert [await drop(9, 900), await drop(9, 900)] == [3, 0]
    assert await good(db)


async def test_only_good_ones_are_listed(db: Database) -> None:
    alice = await person(db)
    await begin(db, await person(db, "bob"), "b" * 43)
    await begin(db, alice, "o" * 43)
    await age(db, seen_at=IDLE + 1)
    await begin(db, alice, "x" * 43, seconds=0)
    await begin(db, alice)
    await begin(db, alice, "n" * 43)

    async def page(offset: int, limit: int) -> tuple[list[str], int]:
        found, total = await sessions.listed(db, alice.id, {}, idle_seconds=IDLE, offset=offset, limit=limit)
        return [each.browser for each in found], total

    assert await page(0, 10) == (["Lynx", "Lynx"], 2)
    assert await page(1, 1) == (["Lynx"], 2)
    assert await page(2, 10) == ([], 2)
    newest, oldest = (await sessions.listed(db, alice.id, {}, idle_seconds=IDLE, offset=0, limit=9))[0]
    assert newest.id > oldest.id
    assert newest.created_at <= await db.scalar(select(now_us()))
