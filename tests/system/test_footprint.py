"""How small one hub is: one worker, SQLite, nothing to do."""

import statistics
import time
from collections.abc import Callable

import pytest

from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system

MB = 2**20


def test_all_processes_together_need_less_than_200_mb(start_hub: Callable[..., Hub]) -> None:
    hub = start_hub()
    at_first = hub.memory()
    wire = Wire(hub)
    for number in range(50):
        wire.push_blob("library/small", b"%d" % number)
        assert wire.ask("GET", "/api/v2.0/projects").status == 200
    used = hub.memory()
    print(
        f"PSS of {len(hub.pids())} processes: {at_first / MB:.0f} MB, {used / MB:.0f} MB after 150 requests"
    )

    assert at_first < 200 * MB
    assert used < 200 * MB


def test_it_starts_again_on_what_it_had(start_hub: Callable[..., Hub]) -> None:
    hub = start_hub()
    digest = Wire(hub).push_blob("library/small", b"kept")
    seconds = []
    for _ in range(3):
        assert hub.stop() == 0
        started = time.monotonic()
        hub.start()
        seconds.append(time.monotonic() - started)
    print(f"ready again after {statistics.median(seconds):.2f} s (the best of three: {min(seconds):.2f} s)")

    assert Wire(hub).ask("GET", f"/v2/library/small/blobs/{digest}").body == b"kept"
