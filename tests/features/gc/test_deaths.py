"""The collector's process dies at any point (C14, C15): nothing is lost, and the next run finishes what it began."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fairway
from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import blobs, trash
from features.gc import yard
from stories.world import World, image, layer

COLLECTOR = """
import asyncio, sys
from pathlib import Path
from fairway.core.stores.disk import DiskStore
from fairway.features.artifacts.model import Periods
from fairway.features.gc.collect import collect
from fairway.features.gc.model import Options, Switches
from fairway.features.registry.housekeeping import empty_trash
from fairway.frame.db import open_database

async def silent(progress):
    pass

async def main(url, storage):
    db, store = await open_database(url, pool=3), DiskStore(Path(storage)).open()
    options = Options(1, delete_untagged=True)
    await collect(db, store, Periods(3600, 0, 0), options, silent, switches=Switches(True, False))
    await empty_trash(db, store)
    await db.close()
    store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def collector(world: World, plan: Path) -> int:
    """The exit code of a process that collects and empties the trash."""
    env = {**os.environ, "FAIRWAY_CRASHPOINT_FILE": str(plan)}
    env["PYTHONPATH"] = str(Path(fairway.__file__).parents[1])
    command = [sys.executable, "-c", COLLECTOR, world.settings.database_url, str(world.settings.storage_path)]
    return subprocess.run(command, env=env, check=False).returncode


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(yard.POINTS))
async def test_the_next_run_finishes(world: World, tmp_path: Path, point: str) -> None:
    alice = await world.person("alice")
    await world.project("team", alice)
    lone = image("alone")
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    assert (await alice.push(f"team/app@{lone.digest}", lone)).status == 201
    assert (await alice.push_blob("team/app", layer("lost"))).status == 201
    await yard.let_time_pass(world.db)
    plan = tmp_path / "plan"
    plan.write_text(point)
    assert collector(world, plan) == -signal.SIGKILL
    assert await yard.broken(world.db) == []
    assert (await alice.pull("team/app:v1")).status == 200
    assert (await alice.blob("team/app", Digest.of(layer("base")))).body == layer("base")
    await world.run(yard.leases.delete())  # the looks above
    await world.run(yard.gc_reviews.update().values(review_at=1))
    assert collector(world, plan) == 0
    assert await yard.waiting(world.db) == {}
    assert await yard.count(world.db, trash) == 0
    assert await yard.digests(world.db, blobs) == {Digest.of(layer("base")), Digest.of(b"{}")}
    assert len(world.files()) == 2
    assert await yard.broken(world.db) == []
