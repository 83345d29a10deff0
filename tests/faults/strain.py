"""A crowd at work while something is wrong for a while, and what everybody saw of it."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from faults.client import Client, Lost
from faults.journal import Journal
from faults.stage import Scene
from faults.workload import Crowd, Member

T = TypeVar("T")


@dataclass
class Seen:
    """What a crowd saw; `wrong` must be empty."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@contextmanager
def crowd_at_work(scene: Scene, name: str, clients: int = 4) -> Iterator[Seen]:
    """A crowd pushes, pulls, moves and deletes during the block, and before it begins."""
    crowd = Crowd(name, [f"library/{name}-{letter}" for letter in "ab"], scene.outages)
    members = [Member(crowd, scene.client(f"{name}-{number}")) for number in range(clients)]
    seen = Seen()
    for member in members:
        member.start()
    try:
        crowd.wait_until_at_work()
        yield seen
    finally:
        crowd.stop.set()
        for member in members:
            member.join()
            seen.counts.update(member.seen)
            seen.wrong += member.wrong


def ask_all(scene: Scene, asks: list[tuple[str, str]]) -> list[tuple[str, int, float]]:
    """Ask everything at once, each on a connection of its own: (method and path, status or 0, seconds)."""

    def ask(number: int, method: str, path: str) -> tuple[str, int, float]:
        client = Client(
            scene.stage.hub.place,
            Journal(scene.folder, f"ask-{time.monotonic_ns()}-{number}"),
            random.Random(0),
        )
        began = time.monotonic()
        try:
            answer = client.call(method, path)
            status = answer.status
            scene.heard += client.refusals
        except Lost:
            status = 0
        finally:
            client.close()
            client.journal.close()
        return f"{method} {path}", status, time.monotonic() - began

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(lambda each: ask(each[0], *each[1]), enumerate(asks)))


@contextmanager
def again_and_again(deed: Callable[[], T], seconds: float) -> Iterator[list[T]]:
    """Do it every so many seconds during the block; the results."""
    stop = threading.Event()
    results: list[T] = []

    def repeat() -> None:
        while not stop.wait(seconds):
            results.append(deed())

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield results
    finally:
        stop.set()
        thread.join()
