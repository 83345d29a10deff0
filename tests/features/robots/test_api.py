"""`/api/v2.0/robots` as Harbor's clients use it."""

import re
import time
from typing import Any

import pytest
from sqlalchemy import update

from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log, robot_permissions, robots
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.robots.making import JSON, ROBOTS, body, granted, names, on, pairs, post, robot, send, shown
from inventory import MOMENT
from stories.world import Person, World, basic

DAY = 86_400
PULL = on("team", "repository:pull")


async def test_a_robot_is_made_and_found_where_location_says(world: World) -> None:
    team = await world.project("team")
    answer = await post(world.admin, "ci", on("team", "repository:push", "repository:pull"))
    assert answer.status == 201
    made = answer.json
    assert made.keys() == {"id", "name", "secret", "creation_time", "expires_at"}
    assert answer["location"] == f"{ROBOTS}/{made['id']}"
    assert made["name"] == "robot$team+ci"
    assert re.fullmatch(r"[A-Za-z0-9]{32}", made["secret"])
    assert all(re.search(kind, made["secret"]) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
    assert abs(made["expires_at"] - time.time() - 30 * DAY) < 60
    found = await shown(world, made["id"])
    assert MOMENT.fullmatch(found["creation_time"])
    assert MOMENT.fullmatch(found.pop("update_time"))
    assert found == {
        "id": made["id"],
        "name": "robot$team+ci",
        "description": "for the build",
        "level": "project",
        "duration": 30,
        "editable": True,
        "disable": False,
        "expires_at": made["expires_at"],
        "permissions": [
            {
                "kind": "project",
                "namespace": "team",
                "access": [
                    {"resource": "repository", "action": "pull", "effect": "allow"},
                    {"resource": "repository", "action": "push", "effect": "allow"},
                ],
            }
        ],
        "creator_type": "local",
        "creator_ref": world.admin.id,
        "creation_time": made["creation_time"],
    }
    (row,) = await world.rows(robots)
    assert row["project_id"] == team
    assert made["secret"] not in str(row)


async def test_a_robot_of_the_system_level_may_have_many_places(world: World) -> None:
    await world.project("team")
    await world.project("other")
    made = await robot(
        world,
        "ops",
        on("/", "catalog:read"),
        on("*", "repository:list"),
        on("team", "repository:pull"),
        on("other", "repository:push"),
        on("team", "repository:push"),
        duration=-1,
    )
    found = await shown(world, made.id)
    assert (found["name"], found["level"], found["expires_at"]) == ("robot$ops", "system", -1)
    assert granted(found["permissions"]) == {
        "/": ["catalog:read"],
        "*": ["repository:list"],
        "team": ["repository:pull", "repository:push"],
        "other": ["repository:push"],
    }
    alone = await robot(world, "reader", PULL, level="system")
    assert alone.name == "robot$reader"


async def test_all_that_can_be_granted_is_listed_and_can_be(world: World) -> None:
    await world.project("team")
    bob = await world.person("bob")
    catalogue = (await bob("GET", "/api/v2.0/permissions")).json
    assert {kind: len(found) for kind, found in catalogue.items()} == {"system": 70, "project": 70}
    everything = [
        {"kind": "system", "namespace": "/", "access": catalogue["system"]},
        {"kind": "project", "namespace": "*", "access": catalogue["project"]},
    ]
    made = await robot(world, "all", *everything)
    assert len((await shown(world, made.id))["permissions"]) == 2
    await robot(world, "all", {"kind": "project", "namespace": "team", "access": catalogue["project"]})
    words = {f"{each['resource']}:{each['action']}" for kind in catalogue.values() for each in kind}
    assert "robot:update" not in words


BAD: list[tuple[dict[str, Any], int]] = [
    ({"name": ""}, 400),
    ({"name": "CI"}, 400),
    ({"name": "c$i"}, 400),
    ({"name": "a+b"}, 400),
    ({"name": "a--b"}, 400),
    ({"name": "x" * 256}, 400),
    ({"name": 7}, 422),
    ({"level": ""}, 400),
    ({"level": "project,system"}, 400),
    ({"level": "system"}, 201),
    ({"duration": 0}, 400),
    ({"duration": -2}, 400),
    ({"duration": 36_501}, 400),
    ({"duration": 2**70}, 400),
    ({"duration": "x"}, 422),
    ({"description": "a\x00b"}, 400),
    ({"description": "x" * 1025}, 400),
    ({"secret": "short-1A"}, 201),
    ({"secret": "Short-1"}, 400),
    ({"secret": "no-digit-Here"}, 400),
    ({"secret": "no-upper-1-here"}, 400),
    ({"secret": "NO-LOWER-1-HERE"}, 400),
    ({"secret": "Long-1" + "x" * 123}, 400),
    ({"permissions": []}, 400),
    ({"permissions": None}, 400),
    ({"permissions": [PULL, PULL]}, 400),
    ({"permissions": [on("team")]}, 400),
    ({"permissions": [{"kind": "project", "namespace": "team", "access": None}]}, 400),
    ({"permissions": [on("*", "repository:pull")]}, 400),
    ({"permissions": [on("/", "catalog:read")]}, 400),
    ({"permissions": [on("team", "catalog:read")]}, 400),
    ({"permissions": [on("team", "repository:steal")]}, 400),
    ({"permissions": [on("team", "robot:update")]}, 400),
    ({"permissions": [on("team", "repository:pull") | {"kind": "system"}]}, 400),
    ({"permissions": [on("team", "repository:pull") | {"kind": "server"}]}, 400),
    ({"permissions": [on("team", "repository:pull") | {"namespace": "Team/x"}]}, 400),
    (
        {
            "permissions": [
                {
                    "kind": "project",
                    "namespace": "team",
                    "access": [{**pairs("repository:pull")[0], "effect": "deny"}],
                }
            ]
        },
        400,
    ),
    ({"permissions": [on("absent", "repository:pull")]}, 404),
    ({"level": "system", "permissions": [on("absent", "repository:pull")]}, 404),
    ({"level": "system", "permissions": [on("/", "repository:pull")]}, 400),
    ({"level": "system", "permissions": [on("*", "catalog:read")]}, 400),
    ({"level": "system", "permissions": [on("/", "catalog:read"), on("team")]}, 400),
    ({"level": "system", "permissions": [on("team", "repository:pull")] * 501}, 400),
]


@pytest.mark.parametrize(("changes", "status"), BAD, ids=str)
async def test_what_can_be_made_and_what_cannot(world: World, changes: dict[str, Any], status: int) -> None:
    await world.project("team")
    before = await world.stored()
    answer = await send(world.admin, "POST", ROBOTS, body("ci", PULL) | changes)
    assert answer.status == status, answer.body
    if status != 201:
        assert await world.stored() == before


async def test_a_pair_outside_the_catalogue_is_named(world: World) -> None:
    await world.project("team")
    answer = await post(world.admin, "ci", on("team", "repository:steal"))
    assert answer.short == (400, "BAD_REQUEST")
    message = answer.json["errors"][0]["message"]
    assert message.startswith("bad request permission")
    assert "repository:steal" in message


async def test_a_name_is_taken_in_its_project_or_at_its_level(world: World) -> None:
    await world.project("team")
    await world.project("other")
    for places in ([PULL], [on("other", "repository:pull")], [on("/", "catalog:read")]):
        assert (await post(world.admin, "ci", *places)).status == 201
        assert (await post(world.admin, "ci", *places)).short == (409, "CONFLICT")
    assert await world.count(robots) == 3


async def test_no_field_of_the_body_sets_what_the_caller_may_not(world: World) -> None:
    await world.project("team")
    extra = {
        "id": 77,
        "editable": False,
        "creator_ref": 77,
        "creator_type": "robot",
        "project_id": 77,
        "expires_at": -1,
        "version": 77,
        "secret_hash": "x",
        "creation_time": "2000-01-01T00:00:00Z",
    }
    made = await robot(world, "ci", PULL, **extra)
    (row,) = await world.rows(robots)
    assert (row["id"], row["creator_ref"], row["creator_type"], row["version"]) == (
        1,
        world.admin.id,
        "local",
        1,
    )
    whole = await shown(world, made.id) | extra | {"secret": "Chosen-secret-1"}
    assert (await send(world.admin, "PUT", f"{ROBOTS}/1", whole)).status == 200
    (after,) = await world.rows(robots)
    assert after == row | {"version": 2, "updated_at": after["updated_at"]}
    assert (await made("GET", "/v2/")).status == 200, "the secret is changed by PATCH alone"


async def test_lists_are_of_one_project_or_of_the_system_level(world: World) -> None:
    team = await world.project("team")
    for name in ("b", "a", "c"):
        await robot(world, name, PULL)
    await robot(world, "ops", on("/", "catalog:read"))
    assert names(await world.admin("GET", ROBOTS)) == ["robot$ops"]
    assert names(await world.admin("GET", f"{ROBOTS}?q=Level%3Dsystem")) == ["robot$ops"]
    of_team = f"{ROBOTS}?q=Level%3Dproject,ProjectID%3D{team}"
    answer = await world.admin("GET", of_team)
    assert names(answer) == ["robot$team+a", "robot$team+b", "robot$team+c"]
    assert answer["x-total-count"] == "3"
    assert all(granted(each["permissions"]) == {"team": ["repository:pull"]} for each in answer.json)
    assert "secret" not in answer.json[0]
    page = await world.admin("GET", f"{of_team}&page=2&page_size=2&sort=-name")
    assert names(page) == ["robot$team+a"]
    assert page["link"].endswith('>; rel="prev"')
    assert names(await world.admin("GET", f"{of_team},name%3D~B")) == ["robot$team+b"]
    assert names(await world.admin("GET", f"{of_team},name%3Dteam%252Bb")) == ["robot$team+b"]


@pytest.mark.parametrize(
    "q", ["Level=project", "Level=project,ProjectID=x", "Level=all", "Level=~project", "Level"]
)
async def test_a_list_of_nobody_in_particular_is_refused(world: World, q: str) -> None:
    assert (await world.admin("GET", f"{ROBOTS}?q={q}")).short == (400, "BAD_REQUEST")


async def test_the_robots_of_a_project_that_is_not_there(world: World) -> None:
    q = "Level=project,ProjectID=77"
    assert (await world.admin("GET", f"{ROBOTS}?q={q}")).short == (404, "NOT_FOUND")
    assert (await (await world.person("bob"))("GET", f"{ROBOTS}?q={q}")).short == (403, "FORBIDDEN")


async def test_a_change_replaces_what_it_holds_and_counts_its_time_from_when_it_was_made(
    world: World,
) -> None:
    await world.project("team")
    made = await robot(world, "ci", PULL, duration=1)
    await world.run(update(robots).values(created_at=robots.c.created_at - 2 * DAY * 1_000_000))
    whole = await shown(world, made.id)
    changed = whole | {
        "description": "for nothing",
        "duration": 10,
        "disable": True,
        "permissions": [on("team", "tag:list", "repository:push")],
    }
    assert (await send(world.admin, "PUT", f"{ROBOTS}/{made.id}", changed)).status == 200
    found = await shown(world, made.id)
    assert (found["description"], found["duration"], found["disable"]) == ("for nothing", 10, True)
    assert granted(found["permissions"]) == {"team": ["repository:push", "tag:list"]}
    assert abs(found["expires_at"] - time.time() - 8 * DAY) < 60
    for_ever = found | {"duration": -1, "disable": False}
    assert (await send(world.admin, "PUT", f"{ROBOTS}/{made.id}", for_ever)).status == 200
    assert (await shown(world, made.id))["expires_at"] == -1


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"name": ""},
        {"name": "robot$other+ci"},
        {"level": "system"},
        {"level": ""},
        {"duration": 0},
        {"permissions": []},
        {"permissions": [on("other", "repository:pull")]},
        {"permissions": [on("*", "repository:pull")]},
        {"permissions": [on("/", "catalog:read")]},
        {"permissions": [on("team", "repository:steal")]},
    ],
    ids=str,
)
async def test_a_change_does_not_make_another_robot_of_it(world: World, changes: dict[str, Any]) -> None:
    await world.project("team")
    await world.project("other")
    made = await robot(world, "ci", PULL)
    whole = await shown(world, made.id)
    before = await world.stored()
    answer = await send(world.admin, "PUT", f"{ROBOTS}/{made.id}", whole | changes)
    assert answer.short == (400, "BAD_REQUEST")
    assert (await send(world.admin, "PUT", f"{ROBOTS}/{made.id}", changes)).status == 400, "needs the whole"
    assert await world.stored() == before


