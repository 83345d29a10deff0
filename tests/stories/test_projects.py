"""Projects and their members: what each role may do, and what a name is worth once its project is gone."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from fairway.core.oci.digest import Digest
from fairway.features.projects.store import projects
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import members
from stories.world import Person, World, image, layer, open_world

EVERYTHING = "repository:team/app:pull,push,delete"
BASE = Digest.of(layer("base"))


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project, with an image in it."""
    made = await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return made


class TestRoles:
    async def test_a_guest_pulls(self, world: World, team: int) -> None:
        for role in (Role.GUEST, Role.LIMITED_GUEST):
            guest = await world.member(team, role.name.lower(), role)
            assert (await guest.pull("team/app:v1")).status == 200
            assert (await guest.blob("team/app", BASE)).status == 200
            assert (await guest.push("team/app:v2", image("code"))).short == (401, "UNAUTHORIZED")
            assert (await guest.delete("team/app:v1")).short == (401, "UNAUTHORIZED")

    async def test_a_developer_pushes_but_deletes_nothing(self, world: World, team: int) -> None:
        developer = await world.member(team, "dev", Role.DEVELOPER)
        assert (await developer.push("team/app:v2", image("code"))).status == 201
        for name in ("team/app:v2", f"team/app@{image('code').digest}"):
            assert (await developer.delete(name)).short == (401, "UNAUTHORIZED")
        assert (await developer.blob("team/app", BASE, "DELETE")).short == (401, "UNAUTHORIZED")

    async def test_a_developer_cancels_what_they_began(self, world: World, team: int) -> None:
        developer = await world.member(team, "dev", Role.DEVELOPER)
        upload = await developer.start_upload("team/app")
        assert (await developer("DELETE", upload)).status == 204

    @pytest.mark.parametrize("role", [Role.MAINTAINER, Role.PROJECT_ADMIN])
    async def test_a_maintainer_deletes(self, world: World, team: int, role: Role) -> None:
        someone = await world.member(team, "someone", role)
        assert (await someone.delete("team/app:v1")).status == 202
        assert (await someone.delete(f"team/app@{image('base').digest}")).status == 202
        assert (await someone.blob("team/app", BASE, "DELETE")).status == 202

    async def test_a_lower_role_counts_at_the_next_request(self, world: World, team: int) -> None:
        bob = await world.member(team, "bob", Role.MAINTAINER)
        bearer = await bob.with_token(EVERYTHING)
        await world.run(update(members).where(members.c.user_id == bob.id).values(role=int(Role.GUEST)))
        for who in (bob, bearer):
            assert (await who.push_blob("team/app", b"more")).short == (401, "UNAUTHORIZED")
            assert (await who.delete("team/app:v1")).short == (401, "UNAUTHORIZED")
            assert (await who.pull("team/app:v1")).status == 200

    async def test_who_leaves_keeps_a_token_for_pulls_until_it_ends(self, world: World, team: int) -> None:
        bob = await world.member(team, "bob", Role.DEVELOPER)
        bearer = await bob.with_token(EVERYTHING)
        await world.run(delete(members).where(members.c.user_id == bob.id))
        assert (await bob.pull("team/app:v1")).short == (401, "UNAUTHORIZED")
        assert (await bearer.push_blob("team/app", b"more")).short == (401, "UNAUTHORIZED")
        assert (await bearer.pull("team/app:v1")).status == 200


