"""Deleting a project with all that is in it: gone at once for everybody, emptied by a job.  On both databases."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.features.artifacts import changing
from fairway.features.labels import store as label_store
from fairway.features.labels.model import Wanted as LabelWanted
from fairway.features.projects import deletions
from fairway.features.projects.store import going
from fairway.features.projects.store import members as member_store
from fairway.features.robots import store as robot_store
from fairway.features.robots.model import Access, Level, Wanted
from fairway.frame.access.catalogue import REPOSITORY_PULL
from fairway.frame.access.roles import Role
from fairway.frame.db import Conn, ReferenceViolation, ledger
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    audit_log,
    executions,
    gc_reviews,
    members,
    project_blobs,
    projects,
    quota_deltas,
    quotas,
    repositories,
    robots,
    tags,
    tasks,
)
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.gc import yard
from stories.world import Person, World, image, index, layer, replica

POINTS = {"project.repository_removed", "project.before_finish"}
"""Every crash point of the job that empties a project."""

API = "/api/v2.0/projects"
BASE = image("base", "code")
BOTH = index(image("arm"), image("amd"))
CONTENT = (repositories, artifacts, artifact_links, tags, project_blobs)
GONE = (400, 403, 404)
"""As for any project that is not there, or whose name is none."""


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her public project with three repositories, one of them with an index."""
    made = await world.project("team", alice, public=True)
    for name in ("a", "b/c"):
        assert (await alice.push(f"team/{name}:v1", BASE)).status == 201
    assert (await alice.push("team/multi:v1", BOTH)).status == 201
    return made


async def force(who: Person, project: str | int = "team") -> Any:
    return await who("DELETE", f"{API}/{project}?force=true")


async def left(world: World) -> dict[str, int]:
    """Rows of content, whoever's."""
    return {table.name: n for table in CONTENT if (n := await world.count(table))}


class TestGone:
    async def test_at_once_for_everybody(self, world: World, alice: Person, team: int) -> None:
        bob = await world.member(team, "bob", Role.DEVELOPER)
        token = await bob.with_token("repository:team/a:pull,push")
        nobody = await world.anybody.with_token("repository:team/a:pull")
        admins = await world.admin.with_token("registry:catalog:*")
        digest = Digest.of(layer("base"))
        assert (await token.pull("team/a:v1")).status == 200
        assert (await nobody.blob("team/a", digest)).status == 200
        assert (await force(alice)).status == 200
        for who in (token, nobody):
            assert (await who.pull("team/a:v1")).status == 404
            assert (await who.pull(f"team/a@{BASE.digest}")).status == 404
            assert (await who("HEAD", "/v2/team/a/manifests/v1")).status == 404
            assert (await who.blob("team/a", digest)).status == 404
            assert (await who.blob("team/a", digest, "HEAD")).status == 404
            assert (await who("GET", "/v2/team/a/tags/list")).status == 404
            assert not (await who("GET", f"/v2/team/a/referrers/{BASE.digest}")).json["manifests"]
        assert (await token.push("team/a:v2", image("late"))).status == 401
        assert (await admins("GET", "/v2/_catalog")).json == {"repositories": []}
        for who in (world.admin, alice, bob):
            for named in ("team", team, f"team%23{team}"):
                assert (await who("GET", f"{API}/{named}")).status in GONE
                assert (await who("GET", f"{API}/{named}/repositories")).status in GONE
            assert (await who("GET", API)).json == []
            assert (await who("GET", "/api/v2.0/repositories")).json == []
            assert (await who("GET", "/api/v2.0/search?q=a")).json["project"] == []
            assert (await who("GET", "/api/v2.0/search?q=a")).json["repository"] == []
        counts = (await world.admin("GET", "/api/v2.0/statistics")).json
        assert {name: n for name, n in counts.items() if n} == {}
        assert (await world.admin("GET", "/api/v2.0/quotas")).json == []
        for table in (members, quotas, quota_deltas, robots):
            assert await world.count(table) == 0

    async def test_its_labels_are_nobodys(self, world: World, alice: Person, team: int) -> None:
        wanted = LabelWanted("stable", "", "#00FF00")
        made = await world.db.write(lambda conn: label_store.create(conn, team, wanted, alice.user))
        at = f"/api/v2.0/labels/{made}"
        assert (await world.admin("GET", at)).status == 200
        assert (await force(alice)).status == 200
        for who in (world.admin, alice):
            assert (await who("GET", at)).status == 404
            assert (await who("DELETE", at)).status == 404

    async def test_its_name_is_free(self, world: World, alice: Person, team: int) -> None:
        old = await alice.with_token("repository:team/a:pull,push")
        assert (await force(alice)).status == 200
        made = await world.project("team", alice)
        assert (await alice.push("team/a:v1", image("new"))).status == 201
        assert (await old.pull("team/a:v1")).status == 404  # made for the older project of this name
        await world.work()
        assert (await alice.pull("team/a:v1")).status == 200
        assert [row["id"] for row in await world.rows(projects)] == [made]

    async def test_twice(self, world: World, alice: Person, team: int) -> None:
        answers = await asyncio.gather(force(world.admin), force(world.admin, team))
        assert sorted(answer.status for answer in answers) == [200, 404]
        assert await world.count(executions) == 1

    async def test_it_is_told_once(self, world: World, alice: Person, team: int) -> None:
        assert (await force(alice)).status == 200
        await world.work()
        follows = reactions(world.parts.notifications, world.parts.configuration)
        while await hand_over(world.db, follows):
            pass
        told = [row for row in await world.rows(audit_log) if row["resource_type"] == "project"]
        assert [(row["operation"], row["resource"], row["username"]) for row in told[-1:]] == [
            ("delete", "team", "alice")
        ]
        assert len([row for row in told if row["operation"] == "delete"]) == 1


