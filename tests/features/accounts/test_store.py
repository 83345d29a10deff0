"""Accounts, failed logins and refresh tokens in both databases."""

import pytest
from sqlalchemy import select, update

from fairway.features.accounts import throttle
from fairway.features.accounts.model import NO_FAILURES, Account
from fairway.features.accounts.store import failures, people, refresh
from fairway.frame.access.principals import User
from fairway.frame.db import SECOND, Database, UniqueViolation, now_us
from fairway.frame.db.tables import login_failures, refresh_tokens, users

KEY = throttle.key("alice", "192.0.2.7")


async def make(db: Database, name: str = "alice") -> Account:
    account = await db.write(lambda conn: people.create(conn, name, "hash", email=f"{name}@example.com"))
    found = await people.by_id(db, account)
    assert found is not None
    return found


async def test_an_account_is_found_by_name_and_by_id(db: Database) -> None:
    alice = await make(db)
    assert await people.by_name(db, "alice") == alice
    assert alice.user == User(alice.id, "alice", sysadmin=False)
    assert (alice.email, alice.enabled, alice.credentials_version) == ("alice@example.com", True, 1)
    assert alice.created_at == pytest.approx(await db.scalar(select(now_us())), abs=60 * SECOND)


async def test_names_are_exact(db: Database) -> None:
    await make(db)
    assert await people.by_name(db, "Alice") is None
    assert await people.by_name(db, "alic_") is None
    assert await people.by_id(db, 4711) is None


async def test_a_name_is_given_once(db: Database) -> None:
    await make(db)
    with pytest.raises(UniqueViolation):
        await make(db)
    assert await people.count(db) == 1


async def test_the_hash_does_not_show_when_an_account_is_printed(db: Database) -> None:
    assert "hash'" not in repr(await make(db))


async def test_a_new_password_is_a_new_version(db: Database) -> None:
    alice = await make(db)
    assert await db.write(lambda conn: people.set_password(conn, alice.id, "other"))
    changed = await people.by_id(db, alice.id)
    assert changed is not None
    assert (changed.password_hash, changed.credentials_version) == ("other", 2)
    assert not await db.write(lambda conn: people.set_password(conn, 4711, "other"))


async def test_the_administrator_is_made_once_and_keeps_the_password(db: Database) -> None:
    assert await db.write(lambda conn: people.ensure_admin(conn, "first"))
    assert not await db.write(lambda conn: people.ensure_admin(conn, "second"))
    admin = await people.by_name(db, people.ADMIN)
    assert admin is not None
    assert (admin.id, admin.sysadmin, admin.password_hash) == (1, True, "first")


async def test_an_id_is_never_given_twice(db: Database) -> None:
    first = await make(db)
    await db.write(lambda conn: conn.run(users.delete().where(users.c.id == first.id)))
    assert (await make(db)).id != first.id


async def test_failures_add_up_until_one_has_to_wait(db: Database) -> None:
    assert await failures.waiting(db, KEY) == NO_FAILURES
    for _ in range(throttle.FREE_FAILURES):
        await db.write(lambda conn: failures.record(conn, KEY), soft=True)
    free = await failures.waiting(db, KEY)
    assert (free.count, free.wait_seconds) == (throttle.FREE_FAILURES, 0)
    for _ in range(6):
        await db.write(lambda conn: failures.record(conn, KEY), soft=True)
    blocked = await failures.waiting(db, KEY)
    assert blocked.count == throttle.FREE_FAILURES + 6
    assert 25 <= blocked.wait_seconds <= 32


async def test_another_account_or_address_does_not_wait(db: Database) -> None:
    for _ in range(10):
        await db.write(lambda conn: failures.record(conn, KEY))
    assert await failures.waiting(db, throttle.key("bob", "192.0.2.7")) == NO_FAILURES