async def test_a_secret_is_generated_or_chosen_and_the_old_one_is_void(world: World) -> None:
    await world.project("team")
    first = await robot(world, "ci", PULL)
    target = f"{ROBOTS}/{first.id}"
    answer = await send(world.admin, "PATCH", target, {"secret": ""})
    assert answer.status == 200
    assert re.fullmatch(r"[A-Za-z0-9]{32}", answer.json["secret"])
    second = Person(world, first.name, first.id, basic(first.name, answer.json["secret"]))
    answer = await send(world.admin, "PATCH", target, {"secret": "Chosen:secret-1"})
    assert (answer.status, answer.json) == (200, {"secret": ""})
    third = Person(world, first.name, first.id, basic(first.name, "Chosen:secret-1"))
    assert [(await who("GET", "/v2/")).status for who in (third, third, first, second)] == [
        200,
        200,
        401,
        401,
    ]
    for bad in ("Short-1", "Long-1" + "x" * 123, "all-lower-1"):
        assert (await send(world.admin, "PATCH", target, {"secret": bad})).short == (400, "BAD_REQUEST")
    answer = await send(world.admin, "PATCH", target, {})
    fourth = Person(world, first.name, first.id, basic(first.name, answer.json["secret"]))
    assert [(await who("GET", "/v2/")).status for who in (fourth, third)] == [200, 401]


