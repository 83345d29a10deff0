"""Every operation that Harbor has for webhooks is there, answers as it should, and says what can go wrong.

The table beside this file says which those are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.webhooks.asked import JSON, happen, policy
from inventory import API, Operation, Shape, check_described, check_shape, operations
from stories.world import World, image

OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))
SHAPES: Mapping[str, Shape] = {
    "WebhookPolicy": {
        "id": int,
        "name": str,
        "description": str,
        "project_id": int,
        "targets": list,
        "event_types": list,
        "creator": str,
        "creation_time": str,
        "update_time": str,
        "enabled": bool,
        "tag_selectors": list,
        "scope_selectors": dict,
    },
    "Execution": {
        "id": int,
        "vendor_type": str,
        "vendor_id": int,
        "status": str,
        "status_message": str,
        "metrics": dict,
        "trigger": str,
        "extra_attrs": dict,
        "start_time": str,
    },
    "Task": {
        "id": int,
        "execution_id": int,
        "status": str,
        "status_message": str,
        "run_count": int,
        "extra_attrs": dict,
        "creation_time": str,
        "update_time": str,
    },
    "WebhookLastTrigger": {
        "policy_name": str,
        "event_type": str,
        "enabled": bool,
        "creation_time": str,
        "last_trigger_time": str,
    },
    "WebhookJob": {
        "id": int,
        "policy_id": int,
        "event_type": str,
        "notify_type": str,
        "status": str,
        "job_detail": str,
        "creation_time": str,
        "update_time": str,
    },
    "SupportedWebhookEventTypes": {"event_type": list, "notify_type": list, "payload_formats": list},
}
HERE = "/projects/team/webhook"
CALLS = f"""
CreateWebhookPolicyOfProject    {HERE}/policies
ListWebhookPoliciesOfProject    {HERE}/policies
UpdateWebhookPolicyOfProject    {HERE}/policies/1
GetWebhookPolicyOfProject       {HERE}/policies/1
ListExecutionsOfWebhookPolicy   {HERE}/policies/1/executions
ListTasksOfWebhookExecution     {HERE}/policies/1/executions/1/tasks
GetLogsOfWebhookTask            {HERE}/policies/1/executions/1/tasks/1/log
LastTrigger                     {HERE}/lasttrigger
ListWebhookJobs                 {HERE}/jobs?policy_id=1
GetSupportedEventTypes          {HERE}/events
DeleteWebhookPolicyOfProject    {HERE}/policies/1
"""
"""In an order in which each finds what it is about."""
BODIES: Mapping[str, dict[str, Any]] = {
    "CreateWebhookPolicyOfProject": policy(),
    "UpdateWebhookPolicyOfProject": policy(),
}
NEVER = {
    "GetWebhookPolicyOfProject": {400},
    "DeleteWebhookPolicyOfProject": {400},
    "GetLogsOfWebhookTask": {400},
    "LastTrigger": {400},
}
"""What Harbor lists and nothing here answers with."""


def rows() -> list[tuple[Operation, str]]:
    known = {each.name: each for each in OPERATIONS}
    return [(known[name], API + target) for name, target in map(str.split, CALLS.strip().splitlines())]


async def test_each_answers_as_it_should(world: World) -> None:
    await world.project("team")
    for operation, target in rows():
        body = json.dumps(BODIES[operation.name]).encode() if operation.name in BODIES else b""
        answer = await world.admin(operation.method, target, body, headers=JSON)
        assert answer.status == operation.success, (operation.name, answer.body)
        paged = operation.returns.startswith("[") and operation.name != "LastTrigger"
        assert ("x-total-count" in answer) is paged, operation.name
        assert ("location" in answer) is (operation.success == 201), operation.name
        if operation.name == "UpdateWebhookPolicyOfProject":
            assert (await world.admin.push("team/app:v1", image("base"))).status == 201
            await happen(world)
        if operation.returns == "-":
            assert answer.body == b"", operation.name
        elif operation.returns == "string":
            assert answer["content-type"].startswith("text/plain")
        else:
            shown = answer.json if operation.returns.startswith("[") else [answer.json]
            assert shown, operation.name
            for each in shown:
                each.pop("health", None)  # of one policy by itself
                check_shape(each, SHAPES[operation.returns.strip("[]")])


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    assert {operation.name for operation, _ in rows()} == {each.name for each in OPERATIONS}
    check_described(world, OPERATIONS, NEVER)
