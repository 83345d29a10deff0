"""A hub under test with everything around it: a plan for its death, clients with journals, and the checker."""

import itertools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from faults import journal
from faults.checker import Mark, Report, check
from faults.client import Client
from faults.doors import Doors
from faults.inside import Inside
from faults.outages import HEALTHY_SECONDS, Outages, Refusal
from faults.resources import Resources, most_connections, wait_until_calm
from hub import Hub

SETTLED_SECONDS = 20
"""What a load took is given back within a moment; the rest is for a busy machine."""
CHECKER_SECONDS = 30
"""What is refused for the moment is not lost: the checker asks again for so long."""


class Stage:
    """`folder` gets a folder of journals per scene; the hub stays the same from scene to scene.

    A hub that starts after this can be armed.
    """

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub = hub
        self.inside = Inside(hub)
        self._folder = folder
        self._scenes = itertools.count(1)
        self._plan = folder / "crash-plan"
        self._before: set[int] = set()
        self._doors: Doors | None = None
        hub.extra["FAIRWAY_CRASHPOINT_FILE"] = str(self._plan)

    def scene(self) -> "Scene":
        """A new set of journals."""
        return Scene(self, self._folder / f"scene-{next(self._scenes)}")

    def doors(self) -> Doors:
        """A private project on this hub, to try who gets in."""
        self._doors = self._doors or Doors(self.hub)
        return self._doors

    def arm(self, point: str, passes: int = 1) -> None:
        """The first process to pass `point` so many times dies of it."""
        self._before = set(self.hub.pids())
        written = self._plan.with_suffix(".new")
        written.write_text(f"{point}:{passes}")
        written.rename(self._plan)  # a worker that looks just now sees all of it

    def fired(self) -> bool:
        return not self._plan.exists()

    def disarm(self) -> None:
        self._plan.unlink(missing_ok=True)

    def processes(self) -> int:
        """How many there are when all is well: supervisor, web workers, background process."""
        return 1 + self.hub.workers + 1

    def wait_until_whole(self) -> None:
        """Until the supervisor has replaced, by itself, whoever died since `arm`, and the hub is ready."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self._has_all_processes() or not self._ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not whole again after {HEALTHY_SECONDS} s:\n{self.hub.log[-3000:]}")
            time.sleep(0.02)

    def _has_all_processes(self) -> bool:
        now = set(self.hub.pids())
        return len(now) == self.processes() and now != self._before

    def _ready(self) -> bool:
        try:
            self.hub._wait_until_ready(1)
        except TimeoutError:
            return False
        return True


class Scene:
    """Clients that keep journals, and what may be checked against them."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        self._own = journal.Journal(folder, "stage")
        self._clients: list[Client] = []
        self._began = Mark.now(stage.inside)
        self.outages = Outages(stage.hub.place)
        self.heard: list[Refusal] = []
        self._doors: Doors | None = None
        self._baseline: Resources | None = None

    def client(self, seed: str) -> Client:
        """`seed` is also the name of its journal."""
        made = Client(self.stage.hub.place, journal.Journal(self.folder, seed), random.Random(seed))
        self._clients.append(made)
        return made

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """kill -9 of all that lives, whatever is to happen `meanwhile`, and a new start on the same data."""
        self.stage.hub.kill()
        killed = time.monotonic_ns()
        self.stage.disarm()
        meanwhile()
        self.stage.hub.start()
        self._own.restarted(killed)

    def check(self, *, collects: bool = False) -> Report:
        """Compare what the clients were told with what is there.  `collects`: see `checker.check`."""
        heard = [*self.heard, *(refusal for client in self._clients for refusal in client.refusals)]
        checker = self.client("checker")
        checker.patience = CHECKER_SECONDS
        deeds = journal.read([self.folder])
        report = check(deeds, checker, self.stage.inside, self._began, collects=collects)
        report.broken += self.outages.judge(heard)
        if self._doors is not None:
            report.broken += self._doors.opened()
        if self._baseline is not None:
            report.broken += self._leaks(self._baseline)
        return report

    def watch_doors(self) -> None:
        """`check` also looks at who may do what (I12)."""
        self._doors = self.stage.doors()

    def watch_resources(self) -> None:
        """`check` also compares what the hub holds with what it holds now (I11); for hubs that nobody restarts."""
        wait_until_calm(self.stage.hub)
        self._baseline = Resources.of(self.stage.hub, self.stage.inside)

    def _leaks(self, baseline: Resources) -> list[str]:
        """What has not come back.  Connections that were closed this moment get some time to be noticed."""
        hub, inside, forgotten = self.stage.hub, self.stage.inside, self.outages.forgotten
        most = most_connections(hub)
        for client in self._clients:
            client.close()
        deadline = time.monotonic() + SETTLED_SECONDS
        while leaks := Resources.of(hub, inside, forgotten).beyond(baseline, most):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return leaks

    def close(self) -> None:
        self._own.close()
        for client in self._clients:
            client.close()
            client.journal.close()


def seed() -> str:
    """Of this run: FAIRWAY_TEST_SEED, to repeat one that failed, else a new one."""
    return os.environ.get("FAIRWAY_TEST_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"


def note(text: str) -> None:
    """Say how far a long run has come, to whoever set FAIRWAY_TEST_NOTES to the name of a file."""
    file = os.environ.get("FAIRWAY_TEST_NOTES")
    if file:
        with Path(file).open("a") as notes:
            notes.write(f"{text}\n")
