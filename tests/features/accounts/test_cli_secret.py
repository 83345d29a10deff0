"""Harbor's CLI secret: a secret of one's own choice beside the password, checked as slowly and throttled alike."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update

from fairway.core.oci.errors import TooManyRequests, Unauthorized
from fairway.features.accounts import secret, throttle
from fairway.features.accounts.model import TokenWanted
from fairway.features.accounts.passwords import REMEMBER_SECONDS, Passwords
from fairway.features.accounts.store import failures, people, tokens
from fairway.frame.access.principals import User
from fairway.frame.access.scopes import Word
from fairway.frame.db import Database, now_us
from fairway.frame.db.tables import personal_tokens, users
from features.accounts.test_passwords import CountingHasher
from features.accounts.test_tokens import IMAGE, PUSH_AND_PULL, alice, ask, configure
from stories.world import Person, World

CHOSEN = "Chosen-1-secret"
PASSWORD = "Secret123"
HERE = "192.0.2.7"

__all__ = ["alice"]


class Desk:
    """alice with a password and a CLI secret, and a clock that is moved by hand."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = 1000.0
        self.hasher = CountingHasher()
        self.passwords = Passwords(db, self.hasher, lambda: self.now)
        self.alice = User(0, "alice")

    async def choose(self, text: str) -> None:
        kept = await self.hasher.hash(text)
        wanted = TokenWanted(
            tokens.CLI_SECRET, "", frozenset({Word.ALL}), None, sysadmin=False, lifetime=None
        )

        async def make(conn: Database) -> None:
            await tokens.make_room(conn, self.alice, wanted.name)
            await tokens.create(conn, self.alice, wanted, kept, "alice")

        await self.db.write(make)  # type: ignore[arg-type]

    async def log_in(self, password: str, name: str = "alice") -> User:
        found = await self.passwords(name, password, HERE)
        assert isinstance(found, User)
        return found

    async def costs(self, password: str, name: str = "alice") -> int:
        """Hashes for a wrong password."""
        before = self.hasher.verified
        with pytest.raises(Unauthorized):
            await self.log_in(password, name)
        return self.hasher.verified - before


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    desk = Desk(db)
    kept = await desk.hasher.hash(PASSWORD)
    id = await db.write(lambda conn: people.create(conn, "alice", kept, sysadmin=True))
    await db.write(lambda conn: people.create(conn, "bob", kept))
    desk.alice = User(id, "alice")
    yield desk
    desk.hasher.close()


async def test_both_open_and_the_secret_is_narrower(desk: Desk) -> None:
    await desk.choose(CHOSEN)
    by_password, by_secret = await desk.log_in(PASSWORD), await desk.log_in(CHOSEN)
    assert (by_password.scope, by_password.sysadmin) == (None, True)
    assert by_secret.scope is not None
    assert (by_secret.id, by_secret.scope.whole, by_secret.sysadmin) == (desk.alice.id, True, False)
    assert by_secret.credentials_version is None


async def test_it_is_remembered_for_a_minute_and_not_after_it_was_replaced(desk: Desk) -> None:
    await desk.choose(CHOSEN)
    await desk.log_in(CHOSEN)
    verified = desk.hasher.verified
    await desk.log_in(CHOSEN)
    assert desk.hasher.verified == verified
    desk.now += REMEMBER_SECONDS
    await desk.log_in(CHOSEN)
    assert desk.hasher.verified == verified + 2
    await desk.choose("Another-1-secret")
    with pytest.raises(Unauthorized):
        await desk.log_in(CHOSEN)
    await desk.log_in("Another-1-secret")


async def test_one_that_becomes_the_password_is_the_password(desk: Desk) -> None:
    await desk.choose(CHOSEN)
    assert (await desk.log_in(CHOSEN)).scope is not None
    kept = await desk.hasher.hash(CHOSEN)
    await desk.db.write(lambda conn: people.set_password(conn, desk.alice.id, kept))
    await desk.choose("Another-1-secret")
    assert (await desk.log_in(CHOSEN)).scope is None


