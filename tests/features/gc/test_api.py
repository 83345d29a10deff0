"""`/api/v2.0/system/gc` as Harbor's clients use it."""

import json
import re
from typing import Any

import pytest

from fairway.features.audit.jobs import PURGE_AUDIT_LOG, PurgeArguments
from fairway.features.gc.jobs import GcArguments
from fairway.features.gc.model import GARBAGE_COLLECTION
from fairway.frame.db.tables import gc_items, schedules
from fairway.frame.jobs import queue
from fairway.frame.jobs.runner import Runner
from stories.asgi import Answer
from stories.world import World

GC = "/api/v2.0/system/gc"
PARAMETERS = {"delete_untagged": True, "dry_run": False, "delete_tag": False, "workers": 3}


async def ask(world: World, method: str, style: str | None, *, cron: str = "", **parameters: Any) -> Answer:
    body = {"schedule": {"type": style, "cron": cron}, "parameters": {**PARAMETERS, **parameters}}
    return await world.admin(
        method, f"{GC}/schedule", json.dumps(body).encode(), headers={"content-type": "application/json"}
    )


async def start(world: World, **parameters: Any) -> str:
    """Start a run; where it is."""
    answer = await ask(world, "POST", "Manual", **parameters)
    assert (answer.status, answer.body) == (201, b"")
    assert re.fullmatch(rf"{GC}/\d+", answer["location"])
    return answer["location"]


async def test_a_run_is_started_and_its_history_tells_what_it_did(world: World) -> None:
    at = await start(world)
    waiting = (await world.admin("GET", at)).json
    assert (waiting["job_status"], json.loads(waiting["job_parameters"])) == ("Running", PARAMETERS)
    await world.work()
    done = (await world.admin("GET", at)).json
    assert json.loads(done.pop("job_parameters")) == {
        **PARAMETERS,
        "freed_space": 0,
        "purged_blobs": 0,
        "purged_manifests": 0,
        "released_links": 0,
        "kept": 0,
        "skipped": 0,
        "failed": 0,
    }
    assert done.pop("creation_time") <= done.pop("update_time")
    assert done == {
        "id": int(at.rpartition("/")[2]),
        "job_name": GARBAGE_COLLECTION,
        "job_kind": "MANUAL",
        "schedule": {"type": "Manual", "cron": "", "next_scheduled_time": "0001-01-01T00:00:00.000Z"},
        "job_status": "Success",
        "deleted": False,
    }
    log = await world.admin("GET", f"{at}/log")
    assert "Z [INFO] run; untagged manifests are deleted\n" in log.body.decode()


async def test_what_is_not_said_has_a_default(world: World) -> None:
    at = await start(world, delete_untagged=None, workers=None, redis_url="ignored")
    shown = json.loads((await world.admin("GET", at)).json["job_parameters"])
    assert shown == {"delete_untagged": False, "dry_run": False, "delete_tag": False, "workers": 1}


async def test_there_is_one_run_at_a_time(world: World) -> None:
    at = await start(world)
    for method in ("POST", "PUT"):
        assert (await ask(world, method, "Manual")).short == (409, "CONFLICT")
    assert (await world.admin("PUT", at)).status == 200
    assert (await world.admin("GET", at)).json["job_status"] == "Stopped"
    assert (await world.admin("PUT", at)).status == 200
    assert await start(world) != at


async def test_a_put_starts_one_too(world: World) -> None:
    answer = await ask(world, "PUT", "Manual")
    assert (answer.status, answer.body) == (200, b"")
    assert len((await world.admin("GET", GC)).json) == 1


async def test_a_schedule_is_kept_and_replaced(world: World) -> None:
    for style, cron, kept in (
        ("Hourly", "", "0 0 * * * *"),
        ("Daily", "", "0 0 0 * * *"),
        ("Weekly", "", "0 0 0 * * 0"),
        ("Daily", "0 30 4 * * *", "0 30 4 * * *"),
        ("Custom", "0 15 */2  * * ?", "0 15 */2 * * ?"),
    ):
        assert (await ask(world, "POST", style, cron=cron, workers=2)).status == 201
        shown = (await world.admin("GET", f"{GC}/schedule")).json
        assert (shown["schedule"]["type"], shown["schedule"]["cron"], shown["job_kind"]) == (
            style,
            kept,
            kept,
        )
        assert shown["schedule"]["next_scheduled_time"] > shown["creation_time"]
        assert json.loads(shown["job_parameters"]) == {**PARAMETERS, "workers": 2}
        assert await world.count(schedules) == 1


async def test_without_a_schedule_the_body_is_empty(world: World) -> None:
    async def shown() -> tuple[int, bytes]:
        answer = await world.admin("GET", f"{GC}/schedule")
        return answer.status, answer.body

    assert await shown() == (200, b"")
    assert (await ask(world, "PUT", "Daily")).status == 200
    assert (await shown())[1]
    for method, status in (("POST", 201), ("PUT", 200)):
        answer = await ask(world, method, "None")
        assert (answer.status, "location" in answer) == (status, False)
    assert await shown() == (200, b"")


