"""Pulls that are told: one event for each artifact, tag and caller, in the batch that counts them, to who wants it."""

import json
from collections.abc import Collection
from typing import Any

import pytest

from fairway.core.oci.names import Repository, Tag
from fairway.features.registry import pulls, store
from fairway.features.registry.pulls import Pulls
from fairway.frame.access.roles import Role
from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import artifacts, outbox, repositories, webhook_policies
from frame.db.plans import plan
from stories.world import Person, World, image

APP = Repository("team/app")
BASE = image("base")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    made = await world.project("team", alice, public=True)
    await alice.push("team/app:v1", BASE)
    return made


@pytest.fixture
def wanting(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The projects that want to be told."""
    chosen: set[int] = set()

    async def asked(_conn: Conn, project_ids: Collection[int]) -> set[int]:
        return chosen & set(project_ids)

    monkeypatch.setattr(store, "projects_wanting_pulls", asked)
    return chosen


async def told(db: Database) -> list[dict[str, Any]]:
    rows = await db.all(outbox.select().order_by(outbox.c.id))
    return [json.loads(row["payload"]) for row in rows if row["kind"] == "artifact.pulled"]


def by_whom(facts: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((each["actor"], each["count"]) for each in facts)


class TestWhoWants:
    async def test_each_caller_is_told_once_for_each_flush(
        self, world: World, alice: Person, team: int, wanting: set[int]
    ) -> None:
        wanting.add(team)
        bob = await world.member(team, "bob", Role.GUEST)
        bearer = await bob.with_token("repository:team/app:pull")
        for who in (alice, alice, bob, bearer, world.anybody):
            assert (await who.pull("team/app:v1")).status == 200
        assert await told(world.db) == []
        assert await world.parts.hub.pulls.flush() == 5
        facts = await told(world.db)
        assert by_whom(facts) == [("alice", 2), ("anonymous", 1), ("bob", 2)]
        [row] = await world.rows(repositories)
        for each in facts:
            assert each.pop("pulled_at") >= row["created_at"]
            del each["actor"], each["count"]
        assert facts == 3 * [
            {
                "project_id": team,
                "repository": "team/app",
                "repository_created_at": row["created_at"],
                "public": True,
                "digest": BASE.digest,
                "tag": "v1",
            }
        ]
        assert await world.parts.hub.pulls.flush() == 0
        await alice.pull(f"team/app@{BASE.digest}")
        await world.parts.hub.pulls.flush()
        assert [(each["tag"], each["count"]) for each in (await told(world.db))[3:]] == [("", 1)]

    async def test_who_does_not_want_it_is_not_told(
        self, world: World, alice: Person, team: int, wanting: set[int]
    ) -> None:
        other = await world.project("other", alice)
        await alice.push("other/app:v1", BASE)
        wanting.add(other)
        for name in ("team", "other"):
            await alice.pull(f"{name}/app:v1")
        assert await world.parts.hub.pulls.flush() == 2
        assert [each["repository"] for each in await told(world.db)] == ["other/app"]

    async def test_what_is_gone_is_passed_over(
        self, world: World, alice: Person, team: int, wanting: set[int]
    ) -> None:
        wanting.add(team)
        await alice.push("team/gone:v1", BASE)
        for name in ("app", "gone"):
            await alice.pull(f"team/{name}:v1")
        assert (await alice("DELETE", "/api/v2.0/projects/team/repositories/gone")).status == 200
        assert await world.parts.hub.pulls.flush() == 2
        assert [each["repository"] for each in await told(world.db)] == ["team/app"]

    async def test_counts_and_events_are_written_together_or_not_at_all(
        self, world: World, alice: Person, team: int, wanting: set[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(_conn: Conn, rows: object) -> None:
            raise RuntimeError

        wanting.add(team)
        await alice.pull("team/app:v1")
        with monkeypatch.context() as patch:
            patch.setattr(store, "add_pulls", broken)
            with pytest.raises(RuntimeError):
                await world.parts.hub.pulls.flush()
        assert await told(world.db) == []
        await alice.pull("team/app:v1")
        assert await world.parts.hub.pulls.flush() == 2
        assert by_whom(await told(world.db)) == [("alice", 2)]
        assert [row["pull_count"] for row in await world.rows(artifacts)] == [2]


class TestBounds:
    """Nobody's memory, and no transaction, grows with the number of those who pull."""

    def note(self, counted: Pulls, team: int, by: str, tag: str = "v1") -> None:
        counted.note(team, APP, Tag(tag), BASE.digest, by)

    async def test_of_very_many_callers_the_rest_is_told_together(
        self, world: World, team: int, wanting: set[int]
    ) -> None:
        wanting.add(team)
        counted = world.parts.hub.pulls
        for n in range(pulls.NAMES + 100):
            self.note(counted, team, f"node-{n:04}")
        await counted.flush()
        facts = by_whom(await told(world.db))
        assert facts[0] == ("", 100)
        assert [count for _, count in facts[1:]] == [1] * pulls.NAMES

    async def test_names_of_all_artifacts_are_bounded_and_half_of_them_is_for_who_wants_them(
        self, world: World, team: int, wanting: set[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "MOST_NAMES", 6)
        wanting.add(team)
        counted = world.parts.hub.pulls
        for kept in (3, 6, 6):
            for n in range(20):
                self.note(counted, team, "alice", f"v{n}")
            assert await counted.flush() == 20
            facts = (await told(world.db))[-20:]
            assert by_whom(facts) == [("", 1)] * (20 - kept) + [("alice", 1)] * kept

    async def test_a_batch_is_cut_by_what_it_writes(
        self, world: World, team: int, wanting: set[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "_BATCH", 10)
        wanting.add(team)
        counted = world.parts.hub.pulls
        sizes: list[int] = []
        add = store.add_pulls

        async def seen(conn: Conn, rows: list[store.PullRow]) -> None:
            sizes.append(len(rows))
            await add(conn, rows)

        monkeypatch.setattr(store, "add_pulls", seen)
        for tag in range(10):
            for who in range(4):
                self.note(counted, team, f"node-{who}", f"v{tag}")
        for who in range(12):
            self.note(counted, team, f"node-{who}", "v9")
        assert await counted.flush() == 52
        assert sizes == [2, 2, 2, 2, 1, 1]
        assert len(await told(world.db)) == 9 * 4 + 12

    async def test_what_could_not_be_written_keeps_its_names(
        self, world: World, team: int, wanting: set[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken:
            async def write(self, *_args: Any, **_options: Any) -> None:
                raise ConnectionError

        wanting.add(team)
        counted = Pulls(world.db)
        for by in ("alice", "bob"):
            self.note(counted, team, by)
        with monkeypatch.context() as patch:
            patch.setattr(counted, "_db", Broken())
            with pytest.raises(ConnectionError):
                await counted.flush()
        for by in ("alice", "carol"):
            self.note(counted, team, by)
        assert counted._names == 3
        assert await counted.flush() == 4
        assert by_whom(await told(world.db)) == [("alice", 2), ("bob", 1), ("carol", 1)]


async def test_places_are_found_by_project_and_name(world: World, alice: Person, team: int) -> None:
    other = await world.project("other", alice)
    for name in ("other/app", "other/deep/er", "team/deep/er"):
        await alice.push(f"{name}:v1", BASE)
    wanted = {(team, "app"), (other, "deep/er"), (4711, "app"), (team, "none")}
    found = await store.places(world.db, wanted)
    assert {place: found[place]["repository"] for place in wanted & found.keys()} == {
        (team, "app"): "team/app",
        (other, "deep/er"): "other/deep/er",
    }


async def test_who_has_a_webhook_for_pulls_wants_them(db: Database) -> None:
    common = {"creator": "alice", "created_at": 0, "updated_at": 0}
    for project, name, types, enabled in (
        (1, "a", ["PUSH_ARTIFACT", "PULL_ARTIFACT"], True),
        (1, "b", ["PULL_ARTIFACT"], True),
        (2, "a", ["PULL_ARTIFACT"], False),
        (3, "a", ["PUSH_ARTIFACT"], True),
        (4, "a", ["PULL_ARTIFACT"], True),
    ):
        row = {"project_id": project, "name": name, "event_types": json.dumps(types), "enabled": enabled}
        await db.run(webhook_policies.insert().values(**row, **common))
    assert await store.projects_wanting_pulls(db, {1, 2, 3, 5}) == {1}
    assert await store.projects_wanting_pulls(db, set()) == set()
    index = {
        "sqlite": "sqlite_autoindex_webhook_policies_1",
        "postgresql": "uq_webhook_policies_project_id_name",
    }
    assert index[db.dialect] in await plan(db, store._WANTING, projects="[1]")