async def test_it_ends_when_it_expires_and_with_the_account(desk: Desk) -> None:
    await desk.choose(CHOSEN)
    await desk.log_in(CHOSEN)
    closed = update(users).where(users.c.id == desk.alice.id)
    await desk.db.write(lambda conn: conn.run(closed.values(enabled=False)))
    with pytest.raises(Unauthorized):
        await desk.log_in(CHOSEN)
    await desk.db.write(lambda conn: conn.run(closed.values(enabled=True)))
    await desk.log_in(CHOSEN)
    await desk.db.write(lambda conn: conn.run(update(personal_tokens).values(expires_at=now_us())))
    with pytest.raises(Unauthorized):
        await desk.log_in(CHOSEN)


async def test_what_is_wrong_costs_the_same_for_everybody(desk: Desk) -> None:
    """Or the time it takes would say who has a secret, or an account."""
    assert [await desk.costs("wrong", name) for name in ("alice", "bob", "nobody")] == [1, 1, 1]
    await desk.choose(CHOSEN)
    assert [await desk.costs("wrong", name) for name in ("alice", "bob", "nobody")] == [2, 2, 2]


async def test_guessing_is_throttled_like_guessing_passwords(desk: Desk) -> None:
    await desk.choose(CHOSEN)
    for _ in range(throttle.FREE_FAILURES + 1):
        await desk.costs("wrong")
    with pytest.raises(TooManyRequests):
        await desk.log_in(CHOSEN)
    assert (await failures.waiting(desk.db, throttle.key("alice", HERE))).count == throttle.FREE_FAILURES + 1


# -- over HTTP


async def choose(by: Person, of: Person, text: str = CHOSEN) -> int:
    return (await ask(by, "PUT", f"/api/v2.0/users/{of.id}/cli_secret", {"secret": text})).status


async def test_it_is_set_and_replaced_and_good_for_docker(world: World, alice: Person) -> None:
    assert await choose(alice, alice) == 200
    docker = await alice.saying(CHOSEN).with_token(PUSH_AND_PULL)
    assert (await docker.push("team/app:v1", IMAGE)).status == 201
    assert await choose(alice, alice, "Another-1-secret") == 200
    assert (await alice.saying(CHOSEN).ask_token()).status == 401
    assert (await docker.push("team/app:v2", IMAGE)).status == 401, "nor what was made of the old one"
    assert (await alice.saying("Another-1-secret").ask_token()).status == 200
    listed = (await ask(alice, "GET", "/api/fairway/users/current/tokens")).json
    assert [(each["name"], each["access"]) for each in listed] == [("cli-secret", ["all"])]
    await world.parts.personal.flush()
    assert (await world.rows(personal_tokens))[0]["used_at"] is not None


async def test_who_may_set_it(world: World, alice: Person) -> None:
    bob = await world.person("bob")
    assert await choose(bob, alice) == 403
    assert await choose(world.anybody, alice) == 401
    assert await choose(world.admin, alice) == 200
    assert await choose(world.admin, Person(world, "nobody", 4711)) == 404
    assert await choose(alice.saying(CHOSEN), alice) == 403, "a token makes no tokens"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Short-1",
        "x" * 129,
        "no-upper-1",
        "NO-LOWER-1",
        "No-digits",
        "Harbor12345",
        pytest.param(secret.generate(), id="shaped like a token"),
    ],
)
async def test_bad_ones_are_refused(world: World, alice: Person, text: str) -> None:
    assert await choose(alice, alice, text) == 400
    assert await world.count(personal_tokens) == 0


async def test_it_lives_as_long_as_any_token_may(world: World, alice: Person) -> None:
    assert await choose(alice, alice) == 200
    row = (await world.rows(personal_tokens))[0]
    assert row["expires_at"] - row["created_at"] == pytest.approx(365 * 86_400_000_000, rel=1e-6)
    await configure(world, -1)
    assert await choose(alice, alice) == 200
    assert (await world.rows(personal_tokens))[0]["expires_at"] is None
