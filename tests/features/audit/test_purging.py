"""Purging the audit log: which lines go, and `/api/v2.0/system/purgeaudit` as Harbor's clients use it."""

import json
import uuid
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from fairway.features.audit import jobs, store
from fairway.features.audit.rules import Chosen, chosen
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import audit_log, audit_totals
from fairway.frame.events import Event
from stories.asgi import Answer
from stories.world import World

PURGE = "/api/v2.0/system/purgeaudit"
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("types", "operations", "which"),
    [
        ("create_artifact, delete_project", "", Chosen(frozenset({"create_artifact", "delete_project"}))),
        ("Create_Artifact,,", "pull", Chosen(frozenset({"create_artifact"}), frozenset({"pull"}))),
        ("other,pull_artifact", "", Chosen(frozenset({"pull_artifact"}), other=True)),
        ("", "", Chosen()),
    ],
)
def test_lines_are_chosen_by_harbors_names(types: str, operations: str, which: Chosen) -> None:
    assert chosen(types, operations) == which


async def line(world: World, event: str, *, hours: int) -> None:
    operation, _, resource_type = event.partition("_")
    row = {
        "event_id": uuid.uuid4().hex,
        "project_id": 1,
        "username": "alice",
        "resource": event,
        "resource_type": resource_type,
        "operation": operation,
        "description": "",
        "at": now_us() - hours * HOUR,
    }
    await world.run(audit_log.insert().values(**row))


async def left(world: World) -> set[str]:
    return {row["resource"] for row in await world.db.all(select(audit_log.c.resource))}


async def ask(world: World, method: str = "POST", style: str = "Manual", **parameters: Any) -> Answer:
    body = {"schedule": {"type": style}, "parameters": parameters}
    return await world.admin(
        method, f"{PURGE}/schedule", json.dumps(body).encode(), headers={"content-type": "application/json"}
    )


EVENTS = ("create_artifact", "delete_artifact", "pull_artifact", "create_project", "delete_tag")


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({"include_event_types": "create_artifact,delete_tag"}, {"create_artifact", "delete_tag"}),
        ({"include_event_types": "other"}, {"create_project", "delete_tag"}),
        ({"include_operations": "create,delete"}, set(EVENTS) - {"pull_artifact"}),
        (
            {"include_event_types": "pull_artifact,login_user", "include_operations": "pull"},
            {"pull_artifact"},
        ),
        ({"include_event_types": "nothing_known"}, set()),
        ({"include_event_types": "create_artifact", "dry_run": True}, set()),
    ],
)
async def test_old_lines_of_the_chosen_kinds_go(world: World, asked: dict[str, Any], gone: set[str]) -> None:
    for event in EVENTS:
        await line(world, event, hours=30)
    await line(world, "create_artifact", hours=1)
    answer = await ask(world, audit_retention_hour=24, **asked)
    assert answer.status == 201
    await world.work()
    run = (await world.admin("GET", answer["location"])).json
    assert (run["job_name"], run["job_status"]) == (jobs.PURGE_AUDIT_LOG, "Success")
    purged = 1 if asked.get("dry_run") else len(gone)
    assert json.loads(run["job_parameters"]) == {
        "audit_retention_hour": 24,
        "dry_run": False,
        **asked,
        "purged": purged,
    }
    assert await left(world) == set(EVENTS) - gone | {"create_artifact"}
    assert await world.count(audit_log) == len(EVENTS) + 1 - len(gone)
    log = (await world.admin("GET", f"{answer['location']}/log")).body.decode()
    assert f"{purged} lines {'would be ' if asked.get('dry_run') else ''}purged" in log


async def test_many_lines_go_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(5):
        await line(world, "pull_artifact", hours=2)
    answer = await ask(world, audit_retention_hour=1, include_operations="pull")
    await world.work()
    assert json.loads((await world.admin("GET", answer["location"])).json["job_parameters"])["purged"] == 5
    assert await left(world) == set()