async def test_secrets_are_kept_as_hashes_and_told_nobody_again(world: World) -> None:
    await world.project("team")
    first = await post(world.admin, "ci", PULL)
    chosen = await post(world.admin, "cd", PULL, secret="Chosen-secret-1")
    assert chosen.json["secret"] == ""
    kept = [row["secret_hash"] for row in await world.rows(robots)]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", kept[0])
    assert kept[1].startswith("$argon2id$")
    said = str(await world.stored()) + str([await shown(world, id) for id in (1, 2)])
    assert first.json["secret"] not in said
    assert "Chosen-secret-1" not in said


async def test_deleting_a_project_deletes_its_robots_and_what_others_hold_there(world: World) -> None:
    await world.project("team")
    await world.project("other")
    ci = await robot(world, "ci", PULL)
    both = await robot(world, "both", PULL, on("other", "repository:pull"))
    assert (await world.admin("DELETE", "/api/v2.0/projects/team")).status == 200
    assert (await world.admin("GET", f"{ROBOTS}/{ci.id}")).short == (404, "NOT_FOUND")
    assert granted((await shown(world, both.id))["permissions"]) == {"other": ["repository:pull"]}
    assert (await world.admin("DELETE", f"{ROBOTS}/{both.id}")).status == 200
    assert await world.rows(robot_permissions) == []
    assert (await world.admin("DELETE", f"{ROBOTS}/{both.id}")).short == (404, "NOT_FOUND")


