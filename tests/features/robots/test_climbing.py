"""No way up: what somebody cannot do, no robot of theirs can, and nobody reaches the robots of others (T03, T05)."""

from typing import Any

import pytest
from sqlalchemy import update

from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import robots, users
from features.robots.making import JSON, ROBOTS, body, granted, on, post, robot, send, shown
from stories.world import Person, World

MANAGER = ("robot:create", "robot:read", "robot:list", "robot:delete")
EVERYTHING = [str(each) for each in sorted(GRANTABLE_IN_PROJECT)]


async def refused(
    world: World, who: Person, name: str, *places: dict[str, Any], **changes: Any
) -> tuple[int, str]:
    """What it gets; nothing is made of it."""
    before = await world.stored()
    answer = await post(who, name, *places, **changes)
    assert answer.status != 201, "it was made"
    assert await world.stored() == before
    return answer.short


async def test_project_administrators_make_robots_of_their_projects_and_no_others(world: World) -> None:
    team = await world.project("team")
    await world.project("other")
    boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
    made = await robot(world, "all", on("team", *EVERYTHING), by=boss)
    assert (await shown(world, made.id))["creator_ref"] == boss.id
    for places in ([on("other", "repository:pull")], [on("absent", "repository:pull")]):
        assert await refused(world, boss, "ci", *places) == (403, "FORBIDDEN")
    for places in ([on("/", "catalog:read")], [on("*", "repository:pull")], [on("team", "repository:pull")]):
        assert await refused(world, boss, "ci", *places, level="system") == (403, "FORBIDDEN")


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.PROJECT_ADMIN])
async def test_no_other_member_makes_or_changes_any(world: World, role: Role) -> None:
    team = await world.project("team")
    member = await world.member(team, "member", role)
    made = await robot(world, "ci", on("team", "repository:pull"))
    whole = await shown(world, made.id)
    assert await refused(world, member, "mine", on("team", "repository:pull")) == (403, "FORBIDDEN")
    before = await world.stored()
    assert (await send(member, "PUT", f"{ROBOTS}/{made.id}", whole)).short == (403, "FORBIDDEN")
    assert (await send(member, "PATCH", f"{ROBOTS}/{made.id}", {})).short == (403, "FORBIDDEN")
    assert (await member("DELETE", f"{ROBOTS}/{made.id}")).short == (403, "FORBIDDEN")
    assert await world.stored() == before


async def test_a_robot_of_another_project_cannot_be_reached(world: World) -> None:
    mine, theirs = await world.project("mine"), await world.project("theirs")
    boss = await world.member(mine, "boss", Role.PROJECT_ADMIN)
    hidden = await robot(world, "ci", on("theirs", "repository:pull"))
    system = await robot(world, "ops", on("/", "catalog:read"))
    whole = body("ci", on("mine", "repository:pull"))
    before = await world.stored()
    nobody = "77"
    for id in (hidden.id, system.id, nobody):
        target = f"{ROBOTS}/{id}"
        answers = [
            await boss("GET", target),
            await send(boss, "PUT", target, whole),
            await send(boss, "PATCH", target, {"secret": "Chosen-secret-1"}),
            await boss("DELETE", target),
        ]
        assert [answer.short for answer in answers] == [(403, "FORBIDDEN")] * 4, id
    assert (await boss("GET", f"{ROBOTS}?q=Level=project,ProjectID={theirs}")).status == 403
    assert (await boss("GET", ROBOTS)).status == 403
    assert (await world.anybody("GET", f"{ROBOTS}/{hidden.id}")).status == 401
    assert await world.stored() == before


async def test_a_robot_grants_what_it_holds_and_no_more(world: World) -> None:
    await world.project("team")
    await world.project("other")
    maker = await robot(world, "maker", on("team", "repository:pull", *MANAGER))
    child = await robot(world, "child", on("team", "repository:pull"), by=maker)
    found = await shown(world, child.id)
    assert (found["creator_type"], found["creator_ref"]) == ("robot", maker.id)
    assert granted(found["permissions"]) == {"team": ["repository:pull"]}
    denied = (403, "DENIED")
    assert await refused(world, maker, "x", on("team", "repository:push")) == denied
    assert await refused(world, maker, "x", on("team", "repository:pull", "tag:delete")) == denied
    assert await refused(world, maker, "x", on("other", "repository:pull")) == (403, "FORBIDDEN")
    assert await refused(world, maker, "x", on("absent", "repository:pull")) == (403, "FORBIDDEN")
    for places in ([on("*", "repository:pull")], [on("/", "catalog:read")], [on("team", "repository:pull")]):
        assert await refused(world, maker, "x", *places, level="system") == (403, "FORBIDDEN")
    assert (await maker("DELETE", f"{ROBOTS}/{child.id}")).status == 200


