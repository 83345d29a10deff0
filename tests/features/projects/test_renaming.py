"""Renaming: a project keeps its content, its people and its robots, and its former names lead to it.  On both databases."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest, NameInvalid
from fairway.core.oci.names import Repository
from fairway.features.artifacts.store.kept import ensure_repository
from fairway.features.projects.model import Wanted
from fairway.features.projects.rules import MAX_ALIASES
from fairway.features.projects.store import names, projects
from fairway.features.registry.store import catalogue
from fairway.frame.access.principals import ANONYMOUS, User
from fairway.frame.access.roles import Role
from fairway.frame.db import Database, UniqueViolation
from fairway.frame.db.tables import audit_log, outbox, project_aliases
from fairway.frame.db.tables import projects as project_rows
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.projects.test_store import person, project
from frame.db.plans import plan
from stories.asgi import Answer, call
from stories.world import Person, World, image, layer, open_world, replica

OWN = "/api/fairway/projects"
BASE = image("base")


async def rename(who: Person, project: str, name: str) -> Answer:
    return await who("PUT", f"{OWN}/{project}/name", f'{{"name": "{name}"}}'.encode(), headers=JSON)


JSON = {"content-type": "application/json"}


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project, renamed: `team` is its former name, `crew` the one of today."""
    made = await world.project("team", alice)
    assert (await alice.push("team/app:v1", BASE)).status == 201
    assert (await rename(alice, "team", "crew")).status == 200
    return made


