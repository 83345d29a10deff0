"""Whoever began to read a blob gets all of it, though it is collected meanwhile and its file removed (G7).

By default the readers dawdle only until the file is gone, and its time in the trash is cut short.  With
FAIRWAY_TEST_READER_SECONDS, such as 120, they read evenly for so long, and the trash keeps the file for as long as it says.
"""

import hashlib
import json
import os
import random
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from faults.conftest import running
from faults.images import digest_of, image
from faults.slow import wait_for
from faults.stage import Stage
from hub import PASSWORD, Hub
from system.wire import Wire

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/fd").exists(), reason="who has a file open is told by Linux's /proc"
    ),
]

SECONDS = float(os.environ.get("FAIRWAY_TEST_READER_SECONDS", "0"))
DAWDLING_SECONDS = 900
"""For all of it: much longer than the collector takes, and still more than the hub asks of a reader."""
LARGE = random.Random(7).randbytes(64 << 20)
"""Far more than all buffers between the file and a reader."""
DIGEST = digest_of(LARGE)
START = 1_000_000
REPO = "library/going"
BLOB = f"/v2/{REPO}/blobs/{DIGEST}"
PIECE = 64 * 1024
SETTINGS = {
    "FAIRWAY_LEASE_SECONDS": "5",
    "FAIRWAY_GC_GRACE_SECONDS": "0",
    "FAIRWAY_UNDO_SECONDS": "0",
    "FAIRWAY_TRASH_SECONDS": "60",
}


class Reader(Thread):
    """Reads the blob, or a part of it, at an even pace until it may `hurry`; `head` and `got` are what came."""

    def __init__(self, hub: Hub, *headers: str) -> None:
        super().__init__(daemon=True)
        self._place = hub.place.split(":")
        login = b64encode(f"admin:{PASSWORD}".encode()).decode()
        lines = [f"GET {BLOB} HTTP/1.1", "Host: hub", f"Authorization: Basic {login}", "Connection: close"]
        self._request = "\r\n".join([*lines, *headers, "", ""]).encode()
        self._bytes_per_second = len(LARGE) / (SECONDS or DAWDLING_SECONDS)
        self.hurry = Event()
        self.head = b""
        self.got = bytearray()
        self.seconds = 0.0

    def run(self) -> None:
        began = time.monotonic()
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
            line.settimeout(60)
            line.connect((self._place[0], int(self._place[1])))
            line.sendall(self._request)
            received = bytearray()
            while b"\r\n\r\n" not in received and (piece := line.recv(PIECE)):
                received += piece
            head, _, rest = received.partition(b"\r\n\r\n")
            self.got += rest
            self.head = bytes(head)
            while piece := line.recv(PIECE):
                self.got += piece
                self.hurry.wait(max(0.0, began + len(self.got) / self._bytes_per_second - time.monotonic()))
        self.seconds = time.monotonic() - began


@pytest.fixture(params=["sqlite-1", "postgresql-3"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A hub that promises as little as it can be told to."""
    with running(request, tmp_path, SETTINGS) as made:
        yield made


def still_open(hub: Hub, file: Path) -> int:
    """How often its processes have this file open, which no folder names any more."""
    found = 0
    for pid in hub.pids():
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += str(entry.readlink()) == f"{file.resolve()} (deleted)"
    return found


def push(wire: Wire) -> str:
    """An image with the blob as its layer; its digest."""
    made = image(b"{}", [LARGE])
    for content in made.blobs.values():
        wire.push_blob(REPO, content)
    put = wire.ask("PUT", f"/v2/{REPO}/manifests/v1", made.raw, {"Content-Type": made.media_type})
    assert put.status == 201, put
    return made.digest


def collect(wire: Wire) -> None:
    """One whole run of the collector."""
    asked = json.dumps({"schedule": {"type": "Manual"}, "parameters": {}}).encode()
    run = wire.ask("POST", "/api/v2.0/system/gc/schedule", asked, {"Content-Type": "application/json"})
    assert run.status == 201, run

    def state() -> str:
        return str(wire.ask("GET", run.headers["location"]).json()["job_status"])

    wait_for(lambda: state() not in {"Pending", "Running"}, "the run of the collector ends", 120)
    assert state() == "Success"


def require_gone(wire: Wire) -> None:
    """Whoever asks now is told so, whole or in part, in a whole answer."""
    for headers in ({}, {"Range": f"bytes={START}-"}, {"Range": "bytes=0-0,5-9"}):
        answer = wire.ask("GET", BLOB, headers=headers)
        assert answer.status == 404, answer.headers
        assert answer.json()["errors"][0]["code"] == "BLOB_UNKNOWN"
        assert "content-range" not in answer.headers


def test_who_began_to_read_a_blob_gets_all_of_it_though_it_is_collected(stage: Stage) -> None:
    hub, wire = stage.hub, Wire(stage.hub)
    manifest = push(wire)
    file = stage.inside.object_of(DIGEST)
    whole, part = Reader(hub), Reader(hub, f"Range: bytes={START}-")
    for reader in (whole, part):
        reader.start()
    wait_for(lambda: all(reader.got for reader in (whole, part)), "both readers have begun")

    assert wire.ask("DELETE", f"/v2/{REPO}/manifests/{manifest}").status == 202
    stage.inside.rows("DELETE FROM leases")
    collect(wire)
    assert stage.inside.rows(f"SELECT id FROM blobs WHERE digest = '{DIGEST}'") == []
    assert file.exists(), "its bytes wait in the trash"
    require_gone(wire)

    if not SECONDS:
        stage.inside.rows("UPDATE trash SET not_before = 1")
    wait_for(lambda: not file.exists(), "the trash is emptied", 240)
    assert still_open(hub, file) == 2, "both readers are still being served"
    require_gone(wire)

    for reader in (whole, part):
        if not SECONDS:
            reader.hurry.set()
        reader.join()
        print(f"{len(reader.got):,} bytes in {reader.seconds:.0f} s")
    assert whole.head.startswith(b"HTTP/1.1 200")
    assert hashlib.sha256(whole.got).hexdigest() == DIGEST.removeprefix("sha256:")
    assert part.head.startswith(b"HTTP/1.1 206")
    assert f"bytes {START}-{len(LARGE) - 1}/{len(LARGE)}".encode() in part.head
    assert part.got == LARGE[START:]
    wait_for(lambda: still_open(hub, file) == 0, "nothing of it stays open")
    assert "reads too slowly" not in hub.log
    assert '"level":"error"' not in hub.log
