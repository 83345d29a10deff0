"""Secrets of robots: generated ones are checked at once, chosen ones like passwords, wrong ones all alike."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, select, update

from fairway.core.oci.errors import TooManyRequests, Unauthorized
from fairway.features.accounts.passwords import Passwords
from fairway.features.accounts.store import failures, people
from fairway.features.accounts.throttle import key
from fairway.features.projects.model import Wanted as WantedProject
from fairway.features.projects.store import projects
from fairway.features.robots import secret, store
from fairway.features.robots.logins import Logins, Robots
from fairway.features.robots.model import Level, RobotAccount, Wanted
from fairway.frame.access.catalogue import CATALOG_READ, REPOSITORY_PULL, REPOSITORY_PUSH
from fairway.frame.access.principals import SERVER, Grant, Robot, User
from fairway.frame.db import Database, now_us
from fairway.frame.db.tables import configuration, login_failures, robots
from features.accounts.test_passwords import CountingHasher

HERE = "192.0.2.7"
CHOSEN = "Chosen-secret-1"
HELD = frozenset({Grant(SERVER, CATALOG_READ)})


class World:
    """A robot with a generated secret and one with a chosen one, of the system level, and a clock."""

    def __init__(self, db: Database, by: User) -> None:
        self.db = db
        self.by = by
        self.now = 1000.0
        self.hasher = CountingHasher()
        self.robots = Robots(db)
        self.logins = Logins(self.robots, Passwords(db, self.hasher, lambda: self.now, self.robots.find))
        self.generated = secret.generate()

    async def make(self, name: str, secret_hash: str, project: int | None = None) -> RobotAccount:
        wanted = Wanted(name, Level.SYSTEM, "", 30, disabled=False, access=())
        return await self.db.write(
            lambda conn: store.create(conn, wanted, project, HELD, secret_hash, self.by)
        )

    async def log_in(self, name: str, said: str) -> Robot:
        found = await self.logins(f"robot${name}", said, HERE)
        assert isinstance(found, Robot)
        return found

    async def refused(self, name: str, said: str) -> str:
        with pytest.raises(Unauthorized) as refused:
            await self.log_in(name, said)
        return refused.value.message

    async def change(self, name: str, **values: object) -> None:
        changed = update(robots).where(robots.c.name == name).values(version=robots.c.version + 1, **values)
        assert await self.db.write(lambda conn: conn.run(changed)) == 1

    async def failed(self) -> list[int]:
        return [row["failures"] for row in await self.db.all(select(login_failures.c.failures))]


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    id = await db.write(lambda conn: people.create(conn, "admin", "", sysadmin=True))
    world = World(db, User(id, "admin", sysadmin=True))
    await world.make("made", secret.kept(world.generated))
    await world.make("chosen", await world.hasher.hash(CHOSEN))
    yield world
    world.hasher.close()


def test_a_generated_secret_has_all_it_needs() -> None:
    made = {secret.generate() for _ in range(200)}
    assert len(made) == 200
    for each in made:
        assert re.fullmatch(r"[A-Za-z0-9]{32}", each)
        assert all(re.search(kind, each) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
        assert secret.is_right(secret.kept(each), each)
        assert not secret.is_right(secret.kept(each), each.swapcase())
        assert each not in secret.kept(each)


def test_a_hash_is_no_secret() -> None:
    """What is stored of one kind is never right as the other kind, nor as itself."""
    stored = secret.kept("Some-secret-1")
    assert not secret.is_right(stored, stored)
    assert secret.chosen_hash(stored) is None
    assert not secret.is_right("$argon2id$v=19$x", "$argon2id$v=19$x")
    assert not secret.is_right("", "")


async def test_a_generated_secret_needs_no_slow_hash(world: World) -> None:
    found = await world.log_in("made", world.generated)
    assert (found.name, found.project, found.grants) == ("robot$made", None, HELD)
    assert world.hasher.verified == 0
    assert await world.failed() == []


async def test_nor_does_it_wait_for_what_others_did_wrong(world: World) -> None:
    for _ in range(10):
        await world.db.write(lambda conn: failures.record(conn, key("robot$made", HERE)))
    with pytest.raises(TooManyRequests):
        await world.log_in("made", "Wrong-secret-1")
    assert await world.log_in("made", world.generated)


async def test_people_pay_nothing_for_robots(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "by_login", None)
    hashed = await world.hasher.hash(CHOSEN)
    id = await world.db.write(lambda conn: people.create(conn, "alice", hashed))
    assert await world.logins("alice", CHOSEN, HERE) == User(id, "alice")


async def test_a_name_that_a_person_could_have_is_a_robots_under_another_prefix(world: World) -> None:
    another = configuration.insert().values(key="robot_name_prefix", value='"bot-"', updated_at=1)
    await world.db.write(lambda conn: conn.run(another))
    for _ in range(2):
        found = await world.logins("bot-made", world.generated, HERE)
        assert (found.name, found.id) == ("bot-made", 1)
    assert world.hasher.verified == 0
    with pytest.raises(Unauthorized):
        await world.logins("bot-made", "Wrong-secret-1", HERE)
    assert world.hasher.verified == 1
    assert (await world.logins("bot-chosen", CHOSEN, HERE)).name == "bot-chosen"
    await world.change("made", disabled=True)
    with pytest.raises(Unauthorized):
        await world.logins("bot-made", world.generated, HERE)


@pytest.mark.parametrize("name", ["made", "chosen", "nobody", "team+nobody", "Bad name", ""])
async def test_what_is_wrong_costs_and_says_the_same(world: World, name: str) -> None:
    said = await world.refused(name, "Wrong-secret-1")
    assert said == "these credentials are not valid; check the user name and password, or log in again"
    assert world.hasher.verified == 1
    assert await world.failed() == [1, 1]
    for _ in range(4):
        await world.refused(name, "Wrong-secret-1")
    with pytest.raises(TooManyRequests):
        await world.log_in(name, "Wrong-secret-1")


@pytest.mark.parametrize("name", ["made", "chosen"])
@pytest.mark.parametrize("closed", [{"disabled": True}, {"expires_at": now_us() - 1}])
async def test_a_closed_robot_is_refused_in_the_same_words(
    world: World, name: str, closed: dict[str, object]
) -> None:
    right = world.generated if name == "made" else CHOSEN
    before = await world.log_in(name, right)
    assert await world.robots.current(before.id) == before
    await world.change(name, **closed)
    assert await world.refused(name, right) == await world.refused("nobody", right)
    assert await world.robots.current(before.id) is None


async def test_a_chosen_secret_is_hashed_once_a_minute_and_voided_by_a_change(world: World) -> None:
    for _ in range(3):
        await world.log_in("chosen", CHOSEN)
    assert world.hasher.verified == 1
    await world.change("chosen")
    await world.log_in("chosen", CHOSEN)
    assert world.hasher.verified == 2
    world.now += 61
    await world.log_in("chosen", CHOSEN)
    assert world.hasher.verified == 3
    await world.change("chosen", secret_hash=secret.kept(world.generated))
    await world.refused("chosen", CHOSEN)
    await world.log_in("chosen", world.generated)


async def test_what_it_holds_is_read_once_for_each_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    read = store.grants

    async def counted(*args: object) -> object:
        nonlocal asked
        asked += 1
        return await read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "grants", counted)
    made = await world.log_in("made", world.generated)
    for _ in range(3):
        assert await world.robots.current(made.id) == await world.log_in("made", world.generated) == made
    assert asked == 1
    project = await world.db.write(lambda conn: projects.create(conn, WantedProject("team"), world.by))
    wider = HELD | {Grant(project, REPOSITORY_PULL), Grant(0, REPOSITORY_PUSH)}

    async def widen(conn: object) -> None:
        account = await store.by_id(world.db if conn is None else conn, made.id, lock=True)  # type: ignore[arg-type]
        assert account is not None
        wanted = Wanted("made", Level.SYSTEM, "", 30, disabled=False, access=())
        await store.change(conn, account, wanted, wider, world.by)  # type: ignore[arg-type]

    await world.db.write(widen)
    assert (await world.log_in("made", world.generated)).grants == wider
    assert asked == 2


async def test_only_so_much_is_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.features.robots.logins.MOST_REMEMBERED", 1)
    await world.log_in("made", world.generated)
    await world.log_in("chosen", CHOSEN)
    assert len(world.robots._held) == 1
    assert (await world.log_in("made", world.generated)).grants == HELD


async def test_a_login_name_leads_to_one_robot(world: World) -> None:
    project = await world.db.write(lambda conn: projects.create(conn, WantedProject("team"), world.by))
    other = secret.generate()
    ci = await world.make("made", secret.kept(other), project)
    assert ci.login == "robot$team+made"
    assert (await world.log_in("team+made", other)).project == project
    await world.refused("team+made", world.generated)
    await world.refused("made", other)
    await world.db.write(lambda conn: conn.run(delete(robots).where(robots.c.id == ci.id)))
    await world.refused("team+made", other)
