"""What was told, as executions, tasks and jobs; trying a policy out, and telling something once more."""

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.features.webhooks.payloads.notice import EVENT_TYPES
from fairway.frame.db.tables import webhook_deliveries, webhook_targets
from features.webhooks.asked import API, HOOK, ask, happen, make, policy, show, told
from stories.world import Person, World, image

SLACK = {"type": "slack", "address": "https://hooks.slack.com/services/T/B/x"}
TEAMS = {"type": "teams", "address": "https://x.logic.azure.com/workflows/1"}
JSON = {"content-type": "application/json"}
_d = webhook_deliveries


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


@pytest.fixture
async def number(world: World, alice: Person) -> int:
    """A policy by which one push was told."""
    hook = {**HOOK, "auth_header": "Bearer swordfish", "secret": "swordfish"}
    made = await make(alice, policy("ci", hook, event_types=["PUSH_ARTIFACT", "PULL_ARTIFACT"]))
    assert (await alice.push("team/app:v1", image("a"))).status == 201
    await happen(world)
    return made


def at(number: int, more: str = "") -> str:
    return f"team/webhook/policies/{number}/executions{more}"


async def test_a_delivery_is_an_execution_a_task_and_a_job(world: World, alice: Person, number: int) -> None:
    (row,) = await told(world)
    answer = await ask(alice, "GET", at(number))
    assert (answer.status, answer["x-total-count"]) == (200, "1")
    (execution,) = answer.json
    assert execution.pop("start_time") > "2020"
    assert execution == {
        "id": row["id"],
        "vendor_type": "WEBHOOK",
        "vendor_id": number,
        "status": "Running",
        "status_message": "",
        "metrics": {
            "task_count": 1,
            "success_task_count": 0,
            "error_task_count": 0,
            "pending_task_count": 1,
            "running_task_count": 0,
            "stopped_task_count": 0,
        },
        "trigger": "EVENT",
        "extra_attrs": {"event_type": "PUSH_ARTIFACT", "payload": row["body"]},
    }
    answer = await ask(alice, "GET", at(number, f"/{row['id']}/tasks"))
    assert (answer.status, answer["x-total-count"]) == (200, "1")
    (task,) = answer.json
    assert task.pop("creation_time") == task.pop("update_time") > "2020"
    assert task == {
        "id": row["id"],
        "execution_id": row["id"],
        "status": "Pending",
        "status_message": "",
        "run_count": 0,
        "extra_attrs": {},
    }
    answer = await ask(alice, "GET", f"team/webhook/jobs?policy_id={number}")
    (job,) = answer.json
    assert job.pop("creation_time") == job.pop("update_time") > "2020"
    assert job == {
        "id": row["id"],
        "policy_id": number,
        "event_type": "PUSH_ARTIFACT",
        "notify_type": "http",
        "status": "Running",
        "job_detail": row["body"],
    }


async def end(world: World, **more: Any) -> None:
    said = {"status": "Error", "tries": 3, "started_at": 2_000_000, "ended_at": 3_000_000, **more}
    await world.run(update(_d).values(**said))


async def test_what_became_of_it_is_shown(world: World, alice: Person, number: int) -> None:
    await end(world, answered=404, reply="no such <hook>", message="answered 404")
    (row,) = await told(world)
    (execution,) = (await ask(alice, "GET", at(number))).json
    assert (execution["status"], execution["status_message"]) == ("Error", "answered 404")
    assert execution["metrics"]["error_task_count"] == 1
    assert execution["end_time"] == "1970-01-01T00:00:03.000Z"
    (task,) = (await ask(alice, "GET", at(number, f"/{row['id']}/tasks"))).json
    assert (task["status"], task["run_count"]) == ("Error", 3)
    assert task["start_time"] == "1970-01-01T00:00:02.000Z"
    answer = await ask(alice, "GET", at(number, f"/{row['id']}/tasks/{row['id']}/log"))
    assert answer["content-type"].startswith("text/plain")
    for each in ("PUSH_ARTIFACT", "answered with 404", "no such <hook>", "try 3", row["event_id"]):
        assert each in answer.body.decode()
    assert (await ask(alice, "GET", at(number, f"/{row['id']}/tasks/{row['id'] + 1}/log"))).status == 404
    detail = (await ask(alice, "GET", at(number, f"/{row['id']}"))).json
    assert detail["event_id"] == row["event_id"]
    assert detail["tries"] == 3
    assert detail["answer"] == {"status": 404, "body": "no such <hook>"}
    assert detail["request"] == {
        "method": "POST",
        "address": HOOK["address"],
        "headers": {
            "content-type": "application/json",
            "webhook-id": row["event_id"],
            "x-fairway-event": "PUSH_ARTIFACT",
            "authorization": "********",
            "webhook-signature": "********",
            "x-signature": "********",
        },
        "body": row["body"],
    }
    for target in (at(number), at(number, f"/{row['id']}")):
        assert b"swordfish" not in (await ask(alice, "GET", target)).body


