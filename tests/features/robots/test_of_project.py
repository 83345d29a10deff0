"""`/projects/{project}/robots`, as clients of older servers use it."""

import time
from typing import Any

import pytest

from fairway.frame.access.roles import Role
from fairway.frame.db.tables import robots
from features.robots.making import ROBOTS, granted, names, on, pairs, robot, send, shown
from stories.world import Person, World, basic, image

OF_TEAM = "/api/v2.0/projects/team/robots"


async def test_a_robot_is_made_with_an_end_and_works_like_any_other(world: World) -> None:
    team = await world.project("team")
    boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
    end = int(time.time()) + 36 * 3600
    asked = {
        "name": "ci",
        "description": "old",
        "expires_at": end,
        "access": [
            {"resource": f"/project/{team}/repository", "action": "push"},
            {"resource": "repository", "action": "pull"},
        ],
    }
    answer = await send(boss, "POST", OF_TEAM, asked)
    assert answer.status == 201, answer.body
    made = answer.json
    assert answer["location"] == f"{OF_TEAM}/{made['id']}"
    assert (made["name"], made["expires_at"]) == ("robot$team+ci", end)
    ci = Person(world, made["name"], made["id"], basic(made["name"], made["secret"]))
    assert (await ci.push("team/app:v1", image("base"))).status == 201
    found = await shown(world, ci.id)
    assert (found["level"], found["duration"], found["description"]) == ("project", 2, "old")
    assert granted(found["permissions"]) == {"team": ["repository:pull", "repository:push"]}
    assert (await send(boss, "POST", OF_TEAM, asked)).short == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"expires_at": -1}, 201),
        ({"expires_at": None}, 201),
        ({"expires_at": 1}, 400),
        ({"expires_at": 2**70}, 400),
        ({"expires_at": "soon"}, 422),
        ({"name": "C I"}, 400),
        ({"description": "x" * 1025}, 400),
        ({"access": None}, 400),
        ({"access": []}, 400),
        ({"access": pairs("repository:steal")}, 400),
        ({"access": pairs("catalog:read")}, 400),
        ({"access": pairs("/project/77/repository:pull")}, 400),
    ],
    ids=str,
)
async def test_what_can_be_made_and_what_cannot(world: World, changes: dict[str, Any], status: int) -> None:
    await world.project("team")
    before = await world.stored()
    asked = {"name": "ci", "expires_at": -1, "access": pairs("repository:pull"), **changes}
    answer = await send(world.admin, "POST", OF_TEAM, asked)
    assert answer.status == status, answer.body
    if status == 201:
        (row,) = await world.rows(robots)
        assert (row["expires_at"] is None) is (changes["expires_at"] == -1)
        assert row["duration"] == changes["expires_at"] or row["duration"] == 30
    else:
        assert await world.stored() == before


async def test_a_robot_is_described_disabled_and_deleted(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", "repository:pull", "repository:list"))
    target = f"{OF_TEAM}/{ci.id}"
    assert (await world.admin("GET", target)).json == await shown(world, ci.id)
    assert (await send(world.admin, "PUT", target, {"disable": True})).status == 200
    assert (await ci("GET", "/v2/")).status == 401
    found = await shown(world, ci.id)
    assert (found["disable"], found["description"], found["duration"]) == (True, "for the build", 30)
    whole = found | {
        "disable": False,
        "description": "new",
        "permissions": [],
        "level": "system",
        "duration": -1,
    }
    assert (await send(world.admin, "PUT", target, whole)).status == 200
    assert (await ci("GET", "/v2/")).status == 200
    assert await shown(world, ci.id) == found | {
        "disable": False,
        "description": "new",
        "update_time": (await shown(world, ci.id))["update_time"],
    }
    assert names(await world.admin("GET", OF_TEAM)) == ["robot$team+ci"]
    assert (await world.admin("DELETE", target)).status == 200
    assert (await world.admin("GET", target)).short == (404, "NOT_FOUND")
    assert names(await world.admin("GET", OF_TEAM)) == []


async def test_a_robot_of_another_project_or_of_none_is_not_there(world: World) -> None:
    await world.project("team")
    other = await world.project("other")
    boss = await world.member(other, "boss", Role.PROJECT_ADMIN)
    ci = await robot(world, "ci", on("team", "repository:pull"))
    server = await robot(world, "ops", on("/", "catalog:read"))
    before = await world.stored()
    for id in (ci.id, server.id):
        for method in ("GET", "PUT", "DELETE"):
            answer = await send(boss, method, f"/api/v2.0/projects/other/robots/{id}", {"disable": True})
            assert answer.short == (404, "NOT_FOUND")
            assert (await send(boss, method, f"{OF_TEAM}/{id}", {"disable": True})).short == (
                403,
                "FORBIDDEN",
            )
    assert await world.stored() == before


async def test_a_robot_grants_no_more_than_it_holds_here_either(world: World) -> None:
    await world.project("team")
    maker = await robot(world, "maker", on("team", "repository:pull", "robot:create"))
    for words, short in (("repository:push", (403, "DENIED")), ("repository:pull", (201, ""))):
        answer = await send(maker, "POST", OF_TEAM, {"name": "child", "access": pairs(words)})
        assert answer.short == short
    assert (await maker("GET", ROBOTS)).short == (403, "FORBIDDEN")
