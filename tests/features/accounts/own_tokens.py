"""Asking for personal access tokens."""

import json
from collections.abc import Mapping
from typing import Any

from stories.asgi import Answer
from stories.world import Person, World, image

OWN = "/api/fairway/users/current/tokens"
IMAGE = image("base", "code")
PUSH_AND_PULL = "repository:team/app:pull,push"


async def ask(person: Person, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if body is not None else {}
    return await person(method, path, raw, headers=headers)


async def make(person: Person, name: str = "laptop", **asked: Any) -> dict[str, Any]:
    answer = await ask(person, "POST", OWN, {"name": name, "access": ["all"], **asked})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


async def with_one(person: Person, name: str = "laptop", **asked: Any) -> Person:
    """The same person, with a token instead of the password."""
    return person.saying((await make(person, name, **asked))["token"])


async def refused(person: Person, **asked: Any) -> int:
    return (await ask(person, "POST", OWN, {"name": "laptop", "access": ["all"], **asked})).status


async def configure(world: World, days: int) -> None:
    answer = await ask(world.admin, "PUT", "/api/v2.0/configurations", {"personal_token_max_days": days})
    assert answer.status == 200, answer.body
