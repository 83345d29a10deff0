"""Checking passwords: right, wrong, remembered, changed, throttled, many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
from argon2 import extract_parameters
from sqlalchemy import update

from fairway.core.oci.errors import TooManyRequests, Unauthorized, Unavailable
from fairway.features.accounts import passwords, throttle
from fairway.features.accounts.passwords import MOST_ASIDE, REMEMBER_SECONDS, Hasher, Passwords
from fairway.features.accounts.store import failures, people
from fairway.frame.access.principals import User
from fairway.frame.db import Database
from fairway.frame.db.tables import login_failures, users

HERE = "192.0.2.7"
ELSEWHERE = "198.51.100.9"


class CountingHasher(Hasher):
    """The real one; it also counts, and notes how many hashes ran together."""

    def __init__(self) -> None:
        super().__init__()
        self.verified = 0
        self.running = 0
        self.most = 0

    def _verify(self, stored: str | None, password: str) -> bool:
        self.verified += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return super()._verify(stored, password)
        finally:
            self.running -= 1


class World:
    """alice with the password Secret123, and a clock that is moved by hand."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = 1000.0
        self.hasher = CountingHasher()
        self.passwords = Passwords(db, self.hasher, lambda: self.now)
        self.alice = 0

    async def log_in(self, password: str = "Secret123", *, name: str = "alice", client: str = HERE) -> User:
        return await self.passwords(name, password, client)

    async def set_password(self, password: str) -> None:
        hashed = await self.hasher.hash(password)
        await self.db.write(lambda conn: people.set_password(conn, self.alice, hashed))

    async def fail(self, times: int, *, name: str = "alice", client: str = HERE) -> None:
        for _ in range(times):
            with pytest.raises(Unauthorized):
                await self.log_in("Wrong1234", name=name, client=client)

    async def must_wait(self, *, name: str = "alice", client: str = HERE) -> None:
        """As after ten failures: long enough for any test."""
        key = throttle.key(name, client)
        for _ in range(10):
            await self.db.write(lambda conn: failures.record(conn, key))

    async def wait_is_over(self) -> None:
        await self.db.write(lambda conn: conn.run(update(login_failures).values(blocked_until=0)))


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    world = World(db)
    hashed = await world.hasher.hash("Secret123")
    world.alice = await db.write(lambda conn: people.create(conn, "alice", hashed))
    yield world
    world.hasher.close()


async def test_the_right_password_is_the_user(world: World) -> None:
    assert await world.log_in() == User(world.alice, "alice", sysadmin=False)


async def test_a_hash_is_argon2id_with_the_chosen_cost(world: World) -> None:
    assert (await world.hasher.hash("Secret123")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    "password", ["Wrong1234", "secret123", "Secret123 ", "", "x" * 100_000, "Secret123\0"]
)
async def test_any_other_password_is_refused(world: World, password: str) -> None:
    with pytest.raises(Unauthorized):
        await world.log_in(password)


@pytest.mark.parametrize("name", ["nobody", "Alice", "alice\0", "robot$x", "x" * 300, "' OR 1=1 --"])
async def test_an_unknown_account_costs_and_answers_like_a_wrong_password(world: World, name: str) -> None:
    with pytest.raises(Unauthorized) as wrong:
        await world.log_in("Wrong1234")
    hashed = world.hasher.verified
    with pytest.raises(Unauthorized) as unknown:
        await world.log_in("Wrong1234", name=name)
    assert unknown.value.message == wrong.value.message
    assert world.hasher.verified == hashed + 1


async def test_a_long_password_is_not_cut(world: World) -> None:
    long = "A1" + "a" * 126
    await world.set_password(long)
    await world.log_in(long)
    for almost in (long[:-1], long[:72], long + "a"):
        with pytest.raises(Unauthorized):
            await world.log_in(almost)


async def test_a_disabled_account_cannot_log_in_even_when_remembered(world: World) -> None:
    await world.log_in()
    await world.db.write(lambda conn: conn.run(update(users).values(enabled=False)))
    with pytest.raises(Unauthorized):
        await world.log_in()


async def test_a_proven_password_is_not_hashed_again_for_a_minute(world: World) -> None:
    await world.log_in()
    world.now += REMEMBER_SECONDS - 1
    await world.log_in()
    await world.log_in(client=ELSEWHERE)
    assert world.hasher.verified == 1
    world.now += 2
    await world.log_in()
    assert world.hasher.verified == 2


async def test_a_wrong_password_is_never_remembered(world: World) -> None:
    await world.fail(2)
    assert world.hasher.verified == 2


