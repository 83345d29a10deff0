"""A policy of retention from its first day to its last, told through harborapi."""

import asyncio
import time

import pytest
from harborapi import HarborAsyncClient
from harborapi.exceptions import BadRequest, HarborAPIException
from harborapi.models import (
    RetentionPolicy,
    RetentionPolicyScope,
    RetentionRule,
    RetentionRuleTrigger,
    RetentionSelector,
)

from hub import Hub
from system.harborapi.pushing import push
from system.harborapi.steps import WAIT_SECONDS, new_project, number
from system.wire import Wire

pytestmark = pytest.mark.system


def keeping(template: str, count: int, project: int, *, cron: str = "") -> RetentionPolicy:
    everything = {"kind": "doublestar", "pattern": "**"}
    return RetentionPolicy(
        algorithm="or",
        rules=[
            RetentionRule(
                action="retain",
                template=template,
                params={template: count},
                tag_selectors=[
                    RetentionSelector(decoration="matches", extras='{"untagged":true}', **everything)
                ],
                scope_selectors={"repository": [RetentionSelector(decoration="repoMatches", **everything)]},
            )
        ],
        trigger=RetentionRuleTrigger(kind="Schedule", settings={"cron": cron}, references={}),
        scope=RetentionPolicyScope(level="project", ref=project),
    )


async def ended(harbor: HarborAsyncClient, policy: int, runs: int) -> list[str]:
    """The states of so many runs, when they are over."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = await harbor.get_retention_executions(policy, page=1, page_size=10)
        states = [str(each.status) for each in found]
        if len(states) == runs and not {"Pending", "Running"} & set(states):
            return states
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)


async def test_a_policy_of_retention(hub: Hub, harbor: HarborAsyncClient) -> None:
    wire = Wire(hub)
    project = await new_project(harbor, "cleaned")
    for n in range(4):
        push(wire, "cleaned/app", f"v{n}", seed=f"{n}".encode())
    metadata = await harbor.get_retention_metadata()
    assert metadata.templates
    assert metadata.templates[0].rule_template == "latestPushedK"

    policy = number(await harbor.create_retention_policy(keeping("latestPushedK", 1, project)))
    with pytest.raises(BadRequest):
        await harbor.create_retention_policy(keeping("always", 1, project))
    assert await harbor.get_project_retention_id("cleaned") == policy
    found = await harbor.get_retention_policy(policy)
    assert found.rules
    assert found.rules[0].params == {"latestPushedK": 1}

    found.rules[0].params = {"latestPushedK": 3}
    await harbor.update_retention_policy(policy, found)
    await harbor.start_retention_execution(policy, dry_run=True)
    assert await ended(harbor, policy, 1) == ["Success"]
    [run] = await harbor.get_retention_executions(policy, page=1, page_size=10)
    assert run.id
    assert run.dry_run is True
    [task] = await harbor.get_retention_tasks(policy, run.id, page=1, page_size=10)
    assert (task.repository, task.total, task.retained) == ("app", 4, 3)
    assert task.id
    log = await harbor.get_retention_execution_task_log(policy, run.id, task.id)
    assert log.count("| DEL |") == 1
    assert len(await harbor.get_artifacts("cleaned", "app")) == 4

    await harbor.start_retention_execution(policy, dry_run=False)
    assert await ended(harbor, policy, 2) == ["Success", "Success"]
    left = await harbor.get_artifacts("cleaned", "app")
    assert sorted(tag.name or "" for each in left for tag in each.tags or []) == ["v1", "v2", "v3"]
    await harbor.stop_retention_execution(policy, run.id)

    await harbor.delete_retention_policy(policy)
    with pytest.raises(HarborAPIException):
        await harbor.get_project_retention_id("cleaned")