class TestWithoutForce:
    @pytest.mark.parametrize("query", ["", "?force=false"])
    async def test_what_has_repositories_stays(
        self, world: World, alice: Person, team: int, query: str
    ) -> None:
        before = await world.stored()
        assert (await alice("DELETE", f"{API}/team{query}")).short == (412, "PRECONDITION")
        assert await world.stored() == before

    async def test_nobody_guesses_what_is_meant(self, world: World, alice: Person, team: int) -> None:
        assert (await alice("DELETE", f"{API}/team?force=perhaps")).status in (400, 422)
        assert (await alice.pull("team/a:v1")).status == 200

    async def test_only_who_may_delete_it(self, world: World, alice: Person, team: int) -> None:
        for role in (Role.MAINTAINER, Role.DEVELOPER, Role.GUEST):
            who = await world.member(team, f"m{int(role)}", role)
            assert (await force(who)).status == 403
        assert (await force(world.anybody)).status == 401
        assert (await alice.pull("team/a:v1")).status == 200


class TestRemoving:
    async def test_the_job_removes_all_and_leaves_blobs_to_the_collector(
        self, world: World, alice: Person, team: int
    ) -> None:
        await world.project("other", alice)
        assert (await alice.push("other/a:v1", BASE)).status == 201
        assert (await force(alice)).status == 200
        await world.work()
        assert [row["name"] for row in await world.rows(projects)] == ["other"]
        assert await left(world) == {
            "repositories": 1,
            "artifacts": 1,
            "artifact_links": 3,
            "tags": 1,
            "project_blobs": 4,
        }
        [run] = await world.rows(tasks)
        assert run["status"] == "Success"
        reviewed = {row["digest"] for row in await world.rows(gc_reviews) if row["project_id"] == 0}
        assert Digest.of(layer("arm")) in reviewed
        assert await yard.broken(world.db) == []
        assert (await alice.pull("other/a:v1")).status == 200

    async def test_an_empty_project(self, world: World, alice: Person) -> None:
        await world.project("bare", alice)
        assert (await force(alice, "bare")).status == 200
        await world.work()
        assert await world.count(projects) == 0

    async def test_half_done_it_goes_on(
        self, world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (await force(alice)).status == 200
        whole = changing.empty_repository

        async def once(*given: Any) -> None:
            await whole(*given)
            monkeypatch.setattr(changing, "empty_repository", fails)

        async def fails(*given: Any) -> None:
            raise OSError("the machine is tired")

        monkeypatch.setattr(changing, "empty_repository", once)
        await world.work()
        monkeypatch.setattr(changing, "empty_repository", whole)
        assert await world.count(repositories) == 2
        assert (await world.rows(tasks))[0]["status"] == "Pending"  # it is tried again
        await world.run(tasks.update().values(due_at=1))
        await world.work()
        assert await left(world) == {}
        assert await world.count(projects) == 0

    async def test_what_was_stopped_is_taken_up_again(self, world: World, alice: Person, team: int) -> None:
        assert (await force(alice)).status == 200
        await world.run(tasks.update().values(status="Stopped", single=None, ended_at=1))
        await world.work()
        assert await world.count(projects) == 1
        job = world.parts.jobs[deletions.PROJECT_DELETION]
        assert await deletions.go_on(world.db, job) == 1
        assert await deletions.go_on(world.db, job) == 0  # one is enough
        await world.work()
        assert await left(world) == {}
        assert await world.count(projects) == 0
        assert await deletions.go_on(world.db, job) == 0


WORKER = """
import asyncio, sys
from pathlib import Path
from stories.world import replica

async def main(url, folder):
    async with replica(url, Path(folder)) as world:
        await world.work()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(POINTS))
async def test_its_process_dies_and_another_goes_on(
    world: World, alice: Person, team: int, tmp_path: Path, point: str
) -> None:
    assert (await force(alice)).status == 200
    plan = tmp_path / "plan"
    plan.write_text(point)
    env = {**os.environ, "FAIRWAY_CRASHPOINT_FILE": str(plan), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORKER, world.settings.database_url, str(tmp_path)]
    died = await asyncio.to_thread(subprocess.run, command, env=env, check=False)
    assert died.returncode == -signal.SIGKILL
    assert await world.count(projects) == 1
    assert await world.count(repositories) == (2 if point == "project.repository_removed" else 0)
    await world.run(tasks.update().values(due_at=1))  # its lease is over
    await world.work()
    assert await left(world) == {}
    assert await world.count(projects) == 0
    assert await yard.broken(world.db) == []


class TestRaces:
    async def test_who_was_let_in_before_makes_nothing_in_it(self, world: World, alice: Person) -> None:
        """They would be told that it is made, and get a secret that is good for nothing."""
        bob = await world.person("bob")
        made = await world.project("team", alice)
        held = (Access(Level.PROJECT, "team", frozenset({REPOSITORY_PULL})),)
        wanted = Wanted("ci", Level.PROJECT, "", -1, False, held)
        making: tuple[Callable[[Conn], Awaitable[Any]], ...] = (
            lambda conn: member_store.add(conn, made, bob.id, Role.GUEST, alice.user),
            lambda conn: label_store.create(conn, made, LabelWanted("stable", "", "#00FF00"), alice.user),
            lambda conn: robot_store.create(conn, wanted, made, [], "", alice.user),
        )
        assert await world.db.write(partial(going.hide, project=made, by=alice.user)) == "team"
        before = await world.stored()
        for make in making:
            with pytest.raises(ReferenceViolation):
                await world.db.write(make)
        assert await world.stored() == before

    @pytest.mark.parametrize("limit", [-1, 10_000_000])
    async def test_what_is_let_go_of_meanwhile_is_charged_to_nobody(
        self, world: World, alice: Person, limit: int
    ) -> None:
        """A deletion in it, or the collector, that asks for the limit, and then waits for the quota that goes."""
        made = await world.project("team", alice, limit=limit)
        asked, gone = asyncio.Event(), asyncio.Event()

        class Slow:
            def __init__(self, conn: Conn) -> None:
                self.run, self.first = conn.run, conn.first
                self._conn = conn

            async def scalar(self, statement: Any, /, **params: Any) -> Any:
                found = await self._conn.scalar(statement, **params)
                if not asked.is_set():
                    asked.set()
                    if world.db.dialect == "postgresql":  # SQLite has one writer, which waits for nothing
                        await gone.wait()
                return found

        async def release(conn: Conn) -> None:
            slow: Any = Slow(conn)
            await ledger.charge(slow, made, -7)

        releasing = asyncio.create_task(world.db.write(release))
        await asyncio.wait_for(asked.wait(), 10)
        assert await world.db.write(partial(going.hide, project=made, by=alice.user))
        gone.set()
        await releasing
        assert len(await world.db.write(ledger.fold_deltas)) in (0, 1)
        assert await world.count(quotas) == await world.count(quota_deltas) == 0

    async def test_who_makes_something_while_it_is_deleted_is_told(self, world: World, alice: Person) -> None:
        bob = await world.person("bob")
        asked = json.dumps({"role_id": 3, "member_user": {"user_id": bob.id}}).encode()
        for _ in range(6):
            await world.project("team", alice)
            added, gone = await asyncio.gather(
                alice("POST", f"{API}/team/members", asked, headers={"content-type": "application/json"}),
                force(world.admin),
            )
            assert gone.status == 200
            assert added.status in (201, 403, 404)
            assert await world.count(members) == 0
            await world.work()

    async def test_pushes_while_it_is_deleted(
        self, world: World, alice: Person, database_url: str, tmp_path: Any
    ) -> None:
        async with replica(database_url, tmp_path) as second:
            other = Person(second, "alice", alice.id, alice.authorization)
            for turn in range(4):
                project = await world.project("team", alice, limit=-1 if turn % 2 else 10_000_000)
                stop = asyncio.Event()

                async def push(who: Person, n: int, stop: asyncio.Event = stop) -> set[int]:
                    seen, k = set(), 0
                    while not stop.is_set():
                        k += 1
                        answer = await who.push(f"team/r{n}:t{k % 3}", image(f"l{n}", f"m{k % 5}"))
                        seen.add(answer.status)
                    return seen

                pushing = [asyncio.create_task(push(who, n)) for n, who in enumerate([alice, other] * 2)]
                await asyncio.sleep(0.2)
                assert (await force(world.admin, project)).status == 200
                working = asyncio.create_task(world.work())
                await asyncio.sleep(0.1)
                stop.set()
                assert set().union(*await asyncio.gather(*pushing)) <= {201, 401, 404, 400}
                await working
                await world.work()
                assert await left(world) == {}
                assert await world.count(projects) == 0
                assert await yard.broken(world.db) == []
