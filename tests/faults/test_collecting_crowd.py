"""Twenty clients push, mount and delete over fifty layers while the collector runs every two seconds: nothing is lost (G1).

FAIRWAY_TEST_COLLECT_SECONDS says for how long (each engine), FAIRWAY_TEST_SEED repeats a run's draws.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.collecting import Collector, Tenant, Tended
from faults.stage import Scene, Stage, note, seed
from faults.test_random_kills import kill_one, make_project
from hub import Hub
from postgres import Postgres, binaries

StartHub = Callable[..., Hub]

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = float(os.environ.get("FAIRWAY_TEST_COLLECT_SECONDS", "60"))
ROUND_SECONDS = 60.0
CLIENTS = 20 if SECONDS > 60 else 8
LEASE = 5
EVERY = 2.0
MEAN_SECONDS_BETWEEN_KILLS = 6.0
PROJECTS = ("library", "other")


@pytest.fixture(params=["sqlite-0", "postgresql-0", "postgresql-3"])
def stage(request: pytest.FixtureRequest, start_hub: StartHub, tmp_path: Path) -> Iterator[Stage]:
    """A hub with short promises: the second half of the name is its grace in seconds."""
    engine, _, grace = request.param.partition("-")
    env = {
        "FAIRWAY_LEASE_SECONDS": f"{LEASE}",
        "FAIRWAY_GC_GRACE_SECONDS": grace,
        "FAIRWAY_UNDO_SECONDS": "0",
        "FAIRWAY_TRASH_SECONDS": "60",
    }
    if engine == "sqlite":
        yield Stage(start_hub(workers=3, env=env), tmp_path)
        return
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = Postgres(durable=True)
    hub = start_hub(workers=3, database_url=server.create("collecting"), env=env)
    yield Stage(hub, tmp_path)
    hub.kill()
    server.close()


def test_nothing_in_use_or_promised_is_collected(stage: Stage) -> None:
    run = seed()
    rng = random.Random(run)
    done: Counter[str] = Counter()
    wrong: list[str] = []
    setup = stage.scene()
    make_project(setup.client("setup"), PROJECTS[1])
    setup.close()
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end and not wrong:
        number += 1
        scene = stage.scene()
        wrong += one_round(scene, rng, f"{run}-{number}", min(ROUND_SECONDS, end - time.monotonic()), done)
        scene.close()
        note(f"{number} rounds, {dict(done)}, {max(0, int(end - time.monotonic()))} s to go")
    print(f"\nsoak: seed {run}, {number} rounds, {dict(sorted(done.items()))}, {len(wrong)} broken promises")
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])
    assert done["purged_blobs"] >= (1000 if SECONDS >= 180 else 1)
    assert done["pushed again"] >= (200 if SECONDS >= 180 else 1)


def one_round(scene: Scene, rng: random.Random, name: str, seconds: float, done: Counter[str]) -> list[str]:
    """A crowd and a collector for so long, with deaths among them; then a look at what is there."""
    crowd = Tended(name, [f"{project}/{name}-{letter}" for project in PROJECTS for letter in "ab"], LEASE)
    members = [Tenant(crowd, scene.client(f"{name}-{number}")) for number in range(CLIENTS)]
    collector = Collector(scene.client(f"{name}-collector"), EVERY)
    for member in members:
        member.start()
    crowd.wait_until_at_work()
    collector.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(rng.expovariate(1 / MEAN_SECONDS_BETWEEN_KILLS), max(0.0, end - time.monotonic())))
        if time.monotonic() < end:
            with scene.outages.fault("the death of a process"):
                kill_one(scene.stage.hub, rng)
            done["kills"] += 1
    crowd.stop.set()
    for member in members:
        member.join()
        done.update(
            {
                what: member.seen[what]
                for what in ("push", "pushed again", "mount", "index", "lost", "too late")
            }
        )
    collector.end()
    done.update(collector.done)
    report = scene.check(collects=True)
    done["acknowledged"] += report.counts["acknowledged"]
    return [*report.broken, *collector.wrong, *(wrong for member in members for wrong in member.wrong)]
