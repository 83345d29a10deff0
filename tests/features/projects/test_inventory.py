"""Every operation that Harbor has for projects, settings, members and quotas is there, answers as it should, and says what
can go wrong.

The table beside this file says which those are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.frame.db.tables import audit_log
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from inventory import API, Operation, Shape, check_described, check_shape, operations
from stories.asgi import Answer
from stories.world import Person, World

JSON = {"content-type": "application/json"}
OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))

STORAGE = {"storage": int}
SHAPES: Mapping[str, Shape] = {
    "Project": {
        "project_id": int,
        "owner_id": int,
        "owner_name": str,
        "name": str,
        "registry_id": int,
        "creation_time": str,
        "update_time": str,
        "deleted": bool,
        "togglable": bool,
        "current_user_role_id": int,
        "current_user_role_ids": list,
        "repo_count": int,
        "chart_count": int,
        "metadata": dict,
        "cve_allowlist": dict,
    },
    "ProjectDeletable": {"deletable": bool},
    "ProjectSummary": {
        "repo_count": int,
        "project_admin_count": int,
        "maintainer_count": int,
        "developer_count": int,
        "guest_count": int,
        "limited_guest_count": int,
        "quota": dict,
    },
    "ProjectMemberEntity": {
        "id": int,
        "project_id": int,
        "entity_id": int,
        "entity_name": str,
        "entity_type": str,
        "role_id": int,
        "role_name": str,
    },
    "object": {"severity": str},
    "Quota": {
        "id": int,
        "ref": dict,
        "hard": dict,
        "used": dict,
        "creation_time": str,
        "update_time": str,
    },
}

CALLS = """
createProject          /projects
listProjects           /projects
headProject            /projects?project_name=team
getProject             /projects/team
updateProject          /projects/team
getProjectDeletable    /projects/team/_deletable
getProjectSummary      /projects/team/summary
createProjectMember    /projects/team/members
listProjectMembers     /projects/team/members
getProjectMember       /projects/team/members/2
updateProjectMember    /projects/team/members/2
deleteProjectMember    /projects/team/members/2
addProjectMetadatas    /projects/team/metadatas/
listProjectMetadatas   /projects/team/metadatas/
getProjectMetadata     /projects/team/metadatas/severity
updateProjectMetadata  /projects/team/metadatas/severity
deleteProjectMetadata  /projects/team/metadatas/severity
listQuotas             /quotas
getQuota               /quotas/1
updateQuota            /quotas/1
deleteProject          /projects/team
"""
"""In an order in which each finds what it is about."""

BODIES: Mapping[str, dict[str, Any]] = {
    "createProject": {"project_name": "team"},
    "updateProject": {"metadata": {"public": "false"}},
    "createProjectMember": {"role_id": 2, "member_user": {"username": "bob"}},
    "updateProjectMember": {"role_id": 3},
    "addProjectMetadatas": {"severity": "low"},
    "updateProjectMetadata": {"severity": "high"},
    "updateQuota": {"hard": {"storage": 5000}},
}
FOR_EVERYBODY = {"listProjects", "createProject"}


def rows() -> list[tuple[Operation, str]]:
    known = {each.name: each for each in OPERATIONS}
    return [(known[name], API + target) for name, target in map(str.split, CALLS.strip().splitlines())]


async def call(who: Person, operation: Operation, target: str) -> Answer:
    body = BODIES.get(operation.name)
    return await who(operation.method, target, json.dumps(body).encode() if body else b"", headers=JSON)


def check_answer(operation: Operation, target: str, answer: Answer) -> None:
    assert answer.status == operation.success, answer.body
    assert ("x-total-count" in answer) is operation.name.startswith("list") & (operation.returns != "object")
    if operation.success == 201:
        assert answer["location"].rpartition("/")[0] == target
    if operation.returns == "-":
        assert answer.body == b""
        return
    assert answer["content-type"] == "application/json"
    shown = answer.json if operation.returns.startswith("[") else [answer.json]
    assert shown
    for each in shown:
        shape = SHAPES[operation.returns.strip("[]")]
        if operation.name == "listProjectMetadatas":
            shape = {"public": str, **shape}
        check_shape(each, shape)


async def test_each_answers_as_it_should(world: World) -> None:
    await world.person("bob")
    for operation, target in rows():
        answer = await call(world.admin, operation, target)
        try:
            check_answer(operation, target, answer)
        except AssertionError as error:
            raise AssertionError(operation.name) from error


async def test_each_is_for_those_who_belong_there(world: World) -> None:
    bob = await world.person("bob")
    await world.project("team")
    for operation, target in rows():
        if operation.name in FOR_EVERYBODY:
            continue
        assert (await call(bob, operation, target)).status == 403, operation.name
        assert (await call(world.anybody, operation, target)).status == 401, operation.name


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    assert {operation.name for operation, _ in rows()} == {each.name for each in OPERATIONS}
    check_described(world, OPERATIONS, {})


async def test_every_change_is_audited(world: World) -> None:
    await world.person("bob")
    for operation, target in rows():
        await call(world.admin, operation, target)
    await hand_over(world.db, reactions(world.parts.notifications))
    lines = [(row["username"], row["description"]) for row in await world.rows(audit_log)]
    assert lines == [
        ("admin", "create project: team"),
        ("admin", "update project: team"),
        ("admin", "create member: bob as developer of project team"),
        ("admin", "update member: bob as guest of project team"),
        ("admin", "delete member: bob as guest of project team"),
        *[("admin", "update project: team")] * 3,
        ("admin", "update quota: team to 5000 bytes"),
        ("admin", "delete project: team"),
    ]
