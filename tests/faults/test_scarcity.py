"""Too few file descriptors, too little memory: what cannot be served is refused, and nothing is damaged by it."""

import random
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.cgroup import MemoryGroup, memory_group
from faults.client import Client, Lost, Refused, Upload
from faults.images import digest_of
from faults.resources import wait_until_calm
from faults.stage import Stage
from hub import Hub

StartHub = Callable[..., Hub]

pytestmark = [pytest.mark.system, pytest.mark.slow]

MEGABYTE = 1 << 20
CLIENTS = 500
FILES = 200
UPLOADS = 50
SIZE = 10 * MEGABYTE
CHUNK = 5 * MEGABYTE
PATIENCE = 120


def all_at_once(clients: list[Client], deed: Callable[[Client], str]) -> Counter[str]:
    """Every client in a thread of its own; what came of it, a word each."""
    came: list[str] = []

    def go(client: Client) -> None:
        try:
            came.append(deed(client))
        except Exception as error:  # a thread's failure must not go unnoticed
            came.append(repr(error))
        finally:
            client.close()

    threads = [threading.Thread(target=go, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(came)


@contextmanager
def many_files() -> Iterator[None]:
    """This process may have enough open files for all its clients and their journals."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_clients_than_file_descriptors_damage_nothing(start_hub: StartHub, tmp_path: Path) -> None:
    hub = start_hub(under=["prlimit", f"--nofile={FILES}:{FILES}"])
    scene = Stage(hub, tmp_path).scene()
    before = hub.pids()
    with many_files():
        came = all_at_once([scene.client(f"client-{number}") for number in range(CLIENTS)], push_and_pull)
        assert came["done"] > 0
        assert came.keys() <= {"done", "lost", "503"}, came
        assert not scene.check().broken
        last = scene.client("after")
        last.patience = PATIENCE
        assert push_and_pull(last) == "done"
        scene.close()
    assert hub.pids() == before
    scrub = [sys.executable, "-m", "fairway", "scrub", "--data-dir", str(hub.data)]
    assert subprocess.run(scrub, capture_output=True, check=False).returncode == 0


def push_and_pull(client: Client) -> str:
    data = client.rng.randbytes(1000)
    try:
        client.call("GET", "/v2/")
        time.sleep(0.3)  # connected, so that others come meanwhile
        found = client.blob("library/scarce", client.push_blob("library/scarce", data, "single-post"))
        if found.status == 503:
            raise Refused(found)
        assert (found.status, found.body) == (200, data), found
    except Lost:
        return "lost"
    except Refused as error:
        if error.answer.status != 503 or not error.answer.headers.get("retry-after"):
            raise
        return "503"
    return "done"


def test_uploads_take_no_memory_worth_mentioning_and_survive_a_worker_that_runs_out_of_it(
    start_hub: StartHub, tmp_path: Path
) -> None:
    with memory_group(1 << 30) as group:
        hub = start_hub(workers=3, under=group.under)
        wait_until_calm(hub)
        scene = Stage(hub, tmp_path).scene()
        # Half of what they send; the page cache counts, too.
        group.limit(hub.memory() + UPLOADS * SIZE // 2)
        over = threading.Event()
        halfway = threading.Barrier(UPLOADS, lambda: begin_to_starve(group, hub, over))
        try:
            clients = [scene.client(f"client-{number}") for number in range(UPLOADS)]
            # However quick the others are: these are not done when a worker dies.
            patient = set(clients[::2])
            came = all_at_once(clients, lambda it: send(it, halfway, over if it in patient else None))
            assert came.keys() == {"undisturbed", "resumed"}, came
            scene.stage.wait_until_whole()
            assert not scene.check().broken
        finally:
            scene.close()
            hub.kill()


def begin_to_starve(group: MemoryGroup, hub: Hub, over: threading.Event) -> None:
    """So far nobody ran out of memory; from now on somebody takes it until the kernel kills one of the hub's workers."""
    assert group.killed() == 0
    worker = max(hub.pids(), key=lambda pid: len(list(Path(f"/proc/{pid}/fd").iterdir())))
    Path(f"/proc/{worker}/oom_score_adj").write_text("1000")
    threading.Thread(target=_starve, args=(group, over)).start()


def _starve(group: MemoryGroup, over: threading.Event) -> None:
    greedy = subprocess.Popen([*group.under, sys.executable, "-c", _GREEDY])
    try:
        deadline = time.monotonic() + PATIENCE
        while group.killed() == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        greedy.kill()
        greedy.wait()
        over.set()


_GREEDY = """
import time
taken = []
while True:  # not so fast that it takes more than one death to stop it
    taken.append(bytearray(4 << 20))
    time.sleep(0.01)
"""


def send(client: Client, halfway: threading.Barrier, waits_for: threading.Event | None) -> str:
    """Upload something big in chunks and go on wherever it breaks off."""
    data = client.rng.randbytes(64) + _NOISE
    lost = 0

    def insist(ask: Callable[[], object]) -> object:
        nonlocal lost
        while True:
            try:
                return ask()
            except Lost:
                lost += 1
                time.sleep(0.1)

    upload = insist(lambda: Upload(client, "library/big"))
    assert isinstance(upload, Upload)
    upload.patch(data[:CHUNK], at=0)
    at = CHUNK
    halfway.wait(PATIENCE)
    if waits_for is not None:
        waits_for.wait(PATIENCE)
    while at < len(data):
        try:
            upload.patch(data[at : at + CHUNK], at=at)
            at += len(data[at : at + CHUNK])
        except Lost:
            lost += 1
            where = insist(upload.offset)
            assert isinstance(where, int)
            at = where
    try:
        upload.finish(digest_of(data))
    except Lost:
        lost += 1
        insist(lambda: client.push_blob("library/big", data, "single-post"))
    return "resumed" if lost else "undisturbed"


_NOISE = random.Random(20).randbytes(SIZE - 64)
