"""Uploads, tags, manifests and deletions in any order: a real hub answers as others do.

One other is the registry in memory, which is ours and stands behind our own parsing of requests; statuses and everything
that can be read must be the same.  As both could be wrong in the same way, another one is Debian's docker-registry, of
which oracle.py says where a hub is otherwise.

Hypothesis draws the steps and shortens a sequence that shows a difference.  FAIRWAY_TEST_STATES says how many sequences
(each engine).
"""

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from conftest import StartHub
from fairway.core.content.memory import Memory
from fairway.core.content.protocols import Registry
from fairway.core.wire.server import Request, registry_app
from faults.client import Answer, Client
from faults.journal import Journal
from faults.machine import Asked, Machine, Pair
from faults.oracle import RULES, Beside, Rule
from hub import Hub
from stories.asgi import call
from system.peer import Peer

pytestmark = [pytest.mark.system, pytest.mark.slow]

SEQUENCES = int(os.environ.get("FAIRWAY_TEST_STATES", "20"))
STEPS = 25


class WithModel(Pair):
    """A hub and the registry in memory."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._memory = Memory()
        self._app = registry_app(self._open)

    async def _open(self, _request: Request) -> Registry:
        return self._memory

    def theirs(self, asked: Asked) -> Answer:
        said = asyncio.run(call(self._app, asked.method, asked.there, asked.body, headers=asked.headers))
        return Answer(said.status, dict(said.headers), said.body)

    def agree(self, asked: Asked, ours: Answer, theirs: Answer) -> None:
        said = f"{asked}: the hub says {ours.status} {ours.body[:200]!r}, the model {theirs.status}"
        assert ours.status == theirs.status, f"{said} {theirs.body[:200]!r}"
        if asked.show and ours.status == 200:
            assert ours.body == theirs.body, f"{said}: other content"
        for name in ("range", "docker-content-digest"):
            assert ours.headers.get(name) == theirs.headers.get(name), f"{said}: {name}"


@contextmanager
def talking_to(place: str, folder: Path, name: str) -> Iterator[Client]:
    client = Client(place, Journal(folder, name), random.Random(0))
    client.patience = 30  # a busy machine may refuse for a moment
    try:
        yield client
    finally:
        client.close()
        client.journal.close()


def run(machine: type[Machine]) -> None:
    bounds = settings(
        max_examples=SEQUENCES,
        derandomize="FAIRWAY_TEST_STATES" not in os.environ,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounds)


def test_a_hub_is_what_the_model_is(hub: Hub, tmp_path: Path) -> None:
    class OfThisHub(Machine):
        def pair(self) -> Pair:
            return WithModel(self.client)

    with talking_to(hub.place, tmp_path, "machine") as OfThisHub.client:
        run(OfThisHub)


class BesidePeer(Machine):
    """With docker-registry; every difference that a sequence comes upon is looked at again when it ends."""

    registry: Client
    proven: set[Rule]
    both: Beside

    def pair(self) -> Pair:
        return Beside(self.client, self.registry, self.proven)

    def teardown(self) -> None:
        super().teardown()
        self.both.settle()


@contextmanager
def beside_peer(hub: Hub, folder: Path) -> Iterator[type[BesidePeer]]:
    class OfThese(BesidePeer):
        pass

    (folder / "peer").mkdir()
    peer = Peer(folder / "peer")
    try:
        with (
            talking_to(hub.place, folder, "to-hub") as ours,
            talking_to(peer.place, folder, "to-peer") as theirs,
        ):
            OfThese.client, OfThese.registry, OfThese.proven = ours, theirs, set()
            yield OfThese
    finally:
        peer.close()


def walk_over_all_differences(machine: BesidePeer) -> None:
    """A sequence in which every rule is needed, and each is about something else."""
    machine.begin(full=True)
    machine.delete_blob(2)
    machine.delete_manifest("image")
    machine.read_a_part(0, "0-")
    machine.read_a_part(700, "9-1")
    machine.append(machine.start(700), 2, "wrong")
    machine.finish(machine.start(0), 0, right=False)
    machine.teardown()
    machine.begin(full=False)
    machine.push_all_of_it("image", "one")
    machine.delete_manifest("one")
    machine.teardown()


def test_a_hub_is_what_docker_registry_is(start_hub: StartHub, tmp_path: Path) -> None:
    with beside_peer(start_hub(), tmp_path) as machine:
        walk_over_all_differences(machine())
        assert machine.proven == {*RULES}, "explained, and not different any more"
        run(machine)
