"""A crowd of clients works while processes, the whole hub, or PostgreSQL are killed at random.

FAIRWAY_TEST_SOAK_SECONDS says for how long (each engine), FAIRWAY_TEST_SEED repeats a run's draws.  Every run prints
its seed, its faults and the checker's verdict.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults import litter
from faults.client import Client
from faults.stage import Scene, Stage, note, seed
from faults.workload import Crowd, Member
from hub import Hub
from postgres import Postgres, binaries

StartHub = Callable[..., Hub]

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = float(os.environ.get("FAIRWAY_TEST_SOAK_SECONDS", "20"))
ROUND_SECONDS = 8.0
CLIENTS = 6
MEAN_SECONDS_BETWEEN_KILLS = 1.5
SECONDS_BETWEEN_RESTARTS = 20.0 if SECONDS > 60 else 5.0
"""Of PostgreSQL."""
TOLD = ("acknowledged", "ambiguous", "503", "lost", "orphans", "push", "pull", "uploads unknown")
"""What a run says about itself, besides the kills and restarts of whatever it was."""
PROJECTS = ("library", "other")


@dataclass
class Soaked:
    """A hub, and its own PostgreSQL if it has one."""

    stage: Stage
    postgres: Postgres | None = None


@pytest.fixture(params=["sqlite", "postgresql"])
def soaked(request: pytest.FixtureRequest, start_hub: StartHub, tmp_path: Path) -> Iterator[Soaked]:
    if request.param == "sqlite":
        yield Soaked(Stage(start_hub(workers=3), tmp_path))
        return
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = Postgres(durable=True)
    hub = start_hub(workers=3, database_url=server.create("soak"))
    yield Soaked(Stage(hub, tmp_path), server)
    hub.kill()
    server.close()


def test_nothing_acknowledged_is_ever_lost(soaked: Soaked) -> None:
    run = seed()
    done: Counter[str] = Counter()
    wrong: list[str] = []
    whole = soaked.stage.scene()
    whole.watch_doors()
    make_project(whole.client("setup"), PROJECTS[1])
    end = time.monotonic() + SECONDS
    killer = Killer(soaked, random.Random(run), done)
    number = 0
    while time.monotonic() < end and not wrong:
        number += 1
        scene = soaked.stage.scene()
        seconds = min(ROUND_SECONDS, max(1.0, end - time.monotonic()))
        wrong += one_round(scene, killer, f"{run}-{number}", seconds)
        scene.close()
        note(f"{number} rounds, {told(done)}, {max(0, int(end - time.monotonic()))} s to go")
    wrong += whole.check().broken
    whole.close()
    print(f"\nsoak: seed {run}, {number} rounds, {told(done)}, {len(wrong)} broken promises")
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])
    assert done["acknowledged"]


def told(done: Counter[str]) -> str:
    return ", ".join(
        f"{count} {what}" for what, count in sorted(done.items()) if what in TOLD or "of " in what
    )


def make_project(client: Client, name: str) -> None:
    body = json.dumps({"project_name": name}).encode()
    answer = client.call("POST", "/api/v2.0/projects", body, {"Content-Type": "application/json"})
    assert answer.status == 201


def one_round(scene: Scene, killer: "Killer", name: str, seconds: float) -> list[str]:
    """A crowd for `seconds`, and deaths; then the end of all processes, a new start, and a look at what is there."""
    repos = [f"{project}/{name}-{letter}" for project in PROJECTS for letter in "ab"]
    crowd = Crowd(name, repos, scene.outages)
    members = [Member(crowd, scene.client(f"{name}-{number}")) for number in range(CLIENTS)]
    litter.leave(scene.stage.inside)
    for member in members:
        member.start()
    crowd.wait_until_at_work()
    killer.kill_at_random(scene, seconds)
    crowd.stop.set()
    for member in members:
        member.join()
        killer.done.update(member.seen)
    scene.restart()
    report = scene.check()
    for what in ("acknowledged", "ambiguous"):
        killer.done[what] += report.counts[what]
    killer.done["orphans"] = report.counts["orphans"]
    return [*report.broken, *(wrong for member in members for wrong in member.wrong)]


class Killer:
    """Kills at random, and counts.  What it draws comes from `rng`."""

    def __init__(self, soaked: Soaked, rng: random.Random, done: Counter[str]) -> None:
        self._soaked = soaked
        self._rng = rng
        self._restarted = time.monotonic()
        self.done = done

    def kill_at_random(self, scene: Scene, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            pause = self._rng.expovariate(1 / MEAN_SECONDS_BETWEEN_KILLS)
            if time.monotonic() + pause > end:
                time.sleep(max(0.0, end - time.monotonic()))
                return
            time.sleep(pause)
            self._kill_something(scene)

    def _kill_something(self, scene: Scene) -> None:
        server, choice = self._soaked.postgres, self._rng.random()
        if server is not None and time.monotonic() - self._restarted > SECONDS_BETWEEN_RESTARTS:
            with scene.outages.fault("a restart of PostgreSQL", forgets=True):
                server.restart_immediately()
            self._restarted = time.monotonic()
            self.done["restarts of PostgreSQL"] += 1
        elif choice < 0.3:
            with scene.outages.fault("the death of all processes"):
                scene.restart()
            self.done["kills of the whole hub"] += 1
        else:
            with scene.outages.fault("the death of a process"):
                kill_one(self._soaked.stage.hub, self._rng)
            self.done["kills of a process"] += 1


def kill_one(hub: Hub, rng: random.Random) -> None:
    """One of its processes, but not the supervisor."""
    assert hub.process is not None
    others = sorted(pid for pid in hub.pids() if pid != hub.process.pid)
    if others:
        with suppress(ProcessLookupError):
            os.kill(rng.choice(others), signal.SIGKILL)
