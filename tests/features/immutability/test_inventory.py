"""Every operation that Harbor has for immutable tag rules is there, answers as it should, and says what can go wrong."""

import json
from collections.abc import Mapping
from pathlib import Path

from features.immutability.rules import API, rule
from inventory import Shape, check_described, check_shape, operations
from stories.world import World

JSON = {"content-type": "application/json"}
OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
SHAPE: Shape = {
    "id": int,
    "priority": int,
    "disabled": bool,
    "action": str,
    "template": str,
    "params": dict,
    "tag_selectors": list,
    "scope_selectors": dict,
}
ALL = f"{API}/projects/team/immutabletagrules"
CALLS = [
    ("CreateImmuRule", ALL, rule()),
    ("ListImmuRules", ALL, None),
    ("UpdateImmuRule", f"{ALL}/1", rule("release-*")),
    ("DeleteImmuRule", f"{ALL}/1", None),
]
"""In an order in which each finds what it is about."""
NEVER: Mapping[str, set[int]] = {}
"""What Harbor lists and nothing here answers with."""


async def test_each_answers_as_it_should(world: World) -> None:
    await world.project("team")
    known = {each.name: each for each in OPERATIONS}
    for name, target, said in CALLS:
        operation = known[name]
        body = b"" if said is None else json.dumps(said).encode()
        answer = await world.admin(operation.method, target, body, headers=JSON)
        assert answer.status == operation.success, (name, answer.body)
        assert ("x-total-count" in answer) is operation.returns.startswith("["), name
        assert ("location" in answer) is (operation.success == 201), name
        if operation.returns == "-":
            assert answer.body == b"", name
            continue
        [shown] = answer.json
        check_shape(shown, SHAPE)


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    assert {name for name, *_ in CALLS} == {each.name for each in OPERATIONS}
    check_described(world, OPERATIONS, NEVER)