class TestFormerNames:
    async def test_pulls_and_pushes_go_on_under_either_name(
        self, world: World, alice: Person, team: int
    ) -> None:
        for n, name in enumerate(("team", "crew")):
            assert (await alice.pull(f"{name}/app:v1")).status == 200
            bearer = await alice.with_token(f"repository:{name}/app:pull,push")
            assert (await bearer.pull(f"{name}/app:v1")).status == 200
            assert (await bearer.push(f"{name}/app:n{n}", image("code"))).status == 201
        assert await alice.tags("crew/app") == await alice.tags("team/app") == ["n0", "n1", "v1"]

    async def test_an_upload_that_began_before_goes_on(self, world: World, alice: Person) -> None:
        await world.project("team", alice)
        at = await alice.start_upload("team/app")
        assert (await rename(alice, "team", "crew")).status == 200
        data = layer("more")
        done = await alice("PUT", f"{at}{'&' if '?' in at else '?'}digest={Digest.of(data)}", data)
        assert done.status == 201
        assert (await alice.blob("crew/app", Digest.of(data))).status == 200

    async def test_a_token_of_before_is_good_for_the_project_and_its_former_name(
        self, world: World, alice: Person
    ) -> None:
        await world.project("team", alice)
        bearer = await alice.with_token("repository:team/app:pull,push")
        assert (await rename(alice, "team", "crew")).status == 200
        assert (await bearer.push("team/app:v1", BASE)).status == 201
        assert (await bearer.pull("crew/app:v1")).status == 401  # the token names another repository

    async def test_blobs_are_mounted_from_a_former_name(self, world: World, alice: Person, team: int) -> None:
        await world.project("other", alice)
        assert (await alice.mount("other/app", Digest.of(layer("base")), "team/app")).status == 201

    async def test_the_api_answers_by_either_name_and_tells_the_new_one(
        self, world: World, alice: Person, team: int
    ) -> None:
        for name in ("team", "crew", str(team)):
            found = await alice("GET", f"/api/v2.0/projects/{name}")
            assert (found.status, found.json["name"]) == (200, "crew")
        listed = await alice("GET", "/api/v2.0/projects/team/repositories")
        assert [each["name"] for each in listed.json] == ["crew/app"]
        one = await alice("GET", "/api/v2.0/projects/team/repositories/app/artifacts/v1")
        assert (one.status, one.json["digest"]) == (200, BASE.digest)
        assert (await alice("HEAD", "/api/v2.0/projects?project_name=team")).status == 200

    async def test_what_is_told_has_the_name_of_today(self, world: World, alice: Person, team: int) -> None:
        assert (await alice.push("team/app:v2", image("code"))).status == 201
        assert (await alice("DELETE", "/api/v2.0/projects/team/repositories/app/artifacts/v2")).status == 200
        await hand_over(world.db, reactions(world.parts.notifications))
        lines = [row["description"] for row in await world.rows(audit_log)]
        assert "rename project: team to crew" in lines
        after = lines[lines.index("rename project: team to crew") + 1 :]
        assert len(after) == 2
        assert all("crew/app@" in line for line in after)

    async def test_strangers_learn_nothing_by_a_former_name(
        self, world: World, alice: Person, team: int
    ) -> None:
        mallory = await world.person("mallory")
        for method, path in (
            ("GET", "/api/v2.0/projects/{}"),
            ("GET", "/api/v2.0/projects/{}/repositories"),
            ("GET", OWN + "/{}/aliases"),
            ("DELETE", OWN + "/{}/aliases/x"),
            ("GET", "/v2/{}/app/manifests/v1"),
            ("GET", "/v2/{}/app/tags/list"),
        ):
            told = []
            for name in ("team", "crew", "none"):
                answer = await mallory(method, path.format(name))
                told.append((answer.status, answer.body.replace(name.encode(), b"_")))
            assert told[0] == told[1] == told[2]
        asked = [(await mallory.ask_token(f"repository:{n}/app:pull")).status for n in ("team", "none")]
        assert asked == [200, 200]
        bearer = await mallory.with_token("repository:team/app:pull,push")
        assert (await bearer.pull("team/app:v1")).status == 401

    async def test_a_robot_for_some_repositories_stays_so_when_it_is_changed_by_a_former_name(
        self, alice: Person, team: int
    ) -> None:
        """By a client that does not know of `repositories`, which would open the others."""
        access = b'"access": [{"resource": "repository", "action": "pull"}]'
        grant = b'{"kind": "project", "namespace": "team", %s}' % access
        some = grant.replace(b'"access"', b'"repositories": ["web/**"], "access"')
        asked = b'{"name": "ci", "level": "project", "duration": 1, "permissions": [%s]}'
        made = await alice("POST", "/api/v2.0/robots", asked % some, headers=JSON)
        assert made.status == 201, made.body
        at = f"/api/v2.0/robots/{made.json['id']}"
        for name in (b"team", b"crew"):
            forgetful = asked % grant.replace(b"team", name)
            assert (await alice("PUT", at, forgetful, headers=JSON)).short == (400, "BAD_REQUEST")
            assert (await alice("GET", at)).json["permissions"][0]["repositories"] == ["web/**"]
        assert (await alice("PUT", at, asked % some, headers=JSON)).status == 200

    async def test_a_robot_logs_in_by_either_name(self, world: World, alice: Person) -> None:
        await world.project("team", alice)
        assert (await alice.push("team/app:v1", BASE)).status == 201
        asked = (
            b'{"name":"ci","level":"project","duration":-1,"permissions":[{"kind":"project","namespace":"team",'
            b'"access":[{"resource":"repository","action":"pull"}]}]}'
        )
        made = await alice("POST", "/api/v2.0/robots", asked, headers=JSON)
        assert made.status == 201, made.body
        assert (await rename(alice, "team", "crew")).status == 200
        for home in ("team", "crew"):
            secret = f"robot$team+ci:{made.json['secret']}".replace("team", home).encode()
            headers = {"authorization": f"Basic {b64encode(secret).decode()}"}
            for name in ("team", "crew"):
                answer = await call(world.app, "GET", f"/v2/{name}/app/manifests/v1", b"", headers=headers)
                assert answer.status == 200
        shown = await alice("GET", f"/api/v2.0/robots/{made.json['id']}")
        assert (shown.json["name"], shown.json["permissions"][0]["namespace"]) == ("robot$crew+ci", "crew")
        former = asked.replace(b'"ci"', b'"robot$team+ci"')
        at = f"/api/v2.0/robots/{made.json['id']}"
        assert (await alice("PUT", at, former, headers=JSON)).status == 200
        other = asked.replace(b'"ci"', b'"robot$none+ci"')
        assert (await alice("PUT", at, other, headers=JSON)).status == 400
        changed = await alice(
            "PUT",
            f"/api/v2.0/robots/{made.json['id']}",
            asked.replace(b'"ci"', b'"robot$crew+ci"'),
            headers=JSON,
        )
        assert changed.status == 200, changed.body


