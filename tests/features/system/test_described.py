"""The description of the whole API is complete in itself."""

from collections.abc import Iterator
from typing import Any

from fairway.app import management_api
from stories.world import World


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a document, however deep."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)


async def test_everything_that_is_referred_to_is_there(world: World) -> None:
    """Generators of clients stop at the first reference to what is nowhere."""
    document = management_api(world.parts).openapi()
    found = set(references(document))
    assert found
    for reference in found:
        at: Any = document
        assert reference.startswith("#/"), reference
        for step in reference.removeprefix("#/").split("/"):
            at = at.get(step, {}) if isinstance(at, dict) else {}
        assert at, f"{reference} leads nowhere"