async def test_executions_are_chosen_and_sorted(world: World, alice: Person, number: int) -> None:
    await end(world)
    assert (await alice.push("team/app:v2", image("b"))).status == 201
    await happen(world)
    first, second = (row["id"] for row in await told(world))
    for query, ids in (
        ("", [second, first]),
        ("?sort=id", [first, second]),
        ("?q=status=Error", [first]),
        ("?q=status=Running", [second]),
        ("?q=event_type=PULL_ARTIFACT", []),
        ("?q=vendor_type=WEBHOOK&sort=start_time", [first, second]),
        ("?page_size=1&page=2", [first]),
    ):
        answer = await ask(alice, "GET", at(number, query))
        assert [each["id"] for each in answer.json] == ids, query
    for query, ids in (
        ("", [second, first]),
        ("&status=Error", [first]),
        ("&status=Error&status=Running", [second, first]),
        ("&status=Error,Success", [first]),
        ("&status=Success", []),
    ):
        answer = await ask(alice, "GET", f"team/webhook/jobs?policy_id={number}{query}")
        assert [each["id"] for each in answer.json] == ids, query
        assert answer["x-total-count"] == str(len(ids))
    assert (await ask(alice, "GET", "team/webhook/jobs")).status == 422
    assert (await ask(alice, "GET", "team/webhook/jobs?policy_id=4711")).short == (404, "NOT_FOUND")


async def test_what_is_not_there_is_said_so(world: World, alice: Person, number: int) -> None:
    other = await make(alice, policy("other"))
    (row,) = await told(world)
    for method, target in (
        ("GET", at(number, "/4711")),
        ("GET", at(other, f"/{row['id']}")),
        ("GET", at(other, f"/{row['id']}/tasks")),
        ("GET", at(other, f"/{row['id']}/tasks/{row['id']}/log")),
        ("POST", at(other, f"/{row['id']}/redeliver")),
        ("GET", at(4711)),
    ):
        assert (await ask(alice, method, target)).short == (404, "NOT_FOUND"), target


# -- trying out


async def test_a_sample_of_every_type_takes_the_same_way(world: World, alice: Person) -> None:
    number = await make(alice, policy("ci", HOOK, SLACK, TEAMS, enabled=False))
    for event_type in EVENT_TYPES:
        answer = await ask(alice, "POST", f"team/webhook/policies/{number}/ping", {"event_type": event_type})
        assert answer.status == 202, answer.body
        assert {each["vendor_type"] for each in answer.json} == {"WEBHOOK", "SLACK", "TEAMS"}
        assert {each["extra_attrs"]["event_type"] for each in answer.json} == {event_type}
        default = next(each for each in answer.json if each["vendor_type"] == "WEBHOOK")
        payload = json.loads(default["extra_attrs"]["payload"])
        assert (payload["type"], payload["operator"]) == (event_type, "alice")
        assert payload["occur_at"] > 1_600_000_000
    rows = await told(world)
    assert len(rows) == 3 * len(EVENT_TYPES)
    assert all(row["event_id"].startswith("sample-") for row in rows)
    for target in await world.db.all(select(webhook_targets)):
        assert target["due_at"] is not None
    health = (await show(alice, number))["health"]
    assert [each["waiting"] for each in health] == [len(EVENT_TYPES)] * 3


async def test_a_ping_tells_the_first_of_its_types(world: World, alice: Person) -> None:
    number = await make(alice, policy("ci", event_types=["TAG_MOVED", "PUSH_ARTIFACT"]))
    (execution,) = (await ask(alice, "POST", f"team/webhook/policies/{number}/ping", {})).json
    assert execution["extra_attrs"]["event_type"] == "TAG_MOVED"
    answer = await ask(alice, "POST", f"team/webhook/policies/{number}/ping", {"event_type": "PING"})
    assert answer.short == (400, "BAD_REQUEST")


async def test_what_ended_is_told_once_more_with_the_same_id(
    world: World, alice: Person, number: int
) -> None:
    (row,) = await told(world)
    again = at(number, f"/{row['id']}/redeliver")
    assert (await ask(alice, "POST", again)).short == (409, "CONFLICT")  # it is on its way
    await end(world)
    answer = await ask(alice, "POST", again)
    assert answer.status == 202, answer.body
    before, after = await told(world)
    assert answer.json["id"] == after["id"] > before["id"]
    assert answer["location"] == f"{API}/projects/{at(number)}/{after['id']}"
    assert (await alice("GET", answer["location"])).json["event_id"] == before["event_id"]
    for column in ("event_id", "event_type", "topic", "media_type", "body", "target_id"):
        assert before[column] == after[column]
    assert (after["status"], after["tries"], after["ended_at"]) == ("Pending", 0, None)


async def test_nobody_is_told_what_a_removed_target_was(world: World, alice: Person, number: int) -> None:
    await end(world)
    (row,) = await told(world)
    other = policy("ci", {**SLACK})
    assert (await ask(alice, "PUT", f"team/webhook/policies/{number}", other)).status == 200
    answer = await ask(alice, "POST", at(number, f"/{row['id']}/redeliver"))
    assert answer.short == (409, "CONFLICT")
    detail = (await ask(alice, "GET", at(number, f"/{row['id']}"))).json
    assert "address" not in detail["request"]


async def test_nothing_is_tried_out_while_notifications_are_off(
    world: World, alice: Person, number: int
) -> None:
    await end(world)
    (row,) = await told(world)
    off = await world.admin("PUT", f"{API}/configurations", b'{"notification_enable":false}', headers=JSON)
    assert off.status == 200
    for target in (f"team/webhook/policies/{number}/ping", at(number, f"/{row['id']}/redeliver")):
        answer = await ask(alice, "POST", target, {})
        assert answer.short == (412, "PRECONDITION")
        assert "notification_enable" in answer.json["errors"][0]["message"]
    assert len(await told(world)) == 1
