"""Every operation that Harbor has for robots is there, answers as it should, and says what can go wrong.

The table beside this file says which those are.
"""

from collections.abc import Mapping
from pathlib import Path

from features.robots.making import body, on, send
from inventory import API, check_described, operations
from stories.asgi import Answer
from stories.world import World

OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
ROBOT: Mapping[str, type] = {
    "id": int,
    "name": str,
    "description": str,
    "level": str,
    "duration": int,
    "editable": bool,
    "disable": bool,
    "expires_at": int,  # seconds, unlike every other time
    "permissions": list,
    "creator_type": str,
    "creator_ref": int,
    "creation_time": str,
    "update_time": str,
}
SHAPES: Mapping[str, Mapping[str, type]] = {
    "Robot": ROBOT,
    "RobotCreated": {"id": int, "name": str, "secret": str, "creation_time": str, "expires_at": int},
    "RobotSec": {"secret": str},
    "Permissions": {"system": list, "project": list},
}
CALLS = """
CreateRobot     /robots
ListRobot       /robots?q=Level%3Dproject,ProjectID%3D1
GetRobotByID    /robots/1
UpdateRobot     /robots/1
RefreshSec      /robots/1
getPermissions  /permissions
DeleteRobot     /robots/1
"""
"""In an order in which each finds what it is about."""

WHOLE = body("ci", on("team", "repository:pull"))
BODIES: Mapping[str, object] = {"CreateRobot": WHOLE, "UpdateRobot": WHOLE, "RefreshSec": {"secret": ""}}
NEVER = {
    "UpdateRobot": {409},  # its name cannot be changed, so nobody else can have it
    "getPermissions": {403, 404},  # everybody who is logged in may know what there is
}


async def calls(world: World, *, by: str = "admin") -> dict[str, Answer]:
    who = {"admin": world.admin, "anybody": world.anybody}[by]
    known = {each.name: each for each in OPERATIONS}
    return {
        name: await send(who, known[name].method, API + target, BODIES.get(name))
        for name, target in map(str.split, CALLS.strip().splitlines())
    }


async def test_each_answers_as_it_should(world: World) -> None:
    await world.project("team")
    answers = await calls(world)
    assert answers.keys() == {each.name for each in OPERATIONS}
    for each in OPERATIONS:
        answer = answers[each.name]
        assert answer.status == each.success, (each.name, answer.body)
        if each.returns == "-":
            assert answer.body == b""
            continue
        for shown in answer.json if each.returns.startswith("[") else [answer.json]:
            found = {name: type(value) for name, value in shown.items()}
            assert found == SHAPES[each.returns.strip("[]")], each.name
    assert answers["CreateRobot"]["location"] == f"{API}/robots/1"
    assert answers["ListRobot"]["x-total-count"] == "1"


async def test_none_is_for_anybody(world: World) -> None:
    await world.project("team")
    assert {answer.status for answer in (await calls(world, by="anybody")).values()} == {401}


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    check_described(world, OPERATIONS, NEVER)
