"""The power fails while a crowd pushes, moves and deletes: what was acknowledged is there when it is back.

FAIRWAY_TEST_POWER_CUTS says how often (for each engine and each set of disks that may fail), FAIRWAY_TEST_SEED repeats a
run's draws.  Every run prints its seed, its faults and the checker's verdict.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.checker import check
from faults.images import new_image
from faults.power import Disk, another_boot, disks
from faults.stage import Scene, Stage, seed
from faults.workload import Crowd, Member
from hub import Hub
from postgres import Postgres, binaries

pytestmark = [pytest.mark.system, pytest.mark.slow]

CUTS = int(os.environ.get("FAIRWAY_TEST_POWER_CUTS", "1"))
CLIENTS = 6
MEGABYTES, MEGABYTES_FOR_A_CUT = 256, 24
"""Of each disk: on a full one nobody can push, and there is nothing to lose."""
LONGEST = 1.5
"""Seconds a crowd works at most before the cut."""


@dataclass
class Rig:
    """A hub, on PostgreSQL if there is one, whose data and storage folders are on disks that may be one and the same."""

    stage: Stage
    data: Disk
    storage: Disk
    postgres: Postgres | None
    boot: Iterator[list[str]]

    def restore(self, lost: Disk) -> None:
        """The hub is dead; let PostgreSQL follow if its disk is, and bring everything back but the hub."""
        down = self.postgres if lost is self.data else None
        if down:
            down.kill()
        lost.restore()
        if down:
            down.start()
        self.stage.hub.under = next(self.boot)


@contextmanager
def rigged(engine: str, folder: Path, count: int) -> Iterator[Rig]:
    if engine == "postgresql" and binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with disks(count, MEGABYTES + CUTS * count * MEGABYTES_FOR_A_CUT) as made:
        data, storage = made[0], made[-1]
        server = Postgres(durable=True, data=data.path / "postgresql") if engine == "postgresql" else None
        hub = Hub(
            folder,
            workers=3 if server else 1,
            database_url=server.create("fairway") if server else None,
            env={"FAIRWAY_STORAGE_URL": (storage.path / "storage").as_uri()},
        )
        hub.data = data.path / "hub"
        boot = another_boot(folder / "boots")
        hub.under = next(boot)
        data.sync()  # initdb was spared that
        try:
            yield Rig(Stage(hub, folder), data, storage, server, boot)
        finally:
            hub.kill()
            if server:
                server.kill()
                server.close()


@pytest.mark.parametrize("count", [1, 2], ids=["all on one disk", "blobs on another disk"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_in_a_power_cut(engine: str, count: int, tmp_path: Path) -> None:
    run = seed()
    done: Counter[str] = Counter()
    wrong: list[str] = []
    with rigged(engine, tmp_path, count) as rig:
        rig.stage.hub.start()
        for number, disk in enumerate([*dict.fromkeys([rig.storage, rig.data])] * CUTS):
            scene = rig.stage.scene()
            wrong += one_cut(rig, scene, f"{run}-{number}", disk, done)
            scene.close()
            if wrong:
                break
        whole = rig.stage.scene()
        wrong += check([], whole.client("last look"), rig.stage.inside).broken
        whole.close()
    verdict = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    print(f"\nsoak: seed {run}, {verdict}, {len(wrong)} broken promises")
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])
    assert done["acknowledged"]


def one_cut(rig: Rig, scene: Scene, name: str, lost: Disk, done: Counter[str]) -> list[str]:
    """A crowd works, a disk loses power under it, and everything is started anew."""
    rng = random.Random(name)
    crowd = Crowd(name, [f"library/{name}-{letter}" for letter in "abc"])
    members = [Member(crowd, scene.client(f"{name}-{number}")) for number in range(CLIENTS)]
    for member in members:
        member.start()
    crowd.wait_until_at_work()
    time.sleep(rng.uniform(0.3, LONGEST))
    scene.outages.disk_failed_at = time.monotonic()
    lost.cut()
    crowd.stop.set()
    done["cuts"] += 1

    def power_is_back() -> None:
        for member in members:
            member.join()
        rig.restore(lost)

    scene.restart(power_is_back)
    report = scene.check()
    for what in ("acknowledged", "ambiguous", "orphans"):
        done[what] += report.counts[what]
    return [*report.broken, *(wrong for member in members for wrong in member.wrong)]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_power_cut_during_the_first_start_is_got_over(engine: str, tmp_path: Path) -> None:
    run = seed()
    rng = random.Random(run)
    with rigged(engine, tmp_path, 1) as rig:
        hub = rig.stage.hub
        for _ in range(CUTS):
            hub.launch()
            time.sleep(rng.uniform(0.3, LONGEST))
            rig.data.cut()
            hub.kill()
            rig.restore(rig.data)
        hub.start()
        scene = rig.stage.scene()
        client = scene.client("after")
        client.push_image("library/after", new_image(client.rng, 1000), ["latest"])
        broken = scene.check().broken
        scene.close()
    assert not broken, f"repeat with FAIRWAY_TEST_SEED={run}: {broken}"


def test_a_cut_takes_what_nobody_synced_and_leaves_what_was() -> None:
    with disks(megabytes=16) as [disk]:
        for name in ("synced", "unsynced"):
            (disk.path / name).mkdir()
        disk.sync()
        for name in ("synced", "unsynced"):
            file = disk.path / name / "file"
            with file.with_name("draft").open("wb") as draft:
                draft.write(b"some bytes")
                draft.flush()
                if name == "synced":
                    os.fsync(draft.fileno())
            file.with_name("draft").rename(file)
            if name == "synced":
                folder = os.open(file.parent, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        disk.cut()
        disk.restore()
        assert (disk.path / "synced" / "file").read_bytes() == b"some bytes"
        left = disk.path / "unsynced" / "file"
        assert not left.exists() or left.read_bytes() == b""