async def test_a_robot_of_the_system_level_grants_what_it_holds_where_it_holds_it(world: World) -> None:
    await world.project("team")
    await world.project("other")
    maker = await robot(
        world, "maker", on("/", "catalog:read", *MANAGER), on("*", "tag:list"), on("team", "repository:pull")
    )
    await robot(
        world, "child", on("/", "catalog:read"), on("*", "tag:list"), on("team", "repository:pull"), by=maker
    )
    await robot(world, "tags", on("other", "tag:list"), by=maker, level="system")
    denied = (403, "DENIED")
    for places in (
        [on("/", "user:create")],
        [on("*", "repository:pull")],
        [on("other", "repository:pull")],
        [on("absent", "repository:pull")],
        [on("team", "repository:push")],
        [on("/", "catalog:read"), on("other", "repository:pull")],
    ):
        assert await refused(world, maker, "x", *places, level="system") == denied
    assert await refused(world, maker, "x", on("absent", "tag:list"), level="system") == (404, "NOT_FOUND")
    assert await refused(world, maker, "x", on("team", "repository:pull")) == (403, "FORBIDDEN")


async def test_no_robot_changes_robots_not_even_itself(world: World) -> None:
    await world.project("team")
    maker = await robot(world, "maker", on("/", *MANAGER), on("*", "repository:pull", *MANAGER))
    child = await robot(world, "child", on("team", "repository:pull"), by=maker)
    before = await world.stored()
    for id in (maker.id, child.id):
        whole = await shown(world, id)
        assert (await maker("GET", f"{ROBOTS}/{id}")).status == 200
        assert (await send(maker, "PUT", f"{ROBOTS}/{id}", whole)).short == (403, "FORBIDDEN")
        assert (await send(maker, "PATCH", f"{ROBOTS}/{id}", {})).short == (403, "FORBIDDEN")
    assert await world.stored() == before


async def test_a_name_gives_nothing(world: World) -> None:
    await world.project("team")
    for name in ("admin", "scanner-1", "sysadmin", "robot"):
        who = await robot(world, name, on("team", "repository:pull"), level="system")
        assert (await who.push_blob("team/app", b"x")).status == 401
        assert (await who("GET", "/api/v2.0/users")).short == (403, "FORBIDDEN")
        assert (await who("GET", ROBOTS)).short == (403, "FORBIDDEN")


async def test_a_robot_that_manages_accounts_makes_no_administrator_of_anybody(world: World) -> None:
    keeper = await robot(
        world, "keeper", on("/", *(f"user:{each}" for each in ("create", "read", "update", "list", "delete")))
    )
    bob = await world.person("bob")
    boss = await world.person("boss", sysadmin=True)
    password = {"new_password": "Another-1-secret", "old_password": ""}
    made = await send(keeper, "POST", "/api/v2.0/users", {"username": "eve", "password": "Another-1-secret"})
    assert made.status == 201
    assert (await send(keeper, "PUT", f"/api/v2.0/users/{bob.id}/password", password)).status == 200
    before = await world.rows(users)
    for target, what in (
        (f"{bob.id}/sysadmin", {"sysadmin_flag": True}),
        (f"{boss.id}/sysadmin", {"sysadmin_flag": False}),
        (f"{boss.id}/password", password),
        (f"{boss.id}", {"realname": "x", "email": "eve@example.com"}),
    ):
        assert (await send(keeper, "PUT", f"/api/v2.0/users/{target}", what)).short == (403, "FORBIDDEN")
    assert (await keeper("DELETE", f"/api/v2.0/users/{boss.id}")).short == (403, "FORBIDDEN")
    assert await world.rows(users) == before
    assert (await keeper("DELETE", f"/api/v2.0/users/{bob.id}")).status == 200


