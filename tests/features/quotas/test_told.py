"""What is recorded about the room of a project: once when it becomes scarce, and now and then that it was not enough."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, update

from fairway.core.oci.digest import Digest
from fairway.features.artifacts import charges
from fairway.features.artifacts.store import refusals
from fairway.features.quotas.store import fold
from fairway.features.registry.housekeeping import forget_expired
from fairway.frame.db import Database, ledger
from fairway.frame.db.tables import generations, outbox, quota_deltas, quotas
from features.projects.test_members import ask
from stories.world import Person, World, image

WARNING, EXCEEDED = "quota.warning", "quota.exceeded"


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


async def told(world: World, kind: str) -> list[dict[str, Any]]:
    """The facts of each event of a kind."""
    await charges.all_told(world.db)
    return [json.loads(row["payload"]) for row in await world.rows(outbox) if row["kind"] == kind]


class TestScarce:
    async def test_the_push_that_reaches_85_percent_is_told_and_no_later_one(
        self, world: World, alice: Person
    ) -> None:
        team = await world.project("team", alice, limit=1000)
        await alice.push_blob("team/app", bytes(849))
        assert await told(world, WARNING) == []
        await alice.push_blob("team/app", b"x")
        await alice.push_blob("team/app", b"and more")
        assert await told(world, WARNING) == [
            {
                "project_id": team,
                "project": "team",
                "repository": "team/app",
                "actor": "alice",
                "digest": Digest.of(b"x"),
                "tag": "",
                "used": 850,
                "hard": 1000,
                "requested": 1,
                "details": "the project team uses 850 of the 1000 bytes that it may store",
            }
        ]

    async def test_it_is_told_again_when_room_was_made_meanwhile(self, world: World, alice: Person) -> None:
        await world.project("team", alice, limit=1000)
        for _ in range(2):
            await alice.push_blob("team/app", bytes(900))
            await alice.blob("team/app", Digest.of(bytes(900)), "DELETE")
        assert [each["used"] for each in await told(world, WARNING)] == [900, 900]

    async def test_a_manifest_is_told_with_its_tag(self, world: World, alice: Person) -> None:
        what = image()
        await world.project("team", alice, limit=what.size)
        await alice.push("team/app:v1", what)
        [warning] = await told(world, WARNING)
        assert (warning["tag"], warning["digest"]) == ("v1", what.digest)

    async def test_64_pushes_at_once_cross_it_once(self, world: World, alice: Person) -> None:
        await world.project("team", alice, limit=64 * 100)
        pushes = (alice.push_blob(f"team/app{n % 7}", bytes([n]) * 100) for n in range(64))
        assert {answer.status for answer in await asyncio.gather(*pushes)} == {201}
        assert [each["used"] for each in await told(world, WARNING)] == [5500]  # 85 % of 6400 are 5440

    async def test_what_was_pushed_without_a_limit_counts_when_it_gets_one(
        self, world: World, alice: Person
    ) -> None:
        team = await world.project("team", alice)
        await alice.push_blob("team/app", bytes(900))
        for hard, warnings in ((2000, 0), (1000, 1), (950, 1), (3000, 1), (100, 2)):
            await ask(world.admin, "PUT", f"/api/v2.0/quotas/{team}", {"hard": {"storage": hard}})
            assert len(await told(world, WARNING)) == warnings, hard
        first, last = await told(world, WARNING)
        assert (first["hard"], first["requested"], first["actor"], first["repository"]) == (
            1000,
            0,
            "admin",
            "",
        )
        assert (last["used"], last["hard"]) == (900, 100)

    async def test_pushes_that_were_on_their_way_when_the_limit_came_count_when_they_are_folded(
        self, world: World, alice: Person
    ) -> None:
        team = await world.project("team", alice, limit=1000)
        await world.run(insert(quota_deltas).values(project_id=team, delta=900))
        assert await world.db.write(fold) == 1
        await world.run(insert(quota_deltas).values(project_id=team, delta=50))
        assert await world.db.write(fold) == 1
        [warning] = await told(world, WARNING)
        assert (warning["project"], warning["used"], warning["actor"]) == ("team", 900, "")


class TestNotEnough:
    async def push(self, alice: Person) -> int:
        return (await alice.push_blob("team/app", bytes(101))).status

    async def mount(self, alice: Person) -> int:
        return (await alice.mount("team/app", Digest.of(bytes(102)), "other/app")).status

    async def manifest(self, alice: Person) -> int:
        return (await alice.push("team/app:v1", image(annotations={"text": "x" * 200}))).status

    async def copy(self, alice: Person) -> int:
        at = "/api/v2.0/projects/team/repositories/app/artifacts?from=other/app:v1"
        return (await alice("POST", at)).status

    @pytest.mark.parametrize("way", [push, mount, manifest, copy])
    async def test_a_refusal_is_told(
        self, world: World, alice: Person, way: Callable[..., Any], request: pytest.FixtureRequest
    ) -> None:
        await world.project("other", alice)
        await alice.push("other/app:v1", image("base"))
        await alice.push_blob("other/app", bytes(102))
        team = await world.project("team", alice, limit=100)
        await alice.push_blob("team/app", b"{}")
        assert await way(self, alice) == 403
        [event] = await told(world, EXCEEDED)
        assert (event["project_id"], event["project"], event["repository"]) == (team, "team", "team/app")
        assert (event["actor"], event["used"], event["hard"]) == ("alice", 2, 100)
        assert event["requested"] > 98
        assert event["digest"].startswith("sha256:")
        assert event["tag"] == ("v1" if way in (TestNotEnough.manifest, TestNotEnough.copy) else "")
        assert event["details"] == (
            "the project team uses 2 of the 100 bytes that it may store, which leaves no room for "
            f"{event['requested']} bytes more"
        )

    async def test_it_is_told_once_in_ten_minutes_for_each_project(self, world: World, alice: Person) -> None:
        for name in ("team", "other"):
            await world.project(name, alice, limit=100)
        for _ in range(2):
            pushes = [
                alice.push_blob(f"{name}/app", bytes(101)) for name in ("team", "other") for _ in range(8)
            ]
            assert {answer.status for answer in await asyncio.gather(*pushes)} == {403}
        assert sorted(each["project"] for each in await told(world, EXCEEDED)) == ["other", "team"]
        await self.later(world)
        assert await self.push(alice) == 403
        assert len(await told(world, EXCEEDED)) == 3

    async def later(self, world: World, seconds: int = charges.SELDOM_SECONDS) -> None:
        back = generations.c.value - seconds * 1_000_000
        await world.run(update(generations).where(generations.c.name.like("no room:%")).values(value=back))

    async def test_notes_are_dropped_when_they_say_nothing_any_more(
        self, world: World, alice: Person
    ) -> None:
        await world.project("team", alice, limit=100)
        await self.push(alice)
        await told(world, EXCEEDED)
        before = await world.count(generations)
        await forget_expired(world.db)
        assert await world.count(generations) == before
        await self.later(world)
        await forget_expired(world.db)
        assert await world.count(generations) == before - 1

    async def test_a_refusal_that_cannot_be_recorded_is_answered_all_the_same(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_args: object) -> bool:
            raise ConnectionError

        await world.project("team", alice, limit=100)
        monkeypatch.setattr(refusals, "told_lately", broken)
        assert await self.push(alice) == 403
        assert await told(world, EXCEEDED) == []


async def test_processes_tell_a_refusal_once(db: Database) -> None:
    async def tell() -> bool:
        return await db.write(lambda conn: refusals.tell_now(conn, 7, 600), soft=True)

    assert sorted(await asyncio.gather(*(tell() for _ in range(16)))) == [False] * 15 + [True]
    assert await refusals.told_lately(db, 7, 600)
    assert not await refusals.told_lately(db, 8, 600)
    assert await db.write(lambda conn: refusals.tell_now(conn, 7, 0), soft=True)


def test_scarce_is_85_percent_and_only_of_a_limit() -> None:
    standing = ledger.Standing
    for used, hard, scarce in (
        (84, 100, False),
        (85, 100, True),
        (2**50, -1, False),
        (0, 1, False),
        (6, 7, True),
    ):
        assert standing(used, hard).scarce == scarce, (used, hard)
    assert standing(85, 100).now_scarce(standing(84, 100))
    assert not standing(99, 100).now_scarce(standing(85, 100))
    assert standing(99, 100).now_scarce(standing(99, -1))


async def test_a_charge_says_how_things_stood(db: Database) -> None:
    from features.projects.test_store import person, project

    team = await project(db, "team", await person(db, "admin", sysadmin=True))
    await db.run(update(quotas).values(hard=100))

    async def charge(delta: int) -> ledger.Standing | None:
        return await db.write(lambda conn: ledger.charge(conn, team, delta))

    assert await charge(84) is None
    assert await charge(1) == ledger.Standing(85, 100)
    assert await charge(5) is None
    assert await charge(-50) is None
    with pytest.raises(ledger.NoRoom) as refused:
        await charge(61)
    assert (refused.value.standing, refused.value.requested) == (ledger.Standing(40, 100), 61)