NONSENSE: list[dict[str, Any]] = [
    {},
    {"include_event_types": "create_artifact"},
    {"audit_retention_hour": 24},
    {"audit_retention_hour": 24, "include_event_types": ""},
    {"audit_retention_hour": 24, "include_event_types": ["create_artifact"]},
    {"audit_retention_hour": 24, "include_event_types": "a'; DROP TABLE audit_log; --"},
    {"audit_retention_hour": 24, "include_event_types": "\ud800"},
    {"audit_retention_hour": 0, "include_event_types": "create_artifact"},
    {"audit_retention_hour": -1, "include_event_types": "create_artifact"},
    {"audit_retention_hour": 240_001, "include_event_types": "create_artifact"},
    {"audit_retention_hour": "24", "include_event_types": "create_artifact"},
    {"audit_retention_hour": True, "include_event_types": "create_artifact"},
    {"audit_retention_hour": 24.5, "include_event_types": "create_artifact"},
    {"audit_retention_hour": 24, "include_event_types": "create_artifact", "dry_run": 1},
]


async def test_what_makes_no_sense_is_refused(world: World) -> None:
    for parameters in NONSENSE:
        for method, style in (("POST", "Manual"), ("PUT", "Daily")):
            answer = await ask(world, method, style, **parameters)
            assert answer.short == (400, "BAD_REQUEST"), parameters


async def test_it_is_scheduled_shown_and_dropped(world: World) -> None:
    asked = {"audit_retention_hour": 240_000, "include_event_types": "other"}
    assert (await ask(world, "POST", "Weekly", **asked)).status == 201
    shown = (await world.admin("GET", f"{PURGE}/schedule")).json
    assert shown["schedule"]["cron"] == "0 0 0 * * 0"
    assert json.loads(shown["job_parameters"]) == {**asked, "dry_run": False}
    assert (await ask(world, "PUT", "None")).status == 200
    assert (await world.admin("GET", f"{PURGE}/schedule")).body == b""


async def test_one_run_at_a_time_and_it_can_be_stopped(world: World) -> None:
    asked = {"audit_retention_hour": 1, "include_event_types": "other"}
    first = await ask(world, **asked)
    assert (await ask(world, **asked)).short == (409, "CONFLICT")
    assert (await world.admin("PUT", first["location"])).status == 200
    assert [each["job_status"] for each in (await world.admin("GET", PURGE)).json] == ["Stopped"]


async def test_lines_are_counted_as_they_come_and_go(world: World) -> None:
    """What a page's total is read from is what there is."""

    async def counted() -> dict[int, int]:
        return {row["project_id"]: row["lines"] for row in await world.db.all(select(audit_totals))}

    async def there() -> dict[int, int]:
        lines = select(audit_log.c.project_id, func.count().label("lines")).group_by(audit_log.c.project_id)
        return {row["project_id"]: row["lines"] for row in await world.db.all(lines)}

    now = int(await world.db.scalar(select(now_us())))
    for n, hours in enumerate([30, 30, 30, 1]):
        facts = {
            "project_id": 7 + n % 2,
            "repository": "team/app",
            "actor": "alice",
            "digest": "x",
            "tag": "v1",
        }
        event = Event(n, f"event{n}", f"project:{7 + n % 2}", "tag.deleted", facts, now - hours * HOUR, 0)
        for _ in range(2):  # as after a crash between writing the line and crossing out the event
            await world.db.write(partial(store.write, event=event))
    assert await counted() == await there() == {7: 2, 8: 2}
    purge = partial(store.purge, hours=24, which=chosen("delete_tag", ""), after=store.START, limit=10)
    await world.db.write(partial(purge, dry_run=True))
    assert await counted() == await there() == {7: 2, 8: 2}
    await world.db.write(purge)
    assert await counted() == {7: 0, 8: 1}
    assert await there() == {8: 1}
