"""Robots for tests, made through the API."""

import json
from collections.abc import Iterable
from typing import Any

from stories.asgi import Answer
from stories.world import Person, World, basic

ROBOTS = "/api/v2.0/robots"
JSON = {"content-type": "application/json"}


def pairs(*words: str) -> list[dict[str, str]]:
    """`repository:pull` as the API has it."""
    return [dict(zip(("resource", "action"), word.split(":"), strict=True)) for word in words]


def on(namespace: str, *words: str) -> dict[str, Any]:
    """What is granted in one place: `/`, `*`, or a project."""
    kind = "system" if namespace == "/" else "project"
    return {"kind": kind, "namespace": namespace, "access": pairs(*words)}


def body(name: str, *permissions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A robot of the project when there is one entry for one, else of the system level."""
    of_project = len(permissions) == 1 and permissions[0]["namespace"] not in ("/", "*")
    made = {
        "name": name,
        "description": "for the build",
        "level": "project" if of_project else "system",
        "duration": 30,
        "disable": False,
        "permissions": list(permissions),
    }
    return made | changes


async def send(who: Person, method: str, target: str, content: Any = None) -> Answer:
    return await who(method, target, b"" if content is None else json.dumps(content).encode(), headers=JSON)


async def post(who: Person, name: str, *permissions: dict[str, Any], **changes: Any) -> Answer:
    return await send(who, "POST", ROBOTS, body(name, *permissions, **changes))


async def robot(
    world: World, name: str, *permissions: dict[str, Any], by: Person | None = None, **changes: Any
) -> Person:
    """A robot, which logs in with its secret."""
    answer = await post(by or world.admin, name, *permissions, **changes)
    assert answer.status == 201, answer.body
    made = answer.json
    secret = made["secret"] or changes["secret"]
    return Person(world, made["name"], made["id"], basic(made["name"], secret))


async def shown(world: World, id: int) -> dict[str, Any]:
    """A robot as its administrator sees it."""
    answer = await world.admin("GET", f"{ROBOTS}/{id}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["name"] for each in answer.json]


def granted(found: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Namespace → pairs."""
    return {
        each["namespace"]: [f"{pair['resource']}:{pair['action']}" for pair in each["access"]]
        for each in found
    }
