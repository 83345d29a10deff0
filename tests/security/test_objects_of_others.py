"""An object of one project is not reached through another one, by nobody (T03); what is made gives no role (T07)."""

import json

import pytest
from sqlalchemy import select

from fairway.frame.access.roles import Role
from fairway.frame.db.tables import members
from stories.world import Person, World, image, replica

JSON = {"content-type": "application/json"}


async def send(who: Person, method: str, target: str, body: object = None) -> tuple[int, str]:
    answer = await who(method, f"/api/v2.0{target}", json.dumps(body).encode() if body else b"", headers=JSON)
    return (answer.status, "") if answer.status < 400 else answer.short


@pytest.fixture
async def alice(world: World) -> Person:
    """She administers both, so that nothing but the path is wrong."""
    alice = await world.person("alice")
    for name in ("mine", "other"):
        project = await world.project(name, alice)
        await world.member(project, f"member-of-{name}", Role.GUEST)
        assert (await alice.push(f"{name}/app:v1", image("base", name))).status == 201
    return alice


async def test_a_membership_of_another_project(world: World, alice: Person) -> None:
    rows = await world.rows(members)
    there = max(row["id"] for row in rows if row["role"] == Role.GUEST)
    project = next(row["project_id"] for row in rows if row["id"] == there)
    here = "mine" if (await send(alice, "GET", f"/projects/mine/members/{there}"))[0] == 404 else "other"
    before = await world.stored()
    for method, body in (("GET", None), ("PUT", {"role_id": 1}), ("DELETE", None)):
        assert await send(alice, method, f"/projects/{here}/members/{there}", body) == (404, "NOT_FOUND")
    assert await world.stored() == before
    assert await send(alice, "DELETE", f"/projects/{project}/members/{there}") == (200, "")


async def test_a_label_of_another_project(world: World, alice: Person) -> None:
    project = (await alice("GET", "/api/v2.0/projects/other")).json["project_id"]
    answer = await alice(
        "POST",
        "/api/v2.0/labels",
        json.dumps({"name": "theirs", "scope": "p", "project_id": project}).encode(),
        headers=JSON,
    )
    label = int(dict(answer.headers)["location"].rpartition("/")[2])
    target = "/repositories/app/artifacts/v1/labels"
    before = await world.stored()
    assert await send(alice, "POST", f"/projects/mine{target}", {"id": label}) == (404, "NOT_FOUND")
    assert await world.stored() == before
    assert await send(alice, "POST", f"/projects/other{target}", {"id": label}) == (200, "")
    before = await world.stored()
    assert await send(alice, "DELETE", f"/projects/mine{target}/{label}") == (404, "NOT_FOUND")
    assert await world.stored() == before


async def test_artifacts_and_tags_of_another_project(world: World, alice: Person) -> None:
    theirs = image("base", "other").digest
    before = await world.stored()
    for method, target in (
        ("GET", f"artifacts/{theirs}"),
        ("DELETE", f"artifacts/{theirs}"),
        ("GET", f"artifacts/{theirs}/tags"),
        ("DELETE", f"artifacts/{theirs}/tags/v1"),
        ("GET", f"artifacts/{theirs}/accessories"),
        ("GET", f"artifacts/{theirs}/additions/build_history"),
    ):
        assert await send(alice, method, f"/projects/mine/repositories/app/{target}") == (404, "NOT_FOUND")
    assert await world.stored() == before


async def test_a_first_push_gives_nobody_a_role(world: World, alice: Person) -> None:
    project = (await alice("GET", "/api/v2.0/projects/mine")).json["project_id"]
    bob = await world.member(project, "bob", Role.DEVELOPER)
    before = await world.rows(members)
    assert (await bob.push("mine/new:v1", image("base", "new"))).status == 201
    assert await world.rows(members) == before
    assert (await bob("DELETE", "/api/v2.0/projects/mine/repositories/new")).status == 403


async def test_who_pushes_the_first_image_of_a_project_owns_that_project_only(
    world: World, alice: Person, database_url: str, tmp_path: object
) -> None:
    bob = await world.person("bob")
    async with replica(database_url, tmp_path, create_project_on_push=True) as there:  # type: ignore[arg-type]
        pushed = await Person(there, bob.name, bob.id, bob.authorization).push("fresh/app:v1", image("base"))
    assert pushed.status == 201
    mine = select(members.c.project_id, members.c.role).where(members.c.user_id == bob.id)
    rows = await world.db.all(mine)
    assert [row["role"] for row in rows] == [Role.PROJECT_ADMIN]
    fresh = (await bob("GET", "/api/v2.0/projects/fresh")).json["project_id"]
    assert rows[0]["project_id"] == fresh
