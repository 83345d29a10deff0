"""Making rules as clients do."""

import json
from typing import Any

from stories.asgi import Answer
from stories.world import Person

API = "/api/v2.0"
RULES = f"{API}/projects/team/immutabletagrules"


def rule(tags: str = "v*", repositories: str = "**", kind: str = "doublestar", **more: Any) -> dict[str, Any]:
    """The body that Harbor's own pages and Terraform send."""
    return {
        "action": "immutable",
        "template": "immutable_template",
        "disabled": False,
        "tag_selectors": [{"kind": kind, "decoration": "matches", "pattern": tags}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repositories}]
        },
        **more,
    }


async def ask(who: Person, method: str, target: str, body: Any = None) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    return await who(method, target, raw, headers={"content-type": "application/json"})


async def make(who: Person, at: str = RULES, **said: Any) -> int:
    """A new rule; its id."""
    answer = await ask(who, "POST", at, rule(**said))
    assert (answer.status, answer.body) == (201, b""), answer.body
    path, _, number = answer["location"].rpartition("/")
    assert path == at
    return int(number)
