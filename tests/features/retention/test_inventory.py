"""Every operation that Harbor has for retention is there, answers as it should, and says what can go wrong.

The table beside this file says which those are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.retention.making import policy, rule, settling
from inventory import API, Operation, Shape, check_described, check_shape, operations
from stories.world import World, image

JSON = {"content-type": "application/json"}
OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
SHAPES: Mapping[str, Shape] = {
    "RetentionMetadata": {"templates": list, "scope_selectors": list, "tag_selectors": list},
    "RetentionPolicy": {
        "id": int,
        "algorithm": str,
        "rules": list,
        "trigger": dict,
        "scope": dict,
        "mode": str,  # ours
    },
    "RetentionExecution": {
        "id": int,
        "policy_id": int,
        "start_time": str,
        "end_time": str,
        "status": str,
        "trigger": str,
        "dry_run": bool,
    },
    "RetentionExecutionTask": {
        "id": int,
        "execution_id": int,
        "repository": str,
        "job_id": str,
        "status": str,
        "status_code": int,
        "status_revision": int,
        "start_time": str,
        "end_time": str,
        "total": int,
        "retained": int,
        "deleted": int,  # ours
        "message": str,  # ours
    },
}
CALLS = """
getRentenitionMetadata     /retentions/metadatas
createRetention            /retentions
getRetention               /retentions/1
updateRetention            /retentions/1
triggerRetentionExecution  /retentions/1/executions
listRetentionExecutions    /retentions/1/executions
listRetentionTasks         /retentions/1/executions/1/tasks
getRetentionTaskLog        /retentions/1/executions/1/tasks/1
operateRetentionExecution  /retentions/1/executions/1
deleteRetention            /retentions/1
"""
"""In an order in which each finds what it is about."""


def rows() -> list[tuple[Operation, str]]:
    known = {each.name: each for each in OPERATIONS}
    return [(known[name], API + target) for name, target in map(str.split, CALLS.strip().splitlines())]


async def test_each_answers_as_it_should(world: World) -> None:
    project = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    bodies: Mapping[str, dict[str, Any]] = {
        "createRetention": policy(project, rule("always")),
        "updateRetention": policy(project, rule("latestPushedK", 2)),
        "triggerRetentionExecution": {"dry_run": True},
        "operateRetentionExecution": {"action": "stop"},
    }
    for operation, target in rows():
        body = json.dumps(bodies[operation.name]).encode() if operation.name in bodies else b""
        answer = await world.admin(operation.method, target, body, headers=JSON)
        assert answer.status == operation.success, (operation.name, answer.body)
        assert ("x-total-count" in answer) is operation.returns.startswith("["), operation.name
        assert ("location" in answer) is (operation.success == 201), operation.name
        if operation.name == "triggerRetentionExecution":
            with settling(0):
                await world.work()
        if operation.returns == "-":
            assert answer.body == b"", operation.name
        elif operation.returns == "string":
            assert answer["content-type"].startswith("text/plain")
        else:
            shown = answer.json if operation.returns.startswith("[") else [answer.json]
            assert shown, operation.name
            for each in shown:
                check_shape(each, SHAPES[operation.returns.strip("[]")])


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    assert {operation.name for operation, _ in rows()} == {each.name for each in OPERATIONS}
    check_described(world, OPERATIONS, {each.name: {500} for each in OPERATIONS})
