"""A name that is given away again brings nothing with it: tokens mean ids, not names (T10)."""

import pytest
from sqlalchemy import delete, update

from fairway.core.oci.digest import Digest
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import members, projects, users
from stories.world import Person, World, image, layer

EVERYTHING = "repository:team/app:pull,push,delete"
BASE = Digest.of(layer("base"))


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team`, with an image in it."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


async def replace_project(world: World, owner: Person) -> None:
    """Another project now has the name."""
    await world.run(update(projects).where(projects.c.name == "team").values(name="old-team"))
    await world.project("team", owner)
    assert (await owner.push("team/app:v1", image("base", "secret"))).status == 201


async def test_a_token_for_the_old_project_opens_nothing_of_the_new_one(world: World, alice: Person) -> None:
    bearer = await alice.with_token(EVERYTHING)
    await replace_project(world, await world.person("bob"))
    before = await world.stored()
    secret = Digest.of(layer("secret"))
    assert (await bearer.pull("team/app:v1"))["docker-content-digest"] == image("base").digest, (
        "of the old one"
    )
    assert (await bearer.blob("team/app", secret)).status == 404
    for answer in (
        await bearer.push_blob("team/app", b"new"),
        await bearer.push_manifest("team/app:v2", image("base")),
        await bearer.delete("team/app:v1"),
        await bearer.blob("team/app", BASE, "DELETE"),
        await alice.pull("team/app:v1"),
    ):
        assert answer.short == (401, "UNAUTHORIZED")
    assert await world.stored() == before


async def test_who_is_a_member_of_both_needs_a_new_token(world: World, alice: Person) -> None:
    """Also when only the source of a mount was replaced."""
    await world.project("mine", alice)
    bearer = await alice.with_token(EVERYTHING, "repository:mine/app:pull,push")
    await replace_project(world, alice)
    assert (await bearer.push_blob("team/app", b"new")).short == (401, "UNAUTHORIZED")
    assert (await bearer.delete("team/app:v1")).short == (401, "UNAUTHORIZED")
    assert (await bearer.mount("mine/app", Digest.of(layer("secret")), "team/app")).status == 202
    fresh = await alice.with_token(EVERYTHING, "repository:mine/app:pull,push")
    assert (await fresh.mount("mine/app", Digest.of(layer("secret")), "team/app")).status == 201


async def test_a_person_of_the_same_name_is_somebody_else(world: World, alice: Person) -> None:
    dave = await world.member(1, "dave", Role.MAINTAINER)
    bearer = await dave.with_token(EVERYTHING)
    answer = await dave.ask_token(EVERYTHING, offline_token="true", client_id="x")
    refresh = answer.json["refresh_token"]
    upload = await bearer.start_upload("team/app")
    await world.run(delete(members).where(members.c.user_id == dave.id))
    await world.run(delete(users).where(users.c.id == dave.id))
    again = await world.member(1, "dave", Role.MAINTAINER)
    assert again.id > dave.id, "ids are never given twice"
    assert (await bearer.push_blob("team/app", b"new")).short == (401, "UNAUTHORIZED")
    assert (await bearer.delete("team/app:v1")).short == (401, "UNAUTHORIZED")
    form = f"grant_type=refresh_token&client_id=x&refresh_token={refresh}".encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await world.anybody("POST", "/service/token", form, headers=headers)).status == 401
    assert (await again("GET", upload)).short == (404, "BLOB_UPLOAD_UNKNOWN")
    assert (await again.push_blob("team/app", b"new")).status == 201
