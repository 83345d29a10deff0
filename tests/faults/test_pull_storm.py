"""A rollout: very many pull one image at once, and as many read ranges and hang up as containerd does (N3).

FAIRWAY_TEST_PULLS says how many pulls; every one of them takes the whole image.
"""

import hashlib
import http.client
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from faults.conftest import running
from faults.images import Image, new_image
from faults.slow import allow_sockets, wait_for
from hub import Hub
from system.wire import Wire

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/io").exists(), reason="who read how much is told by Linux's /proc"
    ),
]

PULLS = int(os.environ.get("FAIRWAY_TEST_PULLS", "30"))
READERS = 200
AT_ONCE = 500
"""Threads of each kind at most: with more pulls than that, whoever is done makes room for the next."""
MEGABYTE = 1 << 20
SIZES = (10 * MEGABYTE, 40 * MEGABYTE)
ENOUGH = MEGABYTE
READ_AHEAD = 6 * MEGABYTE
"""What may be read for somebody who hangs up and never got it: buffers of the kernel's on both sides, and ours."""
MOST_MEMORY = (64 + 2 * (min(PULLS, AT_ONCE) + READERS)) * MEGABYTE
"""What a process may need: so much for each connection at a time, however many there are after another."""
REPO = "library/rollout"
SECONDS = 300


@pytest.fixture(scope="module", params=["sqlite-1", "postgresql-3"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running(request, tmp_path_factory.mktemp("storm")) as stage:
        yield stage.hub


@pytest.fixture(scope="module")
def image(hub: Hub) -> Image:
    made, admin = new_image(random.Random(3), *SIZES), Wire(hub)
    for content in made.blobs.values():
        admin.push_blob(REPO, content)
    put = admin.ask("PUT", f"/v2/{REPO}/manifests/v1", made.raw, {"Content-Type": made.media_type})
    assert put.status == 201, put
    return made


@pytest.fixture(scope="module")
def login(hub: Hub) -> dict[str, str]:
    answer = Wire(hub).ask("GET", f"/service/token?service=harbor-registry&scope=repository:{REPO}:pull")
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def read_from_files(hub: Hub) -> int:
    """Bytes that all its processes have read so far, from the page cache or not.  What came from sockets does not count."""
    return sum(
        int(Path(f"/proc/{pid}/io").read_text().partition("rchar: ")[2].split()[0]) for pid in hub.pids()
    )


def open_blobs(hub: Hub) -> int:
    """How many files of blobs its processes have open."""
    found = 0
    for pid in hub.pids():
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += "/storage/sha256/" in str(entry.readlink())
    return found


def pull(hub: Hub, image: Image, login: dict[str, str]) -> int:
    """The whole image, as a node does it; how many bytes."""
    connection = http.client.HTTPConnection(hub.place, timeout=SECONDS)
    try:
        connection.request("GET", f"/v2/{REPO}/manifests/v1", headers=login)
        assert connection.getresponse().read() == image.raw
        for digest, content in image.blobs.items():
            connection.request("GET", f"/v2/{REPO}/blobs/{digest}", headers=login)
            reply = connection.getresponse()
            assert reply.status == 200, reply.read(300)
            hashed, buffer = hashlib.sha256(), bytearray(256 * 1024)
            while taken := reply.readinto(buffer):
                hashed.update(memoryview(buffer)[:taken])
            assert f"sha256:{hashed.hexdigest()}" == digest
            assert reply.getheader("content-length") == f"{len(content)}"
    finally:
        connection.close()
    return sum(map(len, image.blobs.values()))


def read_and_hang_up(hub: Hub, image: Image, login: dict[str, str], number: int) -> int:
    """An open-ended range of the largest layer, of which the first megabyte is enough; how many bytes."""
    digest, content = max(image.blobs.items(), key=lambda item: len(item[1]))
    start = random.Random(number).randrange(len(content) // 4)
    connection = http.client.HTTPConnection(hub.place, timeout=SECONDS)
    try:
        headers = {**login, "Range": f"bytes={start}-"}
        connection.request("GET", f"/v2/{REPO}/blobs/{digest}", headers=headers)
        reply = connection.getresponse()
        assert reply.status == 206, reply.read(300)
        assert reply.read(ENOUGH) == content[start : start + ENOUGH]
    finally:
        connection.close()
    return ENOUGH


def test_everybody_gets_the_image_and_nothing_is_read_for_those_who_hang_up(
    hub: Hub, image: Image, login: dict[str, str]
) -> None:
    allow_sockets(2 * AT_ONCE)
    pull(hub, image, login)
    read_and_hang_up(hub, image, login, 0)
    pids, said = hub.pids(), len(hub.log)
    hub.forget_peaks()
    at_rest, read_before = hub.peaks(), read_from_files(hub)

    with ThreadPoolExecutor(min(PULLS, AT_ONCE)) as nodes, ThreadPoolExecutor(READERS) as hasty:
        parts = [hasty.submit(read_and_hang_up, hub, image, login, number) for number in range(READERS)]
        wholes = [nodes.submit(pull, hub, image, login) for _ in range(PULLS)]
        sent = sum(each.result() for each in [*parts, *wholes])

    wait_for(lambda: not open_blobs(hub), "no blob is left open")
    read = read_from_files(hub) - read_before
    assert hub.pids() == pids
    assert sent * 0.9 < read < sent * 1.1 + READERS * READ_AHEAD, (read, sent)
    for pid, peak in hub.peaks().items():
        assert peak - at_rest[pid] < MOST_MEMORY, (pid, at_rest[pid], peak)
    assert '"level":"error"' not in hub.log[said:]
