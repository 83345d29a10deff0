"""Every operation that Harbor has for labels, groups of people, searching and copying is there, answers as it should, and
says what can go wrong.

The table beside this file says which those are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inventory import API, Operation, Shape, check_described, check_shape, operations
from stories.world import World, image

JSON = {"content-type": "application/json"}
OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
SHAPES: Mapping[str, Shape] = {
    "Label": {
        "id": int,
        "name": str,
        "description": str,
        "color": str,
        "scope": str,
        "project_id": int,
        "creation_time": str,
        "update_time": str,
    },
    "UserGroup": {"id": int, "group_name": str, "group_type": int, "ldap_group_dn": str},
    "UserGroupSearchItem": {"id": int, "group_name": str, "group_type": int},
    "Search": {"project": list, "repository": list},
}
APP = "/projects/team/repositories/app/artifacts"
CALLS = f"""
CreateLabel       /labels
ListLabels        /labels?scope=g
GetLabelByID      /labels/1
UpdateLabel       /labels/1
addLabel          {APP}/v1/labels
removeLabel       {APP}/v1/labels/1
DeleteLabel       /labels/1
CopyArtifact      /projects/team/repositories/copied/artifacts?from=team/app:v1
search            /search?q=copied
createUserGroup   /usergroups
listUserGroups    /usergroups
searchUserGroups  /usergroups/search?groupname=dev
getUserGroup      /usergroups/1
updateUserGroup   /usergroups/1
deleteUserGroup   /usergroups/1
"""
"""In an order in which each finds what it is about."""
BODIES: Mapping[str, dict[str, Any]] = {
    "CreateLabel": {"name": "stable", "scope": "g"},
    "UpdateLabel": {"name": "tested"},
    "addLabel": {"id": 1},
    "createUserGroup": {"group_name": "devs", "group_type": 3},
    "updateUserGroup": {"group_name": "developers"},
}
NEVER = {
    "CopyArtifact": {405},  # which is for proxy caches
    "removeLabel": {409},
    "searchUserGroups": {409},
}
"""What Harbor lists and nothing here answers with."""


def rows() -> list[tuple[Operation, str]]:
    known = {each.name: each for each in OPERATIONS}
    return [(known[name], API + target) for name, target in map(str.split, CALLS.strip().splitlines())]


async def test_each_answers_as_it_should(world: World) -> None:
    await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    for operation, target in rows():
        body = json.dumps(BODIES[operation.name]).encode() if operation.name in BODIES else b""
        answer = await world.admin(operation.method, target, body, headers=JSON)
        assert answer.status == operation.success, (operation.name, answer.body)
        assert ("x-total-count" in answer) is operation.returns.startswith("["), operation.name
        assert ("location" in answer) is (operation.success == 201), operation.name
        if operation.returns == "-":
            assert answer.body == b"", operation.name
            continue
        shown = answer.json if operation.returns.startswith("[") else [answer.json]
        assert shown, operation.name
        for each in shown:
            check_shape(each, SHAPES[operation.returns.strip("[]")])


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    assert {operation.name for operation, _ in rows()} == {each.name for each in OPERATIONS}
    check_described(world, OPERATIONS, NEVER)
