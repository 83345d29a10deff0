"""Robots push and pull, with Basic and with tokens, as far as they were granted."""

import json

import pytest
from sqlalchemy import update

from fairway.frame.db import now_us
from fairway.frame.db.tables import robots
from features.robots.making import ROBOTS, body, on, robot, send, shown
from stories.world import Person, World, basic, image

PUSHER = ("repository:pull", "repository:push")


async def closed_by_delete(world: World, it: Person) -> None:
    assert (await world.admin("DELETE", f"{ROBOTS}/{it.id}")).status == 200


async def closed_by_disabling(world: World, it: Person) -> None:
    whole = await shown(world, it.id)
    assert (await send(world.admin, "PUT", f"{ROBOTS}/{it.id}", whole | {"disable": True})).status == 200


async def closed_by_time(world: World, it: Person) -> None:
    await world.run(update(robots).where(robots.c.id == it.id).values(expires_at=now_us() - 1000))


async def closed_with_its_project(world: World, it: Person) -> None:
    await world.admin("DELETE", "/api/v2.0/projects/team/repositories/app")
    assert (await world.admin("DELETE", "/api/v2.0/projects/team")).status == 200


ENDS = [closed_by_delete, closed_by_disabling, closed_by_time, closed_with_its_project]


@pytest.mark.parametrize("with_token", [False, True], ids=["by secret", "by token"])
async def test_a_robot_pushes_and_pulls_in_its_project_and_nowhere_else(
    world: World, with_token: bool
) -> None:
    await world.project("team")
    await world.project("other")
    await world.admin.push("other/app:v1", image("base"))
    ci = await robot(world, "ci", on("team", *PUSHER))
    assert ci.name == "robot$team+ci"
    if with_token:
        ci = await ci.with_token("repository:team/app:pull,push,delete", "repository:other/app:pull,push")
    assert (await ci("GET", "/v2/")).status == 200
    assert (await ci.push("team/app:v1", image("base"))).status == 201
    assert (await ci.pull("team/app:v1")).status == 200
    assert await ci.tags("team/app") == ["v1"]
    assert (await ci.delete("team/app:v1")).status == 401
    assert (await ci.pull("other/app:v1")).status == 401
    assert (await ci.push("other/app:v2", image("base"))).status == 401
    assert (await ci.push("absent/app:v1", image("base"))).status == 401
    assert (await ci("GET", "/v2/_catalog")).status == 401


async def test_a_token_has_what_was_asked_for_and_granted(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", "repository:pull"))
    puller = await ci.with_token("repository:team/app:pull,push,delete,*")
    await world.admin.push("team/app:v1", image("base"))
    assert (await puller.pull("team/app:v1")).status == 200
    assert (await puller.push("team/app:v2", image("base"))).status == 401
    nothing = await ci.with_token("repository:team/app:push")
    assert (await nothing.pull("team/app:v1")).status == 401


async def test_everywhere_means_projects_that_come_later_too(world: World) -> None:
    everywhere = await robot(world, "mirror", on("*", "repository:pull"), on("/", "catalog:read"))
    assert everywhere.name == "robot$mirror"
    await world.project("later")
    await world.admin.push("later/app:v1", image("base"))
    assert (await everywhere.pull("later/app:v1")).status == 200
    assert (await everywhere.push("later/app:v2", image("base"))).status == 401
    assert (await everywhere("GET", "/v2/_catalog")).json == {"repositories": ["later/app"]}
    listing = await everywhere.with_token("registry:catalog:*")
    assert (await listing("GET", "/v2/_catalog")).status == 200
    assert (await everywhere.pull("absent/app:v1")).short == (404, "NAME_UNKNOWN")


async def test_a_public_project_is_readable_as_for_anybody(world: World) -> None:
    await world.project("open", public=True)
    await world.project("team")
    await world.admin.push("open/app:v1", image("base"))
    ci = await robot(world, "ci", on("team", "repository:push"))
    assert (await ci.pull("open/app:v1")).status == 200
    assert (await ci.push("open/app:v2", image("base"))).status == 401


@pytest.mark.parametrize("end", ENDS)
async def test_a_robot_that_is_closed_loses_its_tokens_at_once(world: World, end: object) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER))
    assert (await ci.push("team/app:v1", image("base"))).status == 201
    bearer = await ci.with_token("repository:team/app:pull,push")
    assert (await bearer.pull("team/app:v1")).status == 200
    await end(world, ci)  # type: ignore[operator]
    wrong = await Person(world, ci.name, 0, basic(ci.name, "Nobody-has-this-1"))("GET", "/v2/")
    assert (await bearer.pull("team/app:v1")).status == 401
    assert (await bearer.push("team/app:v2", image("base"))).status == 401
    assert (await bearer("HEAD", "/v2/team/app/manifests/v1")).status == 401
    assert (await ci.pull("team/app:v1")).status == 401
    refused = await ci("GET", "/v2/")
    assert (refused.status, refused.json) == (wrong.status, wrong.json) == (401, wrong.json)
    assert (await ci("GET", "/api/v2.0/projects")).status == 401
    assert (await ci.ask_token("repository:team/app:pull")).status == 401