async def test_a_robot_is_nobody_by_the_number_it_has(world: World) -> None:
    """Ids of robots and of people are counted apart."""
    await world.project("team")
    first = await robot(world, "ci", on("team", "repository:pull"))
    assert first.id == world.admin.id
    for target in (f"/users/{first.id}", "/users", ROBOTS.removeprefix("/api/v2.0")):
        assert (await first("GET", f"/api/v2.0{target}")).short == (403, "FORBIDDEN")
    password = {"old_password": "Fairway-tests-1", "new_password": "Another-1-secret"}
    assert (await send(first, "PUT", f"/api/v2.0/users/{first.id}/password", password)).status == 403
    bearer = await first.with_token("repository:team/app:pull,push", "registry:catalog:*")
    assert (await bearer("GET", "/v2/_catalog")).status == 401
    assert (await bearer.push_blob("team/app", b"x")).status == 401
    assert (await first("GET", "/api/v2.0/users/search?username=a")).short == (403, "FORBIDDEN")
    finder = await robot(world, "finder", on("/", "user:list"))
    assert len((await finder("GET", "/api/v2.0/users/search?username=a")).json) == 1
    current = await first("GET", "/api/v2.0/users/current")
    assert current.short == (412, "PRECONDITION")
    assert (await first("GET", "/api/v2.0/users/current/permissions")).json == []


async def test_a_robot_makes_projects_for_the_person_behind_it(world: World) -> None:
    maker = await robot(world, "maker", on("/", "project:create", "robot:create"))
    child = await robot(world, "child", on("/", "project:create"), by=maker)
    other = await robot(world, "other", on("/", "catalog:read"))
    wanted = b'{"project_name":"made","storage_limit":5000}'
    assert (await other("POST", "/api/v2.0/projects", wanted, headers=JSON)).short == (403, "FORBIDDEN")
    assert (await child("POST", "/api/v2.0/projects", wanted, headers=JSON)).status == 201
    found = (await world.admin("GET", "/api/v2.0/projects/made")).json
    assert (found["owner_name"], found["current_user_role_id"]) == ("admin", 1)
    assert (await child("GET", "/api/v2.0/projects/made")).status == 403
    assert (await child.push_blob("made/app", b"x")).status == 401
    await world.run(update(users).where(users.c.id == world.admin.id).values(enabled=False))
    again = await child("POST", "/api/v2.0/projects", wanted.replace(b"made", b"more"), headers=JSON)
    assert again.short == (403, "FORBIDDEN")


async def test_lists_show_a_robot_what_it_was_granted(world: World) -> None:
    for name in ("one", "two"):
        await world.project(name)
        await world.admin.push_blob(f"{name}/app", b"x")
    await world.project("open", public=True)

    async def projects(who: Person) -> list[str]:
        return [each["name"] for each in (await who("GET", "/api/v2.0/projects")).json]

    reader = await robot(world, "reader", on("one", "project:read", "log:list"), level="system")
    lister = await robot(world, "lister", on("/", "project:list", "catalog:read"))
    puller = await robot(world, "puller", on("two", "repository:pull", "repository:list"))
    assert await projects(reader) == ["one", "open"]
    assert await projects(lister) == ["one", "open", "two"]
    assert await projects(puller) == ["open"]
    logs = await reader("GET", "/api/v2.0/audit-logs")
    assert logs.status == 200
    assert (await puller("GET", "/api/v2.0/projects/two/repositories")).status == 200
    assert (await puller("GET", "/api/v2.0/projects/one/repositories")).short == (403, "FORBIDDEN")


async def test_what_was_granted_to_somebody_is_not_what_they_are(world: World) -> None:
    """Deleting the creator's right later takes nothing back by itself, and gives nothing: rows alone count."""
    team = await world.project("team")
    boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
    made = await robot(world, "ci", on("team", "repository:pull"), by=boss)
    await world.run(update(robots).where(robots.c.id == made.id).values(creator_ref=world.admin.id))
    assert (await made.push_blob("team/app", b"x")).status == 401
    assert (await made("GET", "/api/v2.0/projects/team")).short == (403, "FORBIDDEN")


async def test_a_robot_makes_none_that_outlives_it(world: World) -> None:
    await world.project("team")
    rights = on("team", "robot:create", "repository:pull")
    mother = await robot(world, "mother", rights, duration=2)
    child = on("team", "repository:pull")
    assert (await post(mother, "for-ever", child, duration=-1)).short == (403, "DENIED")
    assert (await post(mother, "longer", child, duration=3)).short == (403, "DENIED")
    assert (await post(mother, "shorter", child, duration=1)).status == 201
    twin = (await post(mother, "twin", child, duration=2)).json
    assert twin["expires_at"] == (await shown(world, mother.id))["expires_at"], "with its maker"
    of_project = {"name": "older", "access": [{"resource": "repository", "action": "pull"}], "expires_at": -1}
    answer = await send(mother, "POST", "/api/v2.0/projects/team/robots", of_project)
    assert answer.short == (403, "DENIED")
    assert (
        await post(await robot(world, "always", rights, duration=-1), "heir", child, duration=-1)
    ).status == 201
