"""A crowd of clients works while processes, or the whole hub, are killed at random.

FAIRWAY_TEST_SOAK_SECONDS says for how long (each engine), FAIRWAY_TEST_SEED repeats a run's draws.  Every run prints
its seed, its faults and the checker's verdict.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from faults.checker import check
from faults.client import Client
from faults.stage import Scene, Stage, seed
from faults.workload import Crowd, Member
from hub import Hub
from postgres import Postgres

StartHub = Callable[..., Hub]

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = float(os.environ.get("FAIRWAY_TEST_SOAK_SECONDS", "20"))
ROUND_SECONDS = 8.0
CLIENTS = 6
MEAN_SECONDS_BETWEEN_KILLS = 1.5
PROJECTS = ("library", "other")


@pytest.fixture(params=["sqlite", "postgresql"])
def soaked(request: pytest.FixtureRequest, start_hub: StartHub, tmp_path: Path) -> Stage:
    if request.param == "sqlite":
        return Stage(start_hub(workers=3), tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Stage(start_hub(workers=3, database_url=server.create(f"soak_{os.getpid()}")), tmp_path)


def test_nothing_acknowledged_is_ever_lost(soaked: Stage) -> None:
    run = seed()
    done: Counter[str] = Counter()
    wrong: list[str] = []
    whole = soaked.scene()
    make_project(whole.client("setup"), PROJECTS[1])
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end and not wrong:
        number += 1
        scene = soaked.scene()
        wrong += one_round(
            scene, f"{run}-{number}", done, min(ROUND_SECONDS, max(1.0, end - time.monotonic()))
        )
        scene.close()
    wrong += check([], whole.client("last look"), soaked.inside).broken
    whole.close()
    verdict = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    print(f"\nseed {run}: {number} rounds, {verdict}; {len(wrong)} broken promises")
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])


def make_project(client: Client, name: str) -> None:
    body = json.dumps({"project_name": name}).encode()
    answer = client.call("POST", "/api/v2.0/projects", body, {"Content-Type": "application/json"})
    assert answer.status == 201


def one_round(scene: Scene, name: str, done: Counter[str], seconds: float) -> list[str]:
    """A crowd for `seconds`, and deaths; then the end of all processes, a new start, and a look at what is there."""
    repos = [f"{project}/{name}-{letter}" for project in PROJECTS for letter in "ab"]
    crowd = Crowd(name, repos)
    members = [Member(crowd, scene.client(f"{name}-{number}")) for number in range(CLIENTS)]
    for member in members:
        member.start()
    kill_at_random(scene, random.Random(name), done, seconds)
    crowd.stop.set()
    for member in members:
        member.join()
        done.update(member.seen)
    scene.restart()
    report = scene.check()
    for what in ("acknowledged", "ambiguous"):
        done[what] += report.counts[what]
    done["orphans"] = report.counts["orphans"]
    return [*report.broken, *(wrong for member in members for wrong in member.wrong)]


def kill_at_random(scene: Scene, rng: random.Random, done: Counter[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        pause = rng.expovariate(1 / MEAN_SECONDS_BETWEEN_KILLS)
        if time.monotonic() + pause > end:
            time.sleep(max(0.0, end - time.monotonic()))
            return
        time.sleep(pause)
        if rng.random() < 0.3:
            scene.restart()
            done["kills of the whole hub"] += 1
        else:
            kill_one(scene.stage.hub, rng)
            done["kills of a process"] += 1


def kill_one(hub: Hub, rng: random.Random) -> None:
    """One of its processes, but not the supervisor."""
    assert hub.process is not None
    others = sorted(pid for pid in hub.pids() if pid != hub.process.pid)
    if others:
        with suppress(ProcessLookupError):
            os.kill(rng.choice(others), signal.SIGKILL)
