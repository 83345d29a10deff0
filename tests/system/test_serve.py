"""The processes of `fairway serve`: they start, they answer, they drain."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable

import pytest

from hub import Hub

pytestmark = pytest.mark.system


def test_it_answers_and_stops_cleanly(hub: Hub) -> None:
    with urllib.request.urlopen(f"{hub.url}/api/v2.0/ping") as answer:
        assert answer.read() == b"Pong"
    assert hub.stop() == 0
    assert hub.pids() == []


def numbers(hub: Hub) -> list[str]:
    """What fifty requests were called, each on a connection of its own, so that every worker gets some."""
    told = []
    for _ in range(50):
        with urllib.request.urlopen(f"{hub.url}/api/v2.0/projects") as answer:
            told.append(answer.headers["x-request-id"])
    return told


def series(told: list[str]) -> set[str]:
    return {each[:16] for each in told}


def test_workers_have_the_api_in_common_and_no_request_s_name(start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(workers=3)
    first = numbers(hub)
    assert (len(set(first)), len(series(first))) == (50, 3)

    supervisor = hub.process
    assert supervisor is not None
    for pid in hub.pids():
        if pid != supervisor.pid:
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            second = numbers(hub)
        except OSError:
            second = []
        if len(series(second)) == 3 or time.monotonic() > deadline:
            break
    assert (len(set(second)), len(series(second))) == (50, 3)
    assert not series(first) & series(second)
