"""The process of a run dies at any point: another one goes on, and what goes is what the rules say."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.frame.db.tables import tasks as rows_of_tasks
from features.gc import yard
from features.retention.making import make, push, rule, settling, start, tasks
from features.retention.test_runs import team
from stories.world import World

POINTS = {"retention.decided", "retention.noted", "retention.batch_deleted"}
"""Every crash point of a run."""

WORKER = """
import asyncio, sys
from pathlib import Path
from fairway.features.retention import jobs
from stories.world import replica

async def main(url, folder):
    jobs.SETTLE_SECONDS = 0
    async with replica(url, Path(folder)) as world:
        await world.work()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(POINTS))
async def test_its_process_dies_and_another_goes_on(world: World, tmp_path: Path, point: str) -> None:
    alice, project = await team(world)
    for name in ("a", "b"):
        for n in range(3):
            await push(alice, f"team/{name}:v{n}", f"{name}{n}")
    number = await make(alice, project, rule("latestPushedK", 1))
    execution = await start(alice, number)
    plan = tmp_path / "plan"
    plan.write_text(point)
    env = {**os.environ, "FAIRWAY_CRASHPOINT_FILE": str(plan), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORKER, world.settings.database_url, str(tmp_path)]
    died = await asyncio.to_thread(subprocess.run, command, env=env, check=False)
    assert died.returncode == -signal.SIGKILL
    there = [await alice.tags(f"team/{name}") for name in ("a", "b")]
    if point == "retention.batch_deleted":
        assert there == [["v2"], ["v0", "v1", "v2"]]
    else:
        assert there == [["v0", "v1", "v2"]] * 2, "nothing goes before all is decided"
    await world.run(rows_of_tasks.update().values(due_at=1))  # its lease is over
    with settling(0):
        await world.work()
    for name in ("a", "b"):
        assert await alice.tags(f"team/{name}") == ["v2"]
        assert (await alice.pull(f"team/{name}:v2")).status == 200
    found = await tasks(alice, number, execution)
    assert {
        name: (each["total"], each["retained"], each["status"]) for name, each in found.items()
    } == dict.fromkeys(("a", "b"), (3, 1, "Success"))
    assert await yard.broken(world.db) == []
