"""What the background process does with a whole hub: events become the audit log, jobs are run, history is swept."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

from fairway import worker
from fairway.features.gc.jobs import GcArguments
from fairway.features.gc.model import GARBAGE_COLLECTION
from fairway.frame.db.tables import audit_log, executions, outbox, workers
from fairway.frame.jobs import queue, records
from stories.world import World, image, replica


async def step(world: World, name: str) -> int:
    [found] = [each for each in worker.steps(world.parts) if each.name == name]
    return await found.run()


async def ask(world: World) -> int:
    """A new run of the collector."""
    job = world.parts.jobs[GARBAGE_COLLECTION]
    made = await world.db.write(partial(queue.enqueue, job=job, arguments=GcArguments()))
    assert made is not None
    return made


async def status(world: World, execution: int) -> str:
    found = await records.execution(world.db, execution)
    assert found is not None
    return found.status


async def test_what_happens_is_in_the_audit_log_a_moment_later(world: World) -> None:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    assert await step(world, "hand over events") > 0
    lines = {(row["username"], row["operation"], row["resource"]) for row in await world.rows(audit_log)}
    assert lines == {("alice", "create", "team"), ("alice", "create", "team/app:v1")}
    assert await world.count(outbox) == 0


async def test_jobs_are_run_until_the_process_is_told_to_stop(world: World) -> None:
    execution = await ask(world)
    stop = asyncio.Event()
    working = asyncio.create_task(worker._work(world.parts, stop))
    async with asyncio.timeout(20):
        while await status(world, execution) == "Running":  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)
    [seen] = await world.rows(workers)
    assert seen["slots"] == world.settings.job_slots
    stop.set()
    await working
    assert await status(world, execution) == "Success"
    assert await world.count(workers) == 0


async def test_on_a_read_only_server_jobs_wait_and_events_do_not(
    world: World, database_url: str, tmp_path: Path
) -> None:
    alice = await world.person("alice")
    await world.project("team", alice)
    execution = await ask(world)
    async with replica(database_url, tmp_path, read_only=True) as there:
        async with asyncio.timeout(5):
            await worker._work(there.parts, asyncio.Event())
        assert await status(there, execution) == "Running"
        assert await step(there, "hand over events") == 1
        assert await there.count(audit_log) == 1


async def test_old_history_is_swept(world: World) -> None:
    kept = world.parts.jobs[GARBAGE_COLLECTION].kept
    over: dict[str, Any] = {
        "kind": GARBAGE_COLLECTION,
        "owner_id": 0,
        "trigger": "MANUAL",
        "status": "Success",
        "asked_by": "",
        "parameters": "{}",
        "created_at": 1,
        "ended_at": 2,
    }
    for _ in range(kept + 7):
        await world.run(executions.insert().values(**over))
    assert await step(world, "sweep history") == 7
    assert await world.count(executions) == kept


async def test_jobs_wait_while_an_administrator_wants_no_changes(world: World) -> None:
    async def choose(read_only: bool) -> None:
        body = json.dumps({"read_only": read_only}).encode()
        answer = await world.admin(
            "PUT", "/api/v2.0/configurations", body, headers={"content-type": "application/json"}
        )
        assert answer.status == 200

    stop = asyncio.Event()
    await choose(True)
    execution = await ask(world)
    working = asyncio.create_task(worker._work(world.parts, stop))
    await asyncio.sleep(2 * worker._LOOK_SECONDS)
    assert await status(world, execution) == "Running"
    assert await world.count(workers) == 0, "nobody has begun to work"
    assert await step(world, "empty trash") == 0
    await choose(False)
    async with asyncio.timeout(20):
        while await status(world, execution) == "Running":  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)
    assert await status(world, execution) == "Success"
    await choose(True)
    async with asyncio.timeout(20):
        while await world.count(workers):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(20):
        await working
