"""Webhooks as clients ask for them, and events handed over to them."""

import json
from typing import Any

from sqlalchemy import select

from fairway.frame.db.tables import webhook_deliveries
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from stories.asgi import Answer
from stories.world import Person, World

API = "/api/v2.0"
JSON = {"content-type": "application/json"}
HOOK = {"type": "http", "address": "https://hook.example.com/push"}


async def ask(who: Person, method: str, target: str, body: Any = None) -> Answer:
    said = b"" if body is None else json.dumps(body).encode()
    return await who(method, f"{API}/projects/{target}", said, headers=JSON)


def policy(name: str = "ci", *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    whole = {
        "name": name,
        "enabled": True,
        "event_types": ["PUSH_ARTIFACT"],
        "targets": list(targets or [HOOK]),
    }
    return {**whole, **more}


async def make(who: Person, body: dict[str, Any], project: str = "team") -> int:
    answer = await ask(who, "POST", f"{project}/webhook/policies", body)
    assert (answer.status, answer.body) == (201, b""), answer.body
    at, _, number = answer["location"].rpartition("/")
    assert at == f"{API}/projects/{project}/webhook/policies"
    return int(number)


async def show(who: Person, number: int, project: str = "team") -> Any:
    answer = await ask(who, "GET", f"{project}/webhook/policies/{number}")
    assert answer.status == 200, answer.body
    return answer.json


async def happen(world: World) -> None:
    """Let follow what follows from all that has happened."""
    parts = world.parts
    while await hand_over(world.db, reactions(parts.notifications, parts.configuration, parts.webhooks)):
        continue


async def told(world: World) -> list[Any]:
    """Every delivery there is, in order."""
    await happen(world)
    return list(await world.db.all(select(webhook_deliveries).order_by(webhook_deliveries.c.id)))


async def types(world: World) -> list[str]:
    return [row["event_type"] for row in await told(world)]
