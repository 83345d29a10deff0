"""A layer of 300 MB: it goes through, memory stays, and a broken download goes on where it stopped."""

import os
import random
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import pytest

from hub import Hub
from system.clients import Person
from system.layouts import PLAIN_LAYER, Layout
from system.wire import Wire

pytestmark = pytest.mark.system

MB = 2**20
SIZE = 300 * MB
ROOM = 96 * MB
"""How much all processes together may grow: buffers of fixed size, and what an interpreter fetches on first use."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """One layer with a file like a disk image: islands of random bytes between zeros."""
    folder = tmp_path_factory.mktemp("large")
    chance = random.Random(300)
    with (folder / "disk.img").open("wb") as file:
        for start in range(0, SIZE, MB):
            file.seek(start)
            file.write(chance.randbytes(64 * 1024))
        file.truncate(SIZE)
    with tarfile.open(folder / "layer.tar", "w") as archive:
        archive.add(folder / "disk.img", "disk.img")
    (folder / "disk.img").unlink()
    layout = Layout(folder / "layout")
    layer = layout.add(folder / "layer.tar", PLAIN_LAYER)
    layout.image([layer], [layer["digest"]], tag="large")
    yield layout
    shutil.rmtree(folder)


@contextmanager
def watched(hub: Hub, what: str) -> Iterator[list[int]]:
    """Look at the memory of all processes again and again; what was seen, in bytes."""
    seen = [hub.memory()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(hub.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        yield seen
    finally:
        seconds = time.monotonic() - started
        done.set()
        watcher.join()
        print(
            f"{hub.workers} workers, {what}: {seconds:.1f} s, {SIZE / MB / seconds:.0f} MB/s, "
            f"PSS {seen[0] / MB:.0f} MB before, {max(seen) / MB:.0f} MB at most"
        )


def test_memory_does_not_grow_with_the_layer(hub: Hub, admin: Person, wire: Wire, large: Layout) -> None:
    wire.push_blob("library/small", os.urandom(MB))  # what is loaded on first use is loaded

    with watched(hub, "push by skopeo") as pushing:
        admin.push(large.ref("large"), "library/large:1", "--preserve-digests")
    with watched(hub, "pull by skopeo") as pulling:
        got = admin.pull("library/large:1")

    assert got.manifest == large.raw(large.tagged("large")["digest"])
    assert max(pushing) < pushing[0] + ROOM
    assert max(pulling) < pushing[0] + ROOM


def test_a_broken_download_goes_on_where_it_stopped(
    hub: Hub, admin: Person, wire: Wire, large: Layout
) -> None:
    admin.push(large.ref("large"), "library/large:1", "--preserve-digests")
    layer = large.parsed(large.tagged("large")["digest"])["layers"][0]
    path = f"/v2/library/large/blobs/{layer['digest']}"
    hashed = sha256()

    with watched(hub, "pull in two parts") as seen:
        first = wire.connect()
        first.request("GET", path, headers=wire.headers)
        answer = first.getresponse()
        assert int(answer.headers["content-length"]) == layer["size"]
        got = 0
        while got < 100 * MB:
            piece = answer.read(MB)
            hashed.update(piece)
            got += len(piece)
        answer.close()
        first.close()

        rest = wire.connect()
        rest.request("GET", path, headers={**wire.headers, "Range": f"bytes={got}-"})
        answer = rest.getresponse()
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes {got}-{layer['size'] - 1}/{layer['size']}"
        while piece := answer.read(MB):
            hashed.update(piece)
        rest.close()

    assert f"sha256:{hashed.hexdigest()}" == layer["digest"]
    assert max(seen) < seen[0] + ROOM


def test_a_broken_upload_goes_on_where_it_stopped(wire: Wire, large: Layout) -> None:
    layer = large.parsed(large.tagged("large")["digest"])["layers"][0]
    upload = wire.start_upload("library/large")
    with large.path(layer["digest"]).open("rb") as file:
        broken = wire.connect()
        broken.putrequest("PATCH", upload)
        for name, value in {**wire.headers, "Content-Length": str(layer["size"])}.items():
            broken.putheader(name, value)
        broken.endheaders(file.read(100 * MB))
        broken.close()

        at = stored_so_far(wire, upload)
        assert 0 < at <= 100 * MB
        file.seek(at)
        rest = wire.connect()
        rest.request(
            "PUT",
            f"{upload}?digest={layer['digest']}",
            file,
            {
                **wire.headers,
                "Content-Length": str(layer["size"] - at),
                "Content-Range": f"{at}-{layer['size'] - 1}",
            },
        )
        assert rest.getresponse().status == 201
        rest.close()

    assert wire.ask("HEAD", f"/v2/library/large/blobs/{layer['digest']}").headers["content-length"] == str(
        layer["size"]
    )


def stored_so_far(wire: Wire, upload: str) -> int:
    """How much has arrived, once the hub has noticed that nothing follows."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = wire.ask("GET", upload)
        assert state.status == 204
        last = int(state.headers["range"].partition("-")[2])
        if last > 0:
            return last + 1
        time.sleep(0.05)
    raise TimeoutError("the upload has not moved")
