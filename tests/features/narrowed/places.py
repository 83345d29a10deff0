"""A project of two teams, and what can be held for the repositories of one of them."""

from typing import Any

from features.robots.making import on, send
from stories.asgi import Answer
from stories.world import World, image

EVERYTHING = (
    "project:read",
    "repository:list",
    "repository:read",
    "repository:update",
    "repository:delete",
    "repository:pull",
    "repository:push",
    "artifact:create",
    "artifact:read",
    "artifact:list",
    "artifact:delete",
    "artifact-addition:read",
    "artifact-label:create",
    "artifact-label:delete",
    "accessory:list",
    "tag:create",
    "tag:list",
    "tag:delete",
)

PROJECT = "/api/v2.0/projects/team"


def only(namespace: str, patterns: list[str], *words: str) -> dict[str, Any]:
    """What a robot is granted for some repositories."""
    return on(namespace, *words) | {"repositories": patterns}


def below(repository: str) -> str:
    """The address of a repository of the project."""
    return f"{PROJECT}/repositories/{repository.replace('/', '%252F')}"


def told(answer: Answer) -> tuple[int, bytes]:
    """An answer, but for whether it is about the other team's repository or about none."""
    return answer.status, answer.body.replace(b"team-b/app", b"X").replace(b"team-b/none", b"X")


async def two_teams(world: World) -> int:
    """A private project, and what they have in it."""
    project = await world.project("team")
    await world.admin.push("team/team-a/app:v1", image("a", "base"))
    await world.admin.push("team/team-b/app:v1", image("b", "secret"))
    await world.admin.push("team/team-ab:v1", image("ab"))
    return project


async def join(world: World, role: int, repositories: list[str], **who: Any) -> str:
    """Take somebody into the project for some repositories; where the membership is."""
    body = {"role_id": role, "repositories": repositories, **who}
    answer = await send(world.admin, "POST", f"{PROJECT}/members", body)
    assert answer.status == 201, answer.body
    return answer["location"]