class TestTakingNames:
    async def test_a_former_name_is_taken_until_it_is_let_go_of(
        self, world: World, alice: Person, team: int
    ) -> None:
        bob = await world.person("bob")
        asked = b'{"project_name": "team"}'
        former = await bob("POST", "/api/v2.0/projects", asked, headers=JSON)
        present = await bob("POST", "/api/v2.0/projects", asked.replace(b"team", b"crew"), headers=JSON)
        assert former.status == present.status == 409
        assert former.body.replace(b"team", b"_") == present.body.replace(b"crew", b"_")
        listed = await alice("GET", f"{OWN}/crew/aliases")
        assert [each["name"] for each in listed.json] == ["team"]
        assert (await alice("DELETE", f"{OWN}/team/aliases/team")).status == 200
        assert (await alice("DELETE", f"{OWN}/crew/aliases/team")).status == 404
        assert (await alice.pull("team/app:v1")).status == 401
        assert (await bob("POST", "/api/v2.0/projects", asked, headers=JSON)).status == 201
        assert (await bob.pull("team/app:v1")).short == (404, "NAME_UNKNOWN")

    async def test_who_may(self, world: World, alice: Person, team: int) -> None:
        for role in (Role.MAINTAINER, Role.DEVELOPER, Role.GUEST):
            someone = await world.member(team, role.name.lower().replace("_", "-"), role)
            assert (await rename(someone, "crew", "mine")).status == 403
        assert (await rename(world.anybody, "crew", "mine")).status == 401
        assert (await rename(world.admin, "none", "mine")).status == 404
        restricted = b'{"project_creation_restriction": "adminonly"}'
        assert (await world.admin("PUT", "/api/v2.0/configurations", restricted, headers=JSON)).status == 200
        assert (await rename(alice, "crew", "mine")).status == 403
        assert (await rename(world.admin, "crew", "mine")).status == 200

    @pytest.mark.parametrize("name", ["", "Crew", "a/b", "a__b", "x" * 256, "-a"])
    async def test_a_bad_name_changes_nothing(
        self, world: World, alice: Person, team: int, name: str
    ) -> None:
        before = await world.stored()
        assert (await rename(alice, "crew", name)).status == 400
        assert await world.stored() == before

    async def test_no_repository_gets_a_name_too_long(self, world: World, alice: Person, team: int) -> None:
        assert (await alice.push(f"crew/{'r' * 200}:v1", BASE)).status == 201
        refused = await rename(alice, "crew", "x" * 55)
        assert refused.status == 400
        assert b"up to 54 characters" in refused.body
        assert (await rename(alice, "crew", "x" * 54)).status == 200
        assert (await alice.pull(f"{'x' * 54}/{'r' * 200}:v1")).status == 200


class TestStore:
    async def test_chains_and_the_way_back(self, db: Database) -> None:
        alice = await person(db, "alice")
        made = await project(db, "a", alice)
        for name in ("b", "c", "c", "a"):
            assert await db.write(lambda conn, name=name: names.rename(conn, made, name, alice))
        assert {row["name"] for row in await names.aliases(db, made)} == {"b", "c"}
        for name in ("a", "b", "c"):
            facts = await projects.facts(db, ANONYMOUS, name)
            assert facts is not None
            assert (facts.id, facts.name) == (made, "a")
        kinds = [row["kind"] for row in await db.all(select(outbox).order_by(outbox.c.id))]
        assert kinds == ["project.created"] + ["project.name-changed"] * 3  # c to c is nothing

    async def test_two_projects_change_names(self, db: Database) -> None:
        alice = await person(db, "alice")
        one, two = await project(db, "one", alice), await project(db, "two", alice)
        with pytest.raises(UniqueViolation):
            await db.write(lambda conn: names.rename(conn, one, "two", alice))
        await db.write(lambda conn: names.rename(conn, one, "tmp", alice))
        with pytest.raises(UniqueViolation):
            await db.write(lambda conn: names.rename(conn, two, "one", alice))
        assert await db.write(lambda conn: names.drop_alias(conn, one, "one", alice))
        assert not await db.write(lambda conn: names.drop_alias(conn, two, "one", alice))
        await db.write(lambda conn: names.rename(conn, two, "one", alice))
        facts = await projects.facts(db, ANONYMOUS, "one")
        assert facts is not None
        assert facts.id == two

    async def test_former_names_are_few_and_go_with_the_project(self, db: Database) -> None:
        alice = await person(db, "alice")
        made = await project(db, "n0", alice)
        for n in range(MAX_ALIASES):
            await db.write(lambda conn, n=n: names.rename(conn, made, f"n{n + 1}", alice))
        with pytest.raises(BadRequest):
            await db.write(lambda conn: names.rename(conn, made, "more", alice))
        assert await db.write(lambda conn: projects.remove(conn, made, alice, grace_seconds=0))
        assert await db.all(select(project_aliases)) == []
        assert not await db.write(lambda conn: names.rename(conn, made, "again", alice))
        await project(db, "n3", alice)

    async def test_a_name_is_found_by_indexes(self, db: Database) -> None:
        found = await plan(db, projects._FACTS_BY_NAME, name="team", viewer=1)
        for table in ("projects", "project_aliases"):
            assert not any(walk in found for walk in (f"SCAN {table}", f"Seq Scan on {table} ")), found

    async def test_races_for_a_name_have_one_winner(self, db: Database) -> None:
        alice = await person(db, "alice")
        for turn in range(6):
            here = [await project(db, f"p{turn}-{n}", alice) for n in range(3)]
            wanted = f"wanted{turn}"
            outcomes = await asyncio.gather(
                *(db.write(partial(names.rename, project=each, name=wanted, by=alice)) for each in here),
                project(db, wanted, alice),
                return_exceptions=True,
            )
            won = [each for each in outcomes if not isinstance(each, BaseException)]
            assert len(won) == 1
            assert all(isinstance(each, UniqueViolation) for each in outcomes if each not in won)

    async def test_whatever_races_no_name_is_two_projects(self, db: Database) -> None:
        """Renames there and back, making projects and letting go of names, all over four names."""
        alice = await person(db, "alice")
        pool = ["w", "x", "y", "z"]
        here = [await project(db, name, alice) for name in pool[:2]]

        async def one(n: int) -> None:
            name, each = pool[n % 4], here[n % 2]
            if n % 5 == 0:
                await db.write(lambda conn: names.drop_alias(conn, each, name, alice))
            elif n % 7 == 0:
                made = await db.write(lambda conn: projects.create(conn, Wanted(name), alice))
                await db.write(lambda conn: projects.remove(conn, made, alice, grace_seconds=0))
            else:
                await db.write(lambda conn: names.rename(conn, each, name, alice))

        for turn in range(4):
            ended = await asyncio.gather(*(one(turn * 24 + n) for n in range(24)), return_exceptions=True)
            odd = [
                each
                for each in ended
                if isinstance(each, BaseException) and not isinstance(each, UniqueViolation)
            ]
            assert odd == []
            now = {row["name"] for row in await db.all(select(project_rows.c.name))}
            former = {row["name"] for row in await db.all(select(project_aliases.c.name))}
            assert not now & former
            assert len(await db.all(select(project_rows.c.id))) == 2