async def test_every_change_is_audited(world: World) -> None:
    team = await world.project("team")
    boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
    made = await robot(world, "ci", PULL, by=boss)
    await send(boss, "PUT", f"{ROBOTS}/{made.id}", await shown(world, made.id))
    await send(boss, "PATCH", f"{ROBOTS}/{made.id}", {})
    await boss("DELETE", f"{ROBOTS}/{made.id}")
    await robot(world, "ops", on("/", "catalog:read"))
    await hand_over(world.db, reactions(world.parts.notifications))
    lines = [
        (row["project_id"], row["username"], row["operation"], row["description"])
        for row in await world.rows(audit_log)
        if row["resource_type"] == "robot"
    ]
    assert lines == [
        (team, "boss", "create", "create robot: robot$team+ci"),
        (team, "boss", "update", "update robot: robot$team+ci"),
        (team, "boss", "update", "update robot: robot$team+ci"),
        (team, "boss", "delete", "delete robot: robot$team+ci"),
        (0, "admin", "create", "create robot: robot$ops"),
    ]


async def test_what_a_robot_does_bears_its_login_name(world: World) -> None:
    await world.project("team")
    ci = await robot(world, "ci", on("team", "metadata:create", "member:create"))
    answer = await ci("POST", "/api/v2.0/projects/team/metadatas/", b'{"severity":"low"}', headers=JSON)
    assert answer.status == 200, answer.body
    await hand_over(world.db, reactions(world.parts.notifications))
    assert (await world.rows(audit_log))[-1]["username"] == "robot$team+ci"


async def test_an_odd_id_is_none(world: World) -> None:
    bob = await world.person("bob")
    for id, status in (("0", 422), ("x", 422), ("9" * 30, 422), ("77", 404)):
        assert (await world.admin("GET", f"{ROBOTS}/{id}")).status == status
        assert (await bob("GET", f"{ROBOTS}/{id}")).status == 403


async def test_no_person_takes_the_name_of_a_robot(world: World) -> None:
    prefix = {"robot_name_prefix": "ci-"}
    assert (await send(world.admin, "PUT", "/api/v2.0/configurations", prefix)).status == 200
    person = {"username": "ci-team+build", "password": "Some-password-1"}
    answer = await send(world.admin, "POST", "/api/v2.0/users", person)
    assert answer.short == (400, "BAD_REQUEST")
    assert "names that begin with ci- are those of robots" in answer.json["errors"][0]["message"]
