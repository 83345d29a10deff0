"""How small a hub is with one worker on SQLite, and how it starts again."""

import statistics
import time
from collections.abc import Callable

import pytest

from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system

MB = 2**20
_SETTLED_SECONDS = 3.0


def test_it_is_small_and_comes_back_with_what_it_had(start_hub: Callable[..., Hub]) -> None:
    hub = start_hub()
    wire = Wire(hub)
    digest = wire.push_blob("library/small", b"kept")
    first = hub.memory()

    seconds = []
    for _ in range(3):
        assert hub.stop() == 0
        started = time.monotonic()
        hub.start()
        seconds.append(time.monotonic() - started)
    idle = hub.memory()
    assert wire.ask("GET", f"/v2/library/small/blobs/{digest}").body == b"kept"
    for number in range(50):
        wire.push_blob("library/small", b"%d" % number)
        assert wire.ask("GET", "/api/v2.0/projects").status == 200
    used = hub.memory()

    print(f"ready again after {statistics.median(seconds):.2f} s, at best {min(seconds):.2f} s")
    print(
        f"PSS of {len(hub.pids())} processes: {first / MB:.0f} MB after the very first start, "
        f"then {idle / MB:.0f} MB, {used / MB:.0f} MB after 150 requests"
    )
    assert max(first, idle, used) < 200 * MB


def test_further_workers_share_what_the_first_has(start_hub: Callable[..., Hub]) -> None:
    hub = start_hub(workers=3)
    time.sleep(_SETTLED_SECONDS)
    idle = hub.memory()
    print(f"PSS of {len(hub.pids())} processes with three workers: {idle / MB:.0f} MB")
    assert idle < 200 * MB