async def test_a_push_makes_no_project_of_a_former_name(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, create_project_on_push=True) as world:
        alice, bob = await world.person("alice"), await world.person("bob")
        await world.project("team", alice)
        assert (await rename(alice, "team", "crew")).status == 200
        told = []
        for name in ("team", "crew"):  # hidden from him under either
            answer = await bob.push(f"{name}/app:v1", BASE)
            told.append((answer.status, answer.body.replace(name.encode(), b"_")))
        assert told[0] == told[1]
        assert told[0][0] == 401
        assert await world.count(project_rows) == 1
        assert (await alice.push("team/app:v1", BASE)).status == 201
        assert await alice.tags("crew/app") == ["v1"]


async def test_a_rename_counts_at_once_in_another_process(
    world: World, alice: Person, database_url: str, tmp_path: Path
) -> None:
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", BASE)).status == 201
    async with replica(database_url, tmp_path) as other:
        there = replace(alice, world=other)
        assert (await there.pull("team/app:v1")).status == 200
        assert (await there.pull("crew/app:v1")).status == 401
        assert (await rename(alice, "team", "crew")).status == 200
        assert (await there.pull("crew/app:v1")).status == (await there.pull("team/app:v1")).status == 200
        assert (await alice("DELETE", f"{OWN}/crew/aliases/team")).status == 200
        assert (await there.pull("team/app:v1")).status == 401


async def test_a_rename_and_a_deletion_at_once(db: Database) -> None:
    alice = await person(db, "alice")
    for n in range(8):
        made = await project(db, f"p{n}", alice)
        renamed, gone = await asyncio.gather(
            db.write(partial(names.rename, project=made, name=f"q{n}", by=alice)),
            db.write(partial(projects.remove, project=made, by=alice, grace_seconds=0)),
        )
        assert gone
        assert renamed in (True, False)
        assert await projects.facts(db, ANONYMOUS, made) is None
    assert await db.all(select(project_aliases)) == []


async def test_who_was_let_in_before_a_rename_makes_no_name_too_long(db: Database) -> None:
    """A push, or having a deleted manifest back: the list of all repositories would fail for its sake."""
    alice = await person(db, "alice")
    made = await project(db, "team", alice)
    short, long = "a" * 200, "a" * 250
    assert await db.write(lambda conn: ensure_repository(conn, made, short))
    assert await db.write(lambda conn: names.rename(conn, made, "department-of-teams", alice))
    with pytest.raises(NameInvalid):
        await db.write(lambda conn: ensure_repository(conn, made, long))
    assert [name for name in await catalogue(db, "", 9) if Repository(name)] == [
        f"department-of-teams/{short}"
    ]
    assert await db.write(lambda conn: ensure_repository(conn, made, short))


async def test_a_push_and_a_rename_at_once(world: World, alice: Person) -> None:
    made = await world.project("n0", alice)
    for n in range(4):
        pushed, renamed = await asyncio.gather(
            alice.push(f"n{n}/app:v{n}", image(f"layer{n}")), rename(alice, f"n{n}", f"n{n + 1}")
        )
        assert (pushed.status, renamed.status) == (201, 200)
    assert await alice.tags("n4/app") == await alice.tags("n0/app") == ["v0", "v1", "v2", "v3"]
    found = await projects.by_id(world.db, made, User(alice.id, "alice"))
    assert found is not None
    assert found.name == "n4"
