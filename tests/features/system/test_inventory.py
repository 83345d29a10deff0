"""Harbor's operations on the configuration are served, answer with its statuses, and say what can go wrong."""

import json
from pathlib import Path

from inventory import API, check_described, operations
from stories.world import World

OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))


async def test_each_answers_as_it_should(world: World) -> None:
    for operation in OPERATIONS:
        body = json.dumps({"items": []}).encode() if operation.method == "PUT" else b""
        answer = await world.admin(
            operation.method, API + operation.path, body, headers={"content-type": "application/json"}
        )
        assert answer.status == operation.success, operation.name
        assert (answer.body == b"") is (operation.returns == "-")


async def test_each_says_what_can_go_wrong(world: World) -> None:
    check_described(world, OPERATIONS, {})
