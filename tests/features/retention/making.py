"""Making policies and running them, as people do, for tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select, update

from fairway.features.retention import jobs
from fairway.frame.db.tables import artifacts, repositories, tags
from fairway.frame.db.types import SECOND
from stories.asgi import Answer
from stories.world import Image, Person, World, image

API = "/api/v2.0"
OWN = "/api/fairway/retention"
JSON = {"content-type": "application/json"}
DAY = 86_400 * SECOND


@contextmanager
def settling(seconds: float) -> Iterator[None]:
    """A run waits only so long between its last look and its first deletion."""
    before, jobs.SETTLE_SECONDS = jobs.SETTLE_SECONDS, seconds
    yield
    jobs.SETTLE_SECONDS = before


async def ask(who: Person, method: str, target: str, body: Any = None) -> Answer:
    return await who(method, target, b"" if body is None else json.dumps(body).encode(), headers=JSON)


def selector(pattern: str = "**", decoration: str = "matches", **more: Any) -> dict[str, Any]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern, **more}


def rule(
    template: str, number: int = 0, *, tags: Any = None, repositories: str = "**", **more: Any
) -> dict[str, Any]:
    return {
        "template": template,
        "action": "retain",
        "params": {template: number} if number else {},
        "tag_selectors": [selector()] if tags is None else tags,
        "scope_selectors": {"repository": [selector(repositories, "repoMatches")]},
        **more,
    }


def policy(project: int, *rules: dict[str, Any], cron: str = "", **more: Any) -> dict[str, Any]:
    return {
        "algorithm": "or",
        "rules": list(rules),
        "trigger": {"kind": "Schedule", "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": project},
        **more,
    }


async def make(who: Person, project: int, *rules: dict[str, Any], **more: Any) -> int:
    answer = await ask(who, "POST", f"{API}/retentions", policy(project, *rules, **more))
    assert (answer.status, answer.body) == (201, b""), answer.body
    at, _, number = answer["location"].rpartition("/")
    assert at == f"{API}/retentions"
    return int(number)


async def start(who: Person, policy: int, *, dry_run: bool = False) -> int:
    """The id of a run that has not begun."""
    answer = await ask(who, "POST", f"{API}/retentions/{policy}/executions", {"dry_run": dry_run})
    assert answer.status == 201, answer.body
    return int(answer["location"].rpartition("/")[2])


async def run(world: World, who: Person, policy: int, *, dry_run: bool = False) -> int:
    """A run that has ended."""
    number = await start(who, policy, dry_run=dry_run)
    with settling(0):
        await world.work()
    return number


async def tasks(who: Person, policy: int, execution: int) -> dict[str, Any]:
    """What it made of each repository, by name."""
    answer = await who("GET", f"{API}/retentions/{policy}/executions/{execution}/tasks?page_size=100")
    assert answer.status == 200, answer.body
    return {each["repository"]: each for each in answer.json}


async def said(
    who: Person, policy: int, execution: int, repository: str = "app"
) -> list[tuple[str, str, str]]:
    """Tags, mark and reason of each decision about a repository."""
    task = (await tasks(who, policy, execution))[repository]
    at = f"{OWN}/policies/{policy}/executions/{execution}/tasks/{task['id']}/decisions?page_size=100"
    answer = await who("GET", at)
    assert answer.status == 200, answer.body
    return [(",".join(each["tags"]), each["retention"], each["reason"]) for each in answer.json]


async def push(who: Person, name: str, *layers: str) -> Image:
    made = image(*(layers or (name,)))
    answer = await who.push(name, made)
    assert answer.status == 201, answer.body
    return made


async def aged(
    world: World, repository: str, tag: str, *, pushed: float, pulled: float | None = None
) -> None:
    """An image and its tag as if they had been pushed, and pulled, so many days ago."""
    from fairway.features.retention.store import candidates

    now = await candidates.now(world.db)
    times = {
        "pushed_at": now - round(pushed * DAY),
        "pulled_at": None if pulled is None else now - round(pulled * DAY),
    }
    found = await world.db.first(
        select(tags.c.id, tags.c.artifact_id)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(repositories.c.name == repository, tags.c.name == tag)
    )
    assert found is not None
    await world.run(update(tags).where(tags.c.id == found["id"]).values(**times))
    await world.run(update(artifacts).where(artifacts.c.id == found["artifact_id"]).values(**times))