async def test_a_schedule_runs_with_its_parameters(world: World) -> None:
    await ask(world, "POST", "Daily", dry_run=True)
    await world.run(schedules.update().values(next_at=1))
    runner = Runner(world.db, world.parts.jobs)
    await runner.beat()
    assert await runner.fire() == 1
    [run] = (await world.admin("GET", GC)).json
    assert (run["job_kind"], run["schedule"]["type"]) == ("SCHEDULE", "Schedule")
    assert json.loads(run["job_parameters"])["dry_run"] is True


NONSENSE: list[tuple[str | None, str, dict[str, Any], int]] = [
    ("Manual", "", {"workers": 0}, 400),
    ("Manual", "", {"workers": 11}, 400),
    ("Manual", "", {"workers": "3"}, 400),
    ("Manual", "", {"workers": True}, 400),
    ("Manual", "", {"dry_run": "yes"}, 400),
    ("Daily", "", {"delete_untagged": 1}, 400),
    ("Custom", "", {}, 400),
    ("Custom", "0 0 * * *", {}, 400),
    ("Custom", "* * * * * *", {}, 400),
    ("Custom", "0 0 0 30 2 *", {}, 400),
    ("Custom", "0 0 0 31 \ud800 *", {}, 400),
    ("", "", {}, 400),
    (None, "", {}, 400),
    ("Yearly", "", {}, 422),
]
"""Style, cron, parameters; and the status."""


async def test_what_makes_no_sense_is_refused(world: World) -> None:
    for style, cron, parameters, status in NONSENSE:
        for method in ("POST", "PUT"):
            answer = await ask(world, method, style, cron=cron, **parameters)
            assert answer.status == status, (style, cron, parameters)
    assert await world.count(schedules) == 0
    assert (await world.admin("GET", GC)).json == []


async def test_a_body_that_says_nothing_is_refused(world: World) -> None:
    answer = await world.admin("POST", f"{GC}/schedule", b"{}", headers={"content-type": "application/json"})
    assert answer.short == (400, "BAD_REQUEST")


async def test_a_run_that_is_not_one_of_the_collector_is_not_found(world: World) -> None:
    other = await world.db.write(
        lambda conn: queue.enqueue(conn, world.parts.jobs[PURGE_AUDIT_LOG], PurgeArguments(1))
    )
    for id in (other, 999, 2**63 - 1):
        for method, path in (("GET", ""), ("PUT", ""), ("GET", "/log")):
            assert (await world.admin(method, f"{GC}/{id}{path}")).short == (404, "NOT_FOUND")
    assert (await world.admin("GET", f"{GC}/{2**63}")).status == 422


async def test_the_history_is_paged_filtered_and_sorted(world: World) -> None:
    made = []
    for number in range(3):
        at = await start(world)
        made.append(int(at.rpartition("/")[2]))
        if number == 1:
            await world.admin("PUT", at)
        await world.work()

    async def ids(query: str) -> list[int]:
        answer = await world.admin("GET", f"{GC}?{query}")
        assert answer.status == 200, answer.body
        return [each["id"] for each in answer.json]

    assert await ids("") == made[::-1]
    for oldest_first in ("id", "creation_time"):
        assert await ids(f"sort={oldest_first}") == made
    assert await ids("sort=-creation_time") == await ids("sort=nothing") == made[::-1]
    assert await ids("q=status%3DStopped") == [made[1]]
    assert await ids("q=status%3D%7BStopped%20Success%7D") == made[::-1]
    assert await ids("q=trigger%3Dschedule") == []
    assert await ids("q=nothing%3Dknown") == made[::-1]
    answer = await world.admin("GET", f"{GC}?page=2&page_size=1")
    assert answer["x-total-count"] == "3"
    assert 'rel="prev"' in answer["link"]
    assert 'rel="next"' in answer["link"]
    for wrong, status in (("q=status", 400), ("page_size=101", 422), ("q=status%3D%00", 422)):
        assert (await world.admin("GET", f"{GC}?{wrong}")).status == status


def test_every_argument_has_a_default_that_removes_little() -> None:
    assert GcArguments() == GcArguments(False, False, 1, False, False)


async def test_only_the_last_runs_are_itemised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.features.gc.jobs.ITEMISED", 2)
    old = {"what": "link", "project_id": 1, "repository_id": 0, "digest": "sha256:0", "size": 1, "step": 0}
    first = int((await start(world)).rpartition("/")[2])
    await world.work()
    await world.run(gc_items.insert().values([{**old, "run": run} for run in (first - 1, first)]))
    await start(world)
    await world.work()
    assert [row["run"] for row in await world.rows(gc_items)] == [first]
