"""Every operation that Harbor has for background work is there, answers as it should, and says what can go wrong.

The table beside this file says which those are: method, path, operation, status, what it returns, and its errors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fairway.frame.jobs import records
from inventory import API, Operation, check_described, check_shape, operations
from stories.asgi import Answer
from stories.world import Person, World

JSON = {"content-type": "application/json"}
LISTS_BY_PAGE = {"getGCHistory", "getPurgeHistory", "listSchedules"}

RUN = {
    "id": int,
    "job_name": str,
    "job_kind": str,
    "job_parameters": str,
    "schedule": dict,
    "job_status": str,
    "deleted": bool,
    "creation_time": str,
    "update_time": str,
}
SHAPES: dict[str, dict[str, type]] = {
    "GCHistory": RUN,
    "ExecHistory": RUN,
    "WorkerPool": {
        "pid": int,
        "worker_pool_id": str,
        "start_at": str,
        "heartbeat_at": str,
        "concurrency": int,
        "host": str,
    },
    "Worker": {
        "id": str,
        "pool_id": str,
        "job_name": str,
        "job_id": str,
        "start_at": str,
        "check_in": str,
        "checkin_at": str,
    },
    "JobQueue": {"job_type": str, "count": int, "latency": int, "paused": bool},
    "ScheduleTask": {"id": int, "vendor_type": str, "vendor_id": int, "cron": str, "update_time": str},
    "SchedulerStatus": {"paused": bool},
}
NULLABLE = {"start_at", "checkin_at"}

NEVER: Mapping[str, set[int]] = {
    "listJobQueues": {404},
    "listSchedules": {404},
    "getSchedulePaused": {403, 404},
}
"""Errors that Harbor declares and never answers with."""


OPERATIONS = operations(Path(__file__).with_name("inventory.tsv"))

DAILY = {"schedule": {"type": "Daily"}}
NOW = {"schedule": {"type": "Manual"}}
PURGE = {"parameters": {"audit_retention_hour": 24, "include_event_types": "create_artifact"}}
BODIES: Mapping[str, dict[str, Any]] = {
    "createGCSchedule": NOW,
    "updateGCSchedule": DAILY,
    "createPurgeSchedule": NOW | PURGE,
    "updatePurgeSchedule": DAILY | PURGE,
    "actionPendingJobs": {"action": "resume"},
}


@dataclass(frozen=True)
class Place:
    """A world in which something has run, and the ids of it."""

    world: World
    gc: int
    purge: int
    task: int

    def target(self, operation: Operation) -> str:
        ids = {
            "gc_id": self.gc,
            "purge_id": self.purge,
            "job_id": self.task,
            "pool_id": "all",
            "job_type": "all",
        }
        return API + operation.path.format(**ids)

    async def call(self, operation: Operation, by: Person) -> Answer:
        body = BODIES.get(operation.name)
        data = b"" if body is None else json.dumps(body).encode()
        return await by(operation.method, self.target(operation), data, headers=JSON)


async def run(world: World, what: str, body: dict[str, Any]) -> int:
    target = f"{API}/system/{what}/schedule"
    answer = await world.admin("POST", target, json.dumps(body).encode(), headers=JSON)
    assert answer.status == 201, answer.body
    return int(answer["location"].rpartition("/")[2])


@pytest.fixture
async def place(world: World) -> Place:
    gc, purge = await run(world, "gc", NOW), await run(world, "purgeaudit", NOW | PURGE)
    for what, body in (("gc", DAILY), ("purgeaudit", DAILY | PURGE)):
        target = f"{API}/system/{what}/schedule"
        answer = await world.admin("PUT", target, json.dumps(body).encode(), headers=JSON)
        assert answer.status == 200, answer.body
    await world.work()
    [task] = await records.tasks_of(world.db, gc)
    return Place(world, gc, purge, task.id)


def check_answer(place: Place, operation: Operation, answer: Answer) -> None:
    assert answer.status == operation.success, answer.body
    if operation.returns == "-":
        assert answer.body == b""
    elif operation.returns == "string":
        assert answer["content-type"].startswith("text/plain")
        assert " [INFO] " in answer.body.decode()
    else:
        assert answer["content-type"] == "application/json"
        shape = SHAPES[operation.returns.strip("[]")]
        shown = answer.json if operation.returns.startswith("[") else [answer.json]
        assert shown
        for each in shown:
            check_shape(each, shape, NULLABLE)
    assert ("x-total-count" in answer) is (operation.name in LISTS_BY_PAGE)
    if operation.name.startswith("create"):
        beside = place.target(operation).rpartition("/")[0]
        assert answer["location"].startswith(beside)


async def test_each_answers_as_it_should(place: Place) -> None:
    for operation in OPERATIONS:
        answer = await place.call(operation, place.world.admin)
        try:
            check_answer(place, operation, answer)
        except AssertionError as error:
            raise AssertionError(operation.name) from error


async def test_each_is_for_administrators(place: Place) -> None:
    bob = await place.world.person("bob")
    for operation in OPERATIONS:
        status = 200 if operation.name == "getSchedulePaused" else 403
        assert (await place.call(operation, bob)).status == status, operation.name
        answer = await place.call(operation, place.world.anybody)
        assert answer.short == (401, "UNAUTHORIZED"), operation.name


async def test_none_is_missing_and_each_says_what_can_go_wrong(world: World) -> None:
    check_described(world, OPERATIONS, NEVER)