async def test_a_new_robot_of_the_same_name_does_not_inherit_tokens(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER))
    await ci.push("team/app:v1", image("base"))
    bearer = await ci.with_token("repository:team/app:pull,push")
    await closed_by_delete(world, ci)
    again = await robot(world, "ci", on("team", *PUSHER))
    assert again.name == ci.name
    assert (await bearer.pull("team/app:v1")).status == 401
    assert (await bearer.push("team/app:v2", image("base"))).status == 401


async def test_less_is_granted_at_the_next_request(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER))
    bearer = await ci.with_token("repository:team/app:pull,push")
    assert (await bearer.push("team/app:v1", image("base"))).status == 201
    less = body("ci", on("team", "repository:pull"))
    assert (await send(world.admin, "PUT", f"{ROBOTS}/{ci.id}", less)).status == 200
    for who in (ci, bearer):
        assert (await who.push("team/app:v2", image("base"))).status == 401
        assert (await who.pull("team/app:v1")).status == 200


async def test_a_token_for_a_project_does_not_open_one_that_has_its_name_now(world: World) -> None:
    await world.project("team")
    everywhere = await robot(world, "all", on("*", *PUSHER))
    bearer = await everywhere.with_token("repository:team/app:pull,push")
    assert (await world.admin("DELETE", "/api/v2.0/projects/team")).status == 200
    await world.project("team")
    assert (await bearer.push("team/app:v1", image("base"))).status == 401
    assert (await everywhere.push("team/app:v1", image("base"))).status == 201


async def call_robots(world: World, prefix: str) -> None:
    body = json.dumps({"robot_name_prefix": prefix}).encode()
    put = await world.admin(
        "PUT", "/api/v2.0/configurations", body, headers={"content-type": "application/json"}
    )
    assert put.status == 200


async def test_another_prefix_renames_every_login_at_once(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER))
    server = await robot(world, "ops", on("/", "catalog:read"))
    secrets = [(who, who.authorization) for who in (ci, server)]
    await call_robots(world, "bot-")
    assert [(await shown(world, who.id))["name"] for who, _ in secrets] == ["bot-team+ci", "bot-ops"]
    assert (await ci("GET", "/v2/")).status == 401
    answer = await world.admin(
        "PATCH", f"{ROBOTS}/{ci.id}", b"{}", headers={"content-type": "application/json"}
    )
    renamed = Person(world, "bot-team+ci", ci.id, basic("bot-team+ci", answer.json["secret"]))
    assert (await renamed.push("team/app:v1", image("base"))).status == 201
    await call_robots(world, "robot$")
    assert (await renamed("GET", "/v2/")).status == 401
    assert (await server("GET", "/v2/_catalog")).status == 200


async def test_a_person_comes_before_a_robot_that_would_log_in_by_the_same_name(world: World) -> None:
    await world.project("team")
    await call_robots(world, "bot-")
    person = await world.person("bot-ops")
    chosen = await robot(world, "ops", on("/", "catalog:read"), secret="Chosen-secret-1")
    assert (await person("GET", "/api/v2.0/users/current")).json["username"] == "bot-ops"
    assert (await chosen("GET", "/v2/_catalog")).status == 401


async def test_a_robot_gets_no_refresh_token(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER))
    answer = await ci.ask_token("repository:team/app:pull", offline_token="true")
    assert answer.status == 200
    assert "refresh_token" not in answer.json


async def test_a_robot_logs_in_by_oauth2_as_well(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", *PUSHER), secret="With:colon-1")
    form = (
        "grant_type=password&service=harbor-registry&username=robot%24team%2Bci&password=With%3Acolon-1"
        "&scope=repository:team/app:pull,push"
    )
    answer = await world.anybody("POST", "/service/token", form.encode())
    assert answer.status == 200, answer.body
    assert (await ci.bearing(answer.json["access_token"]).push("team/app:v1", image("base"))).status == 201
    assert (await ci.push("team/app:v2", image("base"))).status == 201