class TestOneNameTwice:
    """A project is deleted, and somebody else makes one of the same name: old tokens are good for neither."""

    async def remake(self, world: World, old: int, owner: Person) -> None:
        await self.remove(world, old)
        await world.project("team", owner)
        assert (await owner.push("team/app:v1", image("base", "secret"))).status == 201

    async def remove(self, world: World, project: int) -> None:
        gone = await world.db.write(
            lambda conn: projects.remove(conn, project, world.admin.user, grace_seconds=0)
        )
        assert gone

    @pytest.fixture
    async def old(self, world: World, alice: Person) -> int:
        """Alice's project, which holds a blob and no repository, so that it may be deleted."""
        made = await world.project("team", alice)
        assert (await alice.push_blob("team/app", layer("base"))).status == 201
        return made

    async def test_an_old_token_reads_nothing_of_the_new_project(
        self, world: World, alice: Person, old: int
    ) -> None:
        bearer = await alice.with_token(EVERYTHING)
        await self.remake(world, old, await world.person("bob"))
        assert (await bearer.pull("team/app:v1")).short == (404, "NAME_UNKNOWN")
        assert (await bearer.pull(f"team/app@{image('base', 'secret').digest}")).status == 404
        assert (await bearer.blob("team/app", BASE)).short == (404, "BLOB_UNKNOWN")
        assert (await bearer.blob("team/app", BASE, "HEAD")).status == 404
        assert (await bearer("GET", "/v2/team/app/tags/list")).short == (404, "NAME_UNKNOWN")
        assert (await bearer("GET", f"/v2/team/app/referrers/{BASE}")).json["manifests"] == []

    async def test_an_old_token_changes_nothing_in_the_new_project(
        self, world: World, alice: Person, old: int
    ) -> None:
        bearer = await alice.with_token(EVERYTHING)
        await self.remake(world, old, alice)  # the same owner, even
        before = await world.stored()
        answers = [
            await bearer.push_blob("team/app", b"more"),
            await bearer("POST", "/v2/team/app/blobs/uploads/"),
            await bearer.push_manifest("team/app:v2", image("base", "secret")),
            await bearer.delete("team/app:v1"),
            await bearer.blob("team/app", BASE, "DELETE"),
        ]
        assert {answer.short for answer in answers} == {(401, "UNAUTHORIZED")}
        assert await world.stored() == before

    async def test_an_old_token_mounts_nothing_out_of_the_new_project(
        self, world: World, alice: Person, old: int
    ) -> None:
        await world.project("mine", alice)
        bearer = await alice.with_token("repository:mine/app:pull,push", "repository:team/app:pull")
        assert (await bearer.mount("mine/first", BASE, "team/app")).status == 401  # not its repository
        await self.remake(world, old, alice)
        assert (await bearer.mount("mine/app", BASE, "team/app")).status == 202
        assert (await bearer.blob("mine/app", BASE, "HEAD")).status == 404

    async def test_an_old_upload_does_not_go_on(self, world: World, alice: Person, old: int) -> None:
        upload = await alice.start_upload("team/app")
        await self.remake(world, old, alice)
        assert (await alice("PATCH", upload, b"data")).short == (404, "BLOB_UPLOAD_UNKNOWN")

    async def test_a_token_for_what_was_not_there_is_not_good_for_what_came(
        self, world: World, alice: Person
    ) -> None:
        bearer = await alice.with_token(EVERYTHING)
        await world.project("team", alice)
        assert (await bearer.push_blob("team/app", b"data")).short == (401, "UNAUTHORIZED")

    async def test_a_project_with_repositories_is_not_deleted(
        self, world: World, alice: Person, team: int
    ) -> None:
        answer = await alice("DELETE", "/api/v2.0/projects/team")
        assert answer.short == (412, "PRECONDITION")
        assert (await alice.pull("team/app:v1")).status == 200


class TestCreatingOnPush:
    """Where the operator allows it, a first push makes the project."""

    async def test_normally_it_does_not(self, world: World, alice: Person) -> None:
        assert (await alice.push("alice/app:v1", image())).short == (401, "UNAUTHORIZED")

    async def test_the_first_push_makes_a_private_project(self, database_url: str, tmp_path: Path) -> None:
        async with self.open(database_url, tmp_path) as world:
            alice = await world.person("alice")
            assert (await alice.push("alice/app:v1", image("base"))).status == 201
            assert (await alice.pull("alice/app:v1")).status == 200
            assert (await world.anybody.pull("alice/app:v1")).status == 401
            shown = (await alice("GET", "/api/v2.0/projects/alice")).json
            assert (shown["metadata"]["public"], shown["owner_name"]) == ("false", "alice")

    async def test_a_token_can_be_had_for_it_beforehand(self, database_url: str, tmp_path: Path) -> None:
        async with self.open(database_url, tmp_path) as world:
            alice = await world.person("alice")
            bearer = await alice.with_token("repository:alice/app:pull,push,delete")
            assert (await bearer.blob("alice/app", BASE, "HEAD")).status == 401  # there is nothing yet
            assert (await bearer.push("alice/app:v1", image("base"))).status == 201
            assert (await bearer.delete("alice/app:v1")).short == (401, "UNAUTHORIZED")

    async def test_nobody_and_bad_names_make_none(self, database_url: str, tmp_path: Path) -> None:
        async with self.open(database_url, tmp_path) as world:
            alice = await world.person("alice")
            before = await world.stored()
            assert (await world.anybody.push_blob("new/app", b"x")).status == 401
            assert (await alice.push_blob("a__b/app", b"x")).status == 401  # no name of a project
            assert (await alice.pull("new/app:v1")).status == 401
            assert (await alice.delete("new/app:v1")).status == 401
            assert await world.stored() == before

    async def test_asking_about_an_upload_or_ending_one_makes_none(
        self, database_url: str, tmp_path: Path
    ) -> None:
        async with self.open(database_url, tmp_path) as world:
            alice = await world.person("alice")
            bearer = await alice.with_token("repository:new/app:pull,push")
            before = await world.stored()
            for who in (alice, bearer):
                for method in ("GET", "PATCH", "DELETE"):
                    answer = await who(method, "/v2/new/app/blobs/uploads/0123")
                    assert answer.short == (401, "UNAUTHORIZED")
                answer = await who("PUT", f"/v2/new/app/blobs/uploads/0123?digest={BASE}")
                assert answer.short == (401, "UNAUTHORIZED")
            assert await world.stored() == before

    async def test_others_get_nothing_from_a_project_made_so(self, database_url: str, tmp_path: Path) -> None:
        async with self.open(database_url, tmp_path) as world:
            alice, bob = await world.person("alice"), await world.person("bob")
            early = await bob.with_token("repository:alice/app:pull,push")
            assert (await alice.push("alice/app:v1", image("base"))).status == 201
            for who in (bob, early):
                assert (await who.push_blob("alice/app", b"x")).status == 401
                assert (await who.pull("alice/app:v1")).status == 401

    def open(self, database_url: str, folder: Path) -> Any:
        return open_world(database_url, folder, create_project_on_push=True)