async def test_a_success_starts_over(db: Database) -> None:
    for _ in range(10):
        await db.write(lambda conn: failures.record(conn, KEY))
    await db.write(lambda conn: failures.clear(conn, KEY))
    assert await failures.waiting(db, KEY) == NO_FAILURES


async def test_old_failures_are_forgotten(db: Database) -> None:
    for _ in range(10):
        await db.write(lambda conn: failures.record(conn, KEY))
    an_hour = throttle.FORGET_SECONDS * SECOND
    await db.write(lambda conn: conn.run(update(login_failures).values(last_at=now_us() - an_hour - SECOND)))
    await db.write(lambda conn: failures.record(conn, KEY))
    assert (await failures.waiting(db, KEY)).count == 1
    assert await db.write(failures.forget) == 0
    await db.write(lambda conn: conn.run(update(login_failures).values(last_at=now_us() - an_hour - SECOND)))
    assert await db.write(failures.forget) == 1


async def with_token(db: Database, account: Account, secret: str = "s3cret", seconds: int = 60) -> bool:
    return await db.write(
        lambda conn: refresh.create(
            conn, account.user, secret, service="registry", client_id="docker", seconds=seconds
        )
    )


async def test_a_refresh_token_is_found_by_its_secret_which_is_not_stored(db: Database) -> None:
    alice = await make(db)
    assert await with_token(db, alice)
    found = await refresh.find(db, "s3cret")
    assert found is not None
    assert (found.account, found.service, found.client_id) == (alice, "registry", "docker")
    assert await refresh.find(db, "other") is None
    (row,) = await db.all(select(refresh_tokens))
    assert "s3cret" not in map(str, tuple(row))


async def test_no_refresh_token_comes_of_a_password_that_was_changed_meanwhile(db: Database) -> None:
    alice = await make(db)
    await db.write(lambda conn: people.set_password(conn, alice.id, "other"))
    assert not await with_token(db, alice)
    assert await refresh.find(db, "s3cret") is None


async def test_one_account_has_so_many_refresh_tokens_and_no_more(db: Database) -> None:
    alice, bob = await make(db), await make(db, "bob")
    await with_token(db, bob, "bobs")
    for number in range(refresh.MOST_REFRESH_TOKENS + 2):
        assert await with_token(db, alice, f"secret {number}")
    assert await refresh.find(db, "secret 1") is None
    assert await refresh.find(db, "secret 2") is not None
    assert await refresh.find(db, "bobs") is not None


async def test_a_refresh_token_ends_with_its_time(db: Database) -> None:
    await with_token(db, await make(db), seconds=-1)
    assert await refresh.find(db, "s3cret") is None


async def test_a_new_password_ends_every_refresh_token(db: Database) -> None:
    alice = await make(db)
    await with_token(db, alice)
    await db.write(lambda conn: people.set_password(conn, alice.id, "other"))
    assert await refresh.find(db, "s3cret") is None


async def test_a_disabled_account_has_no_refresh_tokens(db: Database) -> None:
    await with_token(db, await make(db))
    await db.write(lambda conn: conn.run(update(users).values(enabled=False)))
    assert await refresh.find(db, "s3cret") is None


async def test_expired_refresh_tokens_are_swept(db: Database) -> None:
    alice = await make(db)
    await with_token(db, alice, "old", seconds=-1)
    await with_token(db, alice, "new", seconds=60)
    assert await db.write(lambda conn: refresh.expire(conn, 10)) == 1
    assert await refresh.find(db, "new") is not None


async def test_a_disabled_account_is_no_principal(db: Database) -> None:
    alice = await db.write(lambda conn: people.create(conn, "alice", "hash", sysadmin=True))
    assert await people.enabled_user(db, alice) == User(alice, "alice", sysadmin=True)
    await db.run(update(users).where(users.c.id == alice).values(enabled=False))
    assert await people.enabled_user(db, alice) is None
    assert await people.enabled_user(db, 4711) is None