async def test_a_changed_password_is_over_at_once(world: World) -> None:
    await world.log_in()
    await world.set_password("Other1234")
    with pytest.raises(Unauthorized):
        await world.log_in()
    await world.log_in("Other1234")


async def test_a_remembered_login_sees_new_rights_at_once(world: World) -> None:
    await world.log_in()
    await world.db.write(lambda conn: conn.run(update(users).values(sysadmin=True)))
    assert (await world.log_in()).sysadmin


async def test_only_so_many_proofs_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MOST_REMEMBERED", 1)
    hashed = await world.hasher.hash("Secret123")
    await world.db.write(lambda conn: people.create(conn, "bob", hashed))
    await world.log_in()
    await world.log_in(name="bob")
    await world.log_in()
    assert world.hasher.verified == 3


async def test_guessing_has_to_wait_and_the_answer_says_how_long(world: World) -> None:
    await world.must_wait()
    with pytest.raises(TooManyRequests) as refused:
        await world.log_in("Wrong1234")
    assert refused.value.retry_after >= 1
    assert f"{refused.value.retry_after} seconds" in refused.value.message


async def test_while_one_waits_the_right_password_is_not_tried_either_remembered_or_not(world: World) -> None:
    await world.log_in()
    await world.must_wait()
    hashed = world.hasher.verified
    with pytest.raises(TooManyRequests):
        await world.log_in()
    assert world.hasher.verified == hashed


async def test_an_unknown_account_is_throttled_like_a_known_one(world: World) -> None:
    await world.fail(3, name="nobody")
    assert (await failures.waiting(world.db, throttle.key("nobody", HERE))).count == 3
    await world.must_wait(name="nobody")
    with pytest.raises(TooManyRequests):
        await world.log_in(name="nobody")


async def test_who_tries_one_name_after_the_other_has_to_wait_too_and_only_there(world: World) -> None:
    for n in range(throttle.FREE_FAILURES_OF_ADDRESS + 1):
        await world.fail(1, name=f"nobody{n}")
    hashed = world.hasher.verified
    with pytest.raises(TooManyRequests):
        await world.log_in(name="somebody-else")
    assert world.hasher.verified == hashed
    await world.log_in(client=ELSEWHERE)


async def block_address(world: World) -> None:
    """Nobody else may be tried from here for longer than a test takes."""
    address = throttle.key("", HERE)
    for n in range(throttle.FREE_FAILURES_OF_ADDRESS + 10):
        await world.db.write(lambda conn, n=n: failures.record(conn, f"somebody {n}", address))  # type: ignore[misc]


async def test_who_is_remembered_goes_on_beside_somebody_who_guesses(world: World) -> None:
    await world.log_in()
    await block_address(world)
    hashed = world.hasher.verified
    for _ in range(3):
        world.now += REMEMBER_SECONDS - 1
        assert (await world.log_in()).name == "alice"
    assert world.hasher.verified == hashed
    await world.set_password("Changed123")
    with pytest.raises(TooManyRequests):
        await world.log_in()


async def test_what_is_remembered_can_be_guessed_at_only_a_few_times(world: World) -> None:
    await world.log_in()
    await block_address(world)
    for n in range(throttle.FREE_FAILURES):
        with pytest.raises(TooManyRequests):
            await world.log_in(f"Guess{n:04}")
    with pytest.raises(TooManyRequests):
        await world.log_in()
    world.now += throttle.FORGET_SECONDS
    await world.db.write(lambda conn: conn.run(update(login_failures).values(blocked_until=0)))
    await world.log_in()
    await block_address(world)
    await world.log_in()


async def test_guesses_at_what_is_remembered_sent_together_are_counted_one_by_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.log_in()
    await block_address(world)
    looks: list[bytes] = []
    is_proven = world.passwords._is_proven
    monkeypatch.setattr(
        world.passwords, "_is_proven", lambda proof, account: looks.append(proof) or is_proven(proof, account)
    )
    guesses = [world.log_in(f"Guess{n:04}") for n in range(30)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TooManyRequests}
    assert len(looks) == throttle.FREE_FAILURES


async def test_an_unknown_account_is_refused_alike_beside_somebody_who_guesses(world: World) -> None:
    await world.log_in()
    await block_address(world)
    said = {}
    for name in ("alice", "nobody"):
        refused = []
        for n in range(throttle.FREE_FAILURES + 3):
            with pytest.raises(TooManyRequests) as caught:
                await world.log_in(f"Guess{n:04}", name=name)
            refused.append(caught.value.retry_after)
        said[name] = refused
    assert max(said["alice"]) - min(said["nobody"]) <= 2
    assert (await failures.waiting(world.db, throttle.key("alice", HERE))).count == 0


