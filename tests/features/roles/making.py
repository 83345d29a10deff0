"""Making roles and giving them."""

import json
from typing import Any

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.roles import GRANTABLE_IN_ROLES
from stories.asgi import Answer
from stories.world import Person

API = "/api/v2.0"
OWN = "/api/fairway/roles"
JSON = {"content-type": "application/json"}
LOG = f"{API}/projects/team/logs"
READS = sorted(each for each in GRANTABLE_IN_ROLES if each.action in ("read", "list"))


async def ask(who: Person, method: str, target: str, body: dict[str, Any] | None = None) -> Answer:
    return await who(method, target, b"" if body is None else json.dumps(body).encode(), headers=JSON)


def role(name: str, *permissions: str | Permission, description: str = "") -> dict[str, Any]:
    pairs = [str(each).split(":") for each in permissions]
    return {
        "name": name,
        "description": description,
        "permissions": [{"resource": resource, "action": action} for resource, action in pairs],
    }


async def make(admin: Person, name: str, *permissions: str | Permission) -> int:
    made = await ask(admin, "POST", OWN, role(name, *permissions))
    assert (made.status, made.body) == (201, b""), made.body
    at, _, number = made["location"].rpartition("/")
    assert at == OWN
    return int(number)


async def add(by: Person, role_id: int, **who: Any) -> Answer:
    return await ask(by, "POST", f"{API}/projects/team/members", {"role_id": role_id, **who})


async def joined(by: Person, person: Person, role_id: int) -> str:
    """Where the membership is."""
    answer = await add(by, role_id, member_user={"username": person.name})
    assert answer.status == 201, answer.body
    return answer["location"]
