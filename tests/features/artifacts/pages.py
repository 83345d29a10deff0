"""Artifacts and their pages, asked for by the API."""

from typing import Any

from stories.asgi import Answer
from stories.world import Image, Person

API = "/api/v2.0"
APP = f"{API}/projects/team/repositories/app/artifacts"


async def shown(who: Person, what: Image, tag: str = "v1") -> dict[str, Any]:
    """An artifact as it is shown, one by one and in the list, after it was pushed."""
    answer = await who.push(f"team/app:{tag}", what)
    assert answer.status == 201, answer.body
    one: dict[str, Any] = (await who("GET", f"{APP}/{tag}")).json
    listed = (await who("GET", APP)).json
    assert [each for each in listed if each["digest"] == what.digest] == [one]
    return one


async def page(who: Person, name: str, tag: str = "v1") -> Answer:
    return await who("GET", f"{APP}/{tag}/additions/{name}")


def links(of: dict[str, Any]) -> list[str]:
    return sorted(of["addition_links"])