async def test_one_forgotten_job_with_an_old_password_does_not_keep_its_neighbours_waiting(
    world: World,
) -> None:
    for _ in range(throttle.FREE_FAILURES_OF_ADDRESS * 2):
        await world.fail(1, name="job")
        await world.wait_is_over()
    address = await failures.waiting(world.db, throttle.key("", HERE))
    assert address.count == throttle.FREE_FAILURES
    await world.log_in()


async def test_a_guesser_elsewhere_does_not_lock_the_owner_out(world: World) -> None:
    await world.must_wait(client=ELSEWHERE)
    await world.log_in()


async def test_after_the_wait_the_right_password_starts_over(world: World) -> None:
    await world.must_wait()
    await world.wait_is_over()
    await world.log_in()
    await world.fail(throttle.FREE_FAILURES)
    await world.log_in()


async def test_the_throttle_is_shared_by_all_processes(world: World) -> None:
    await world.must_wait()
    other = Passwords(world.db, world.hasher, lambda: world.now)
    with pytest.raises(TooManyRequests):
        await other("alice", "Secret123", HERE)


async def test_many_guesses_sent_together_do_not_get_around_the_throttle(world: World) -> None:
    outcomes = await asyncio.gather(
        *(world.log_in(f"Guess{n:04}") for n in range(40)), return_exceptions=True
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert set(kinds) == {Unauthorized, TooManyRequests}
    assert world.hasher.verified < 20, "some slip in before the first failures are counted, most do not"


async def test_many_logins_together_hash_two_at_a_time_and_the_same_one_once(world: World) -> None:
    await asyncio.gather(*(world.log_in() for _ in range(200)))
    assert world.hasher.verified <= passwords.AT_ONCE
    assert world.hasher.most <= passwords.AT_ONCE


async def test_beyond_a_bound_logins_are_turned_away_instead_of_piling_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 3)
    outcomes = await asyncio.gather(
        *(world.log_in(f"Guess{n:04}", client=f"192.0.2.{n}") for n in range(10)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(Unauthorized) == 3
    assert [type(outcome) for outcome in outcomes].count(Unavailable) == 7
    await world.log_in()


async def test_one_address_does_not_fill_the_queue_for_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING_OF_ADDRESS", 5)
    guesses = [world.log_in(f"Guess{n:04}", name=f"nobody{n}") for n in range(40)]
    *outcomes, owner = await asyncio.gather(*guesses, world.log_in(client=ELSEWHERE), return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert (kinds.count(Unauthorized), kinds.count(TooManyRequests)) == (5, 35)
    assert owner == User(world.alice, "alice", sysadmin=False)


async def test_the_same_wrong_password_sent_together_is_throttled_like_any(world: World) -> None:
    outcomes = await asyncio.gather(*(world.log_in("Wrong1234") for _ in range(100)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unauthorized, TooManyRequests}
    assert world.hasher.verified == throttle.FREE_FAILURES + 1


async def test_who_gives_up_waiting_holds_nobody_up(world: World) -> None:
    first, *others = [asyncio.create_task(world.log_in()) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert await asyncio.gather(*others) == [User(world.alice, "alice", sysadmin=False)] * 2


async def test_what_is_remembered_does_not_hold_the_password(world: World) -> None:
    await world.log_in()
    assert "Secret123" not in repr(vars(world.passwords))


def test_few_passwords_are_set_at_a_time() -> None:
    """Whoever sets theirs again and again keeps no login waiting for long."""
    hasher = Hasher()
    with ExitStack() as turns:
        for _ in range(MOST_ASIDE):
            turns.enter_context(hasher.turn())
        with pytest.raises(TooManyRequests), hasher.turn():
            pass
    with hasher.turn():
        pass
    hasher.close()


async def test_what_stands_in_for_the_hash_of_nobody_costs_as_much_as_any_and_is_no_other_s() -> None:
    hashers = Hasher(), Hasher()
    stand_ins = {hasher._nobody for hasher in hashers}
    assert len(stand_ins) == 2
    computed = extract_parameters(await hashers[0].hash("Secret123"))
    assert [extract_parameters(each) for each in stand_ins] == [computed] * 2
    assert not await hashers[0].matches(None, "Secret123")
    for hasher in hashers:
        hasher.close()
