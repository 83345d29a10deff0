"""Disks fill up, turn read-only and fail: a client gets an honest error, never wrong bytes, and everything goes on after.

One hub, whose database, blobs and log lie on a small disk each; every test leaves it as it was.
"""

import base64
import http.client
import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from faults.client import Answer, Client, Lost, Refused, Upload
from faults.disks import failing, full, read_only, small_disk, without_files
from faults.images import Image, digest_of, index, new_image
from faults.outages import HEALTHY_SECONDS
from faults.slow import wait_for
from faults.stage import Scene, Stage
from hub import PASSWORD, Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]

LOGIN = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Rig:
    stage: Stage
    data: Path
    storage: Path
    log: Path


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("disks")
    with ExitStack() as disks:
        storage = disks.enter_context(small_disk(folder / "storage", size="96m", nr_inodes="4000"))
        data = disks.enter_context(small_disk(folder / "data", size="24m"))
        log = disks.enter_context(small_disk(folder / "log", size="2m"))
        (folder / "hub.log").symlink_to(log / "hub.log")
        env = {"FAIRWAY_STORAGE_URL": storage.as_uri(), "FAIRWAY_STORAGE_RESERVE_BYTES": str(4 * MEGABYTE)}
        hub = Hub(folder, env=env)
        disks.callback(hub.kill)
        stage = Stage(hub, folder)
        hub.start()
        yield Rig(stage, data, storage, log)


@pytest.fixture
def scene(rig: Rig) -> Iterator[Scene]:
    """No process of the hub dies of what a test does to its disks."""
    before = rig.stage.hub.pids()
    made = rig.stage.scene()
    try:
        yield made
        assert not made.check().broken
    finally:
        made.close()
    assert rig.stage.hub.pids() == before, rig.stage.hub.log[-3000:]


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(f"client-{uuid4().hex}")


@pytest.fixture
def repo() -> str:
    return f"library/{uuid4().hex}"


def pushed(client: Client, repo: str, *sizes: int) -> Image:
    it = new_image(client.rng, *sizes)
    client.push_image(repo, it, ["latest"])
    return it


def assert_pulls(client: Client, repo: str, it: Image) -> None:
    assert client.manifest(repo, "latest").body == it.raw
    for digest, data in it.blobs.items():
        assert client.blob(repo, digest).body == data


def assert_clean(answer: Answer) -> None:
    """503 in JSON, and when to come again."""
    assert (answer.status, answer.headers["content-type"]) == (503, "application/json"), answer
    assert answer.code == "UNAVAILABLE"
    assert answer.headers["retry-after"]
    assert answer.headers["x-request-id"]


def refused(client: Client, repo: str, data: bytes, style: str = "") -> Answer:
    with pytest.raises(Refused) as error:
        client.push_blob(repo, data, style)
    return error.value.answer


def push_when_possible(client: Client, repo: str, data: bytes) -> None:
    """The fault is over; until that is noticed answers must be clean."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        try:
            client.push_blob(repo, data)
            return
        except Refused as error:
            assert_clean(error.answer)
            time.sleep(0.05)
    raise TimeoutError("pushes are refused though the fault is over")


def readiness(client: Client) -> tuple[int, dict[str, str]]:
    """What /readyz says now; it repeats itself for a second."""
    time.sleep(1.1)
    answer = client.call("GET", "/readyz")
    return answer.status, json.loads(answer.body)


# -- no room


def test_a_full_disk_stops_uploads_under_way_and_goes_on_serving(rig: Rig, client: Client, repo: str) -> None:
    it = pushed(client, repo, MEGABYTE)
    data = random.Random(3).randbytes(3 * MEGABYTE)
    upload = Upload(client, repo)
    upload.patch(data[:MEGABYTE], at=0)
    whole = Upload(client, repo)
    with full(rig.storage):
        with pytest.raises(Refused) as patched:
            upload.patch(data[MEGABYTE:], at=MEGABYTE)
        with pytest.raises(Refused) as put:
            whole.finish(digest_of(data), data)
        assert_clean(patched.value.answer)
        assert_clean(put.value.answer)
        assert_pulls(client, repo, it)
        assert upload.offset() == MEGABYTE
        assert whole.offset() == 0
        kept = sum(file.stat().st_size for file in rig.stage.inside.uploads())
        assert kept == MEGABYTE
    upload.patch(data[MEGABYTE:], at=MEGABYTE)
    upload.finish(digest_of(data))
    assert client.blob(repo, digest_of(data)).body == data


@pytest.mark.parametrize("scarce", [full, without_files], ids=["bytes", "files"])
@pytest.mark.parametrize("style", ["single-post", "post-put", "stream", "chunks"])
def test_a_disk_without_room_takes_no_new_uploads(
    rig: Rig, client: Client, repo: str, scarce: Callable[[Path], AbstractContextManager[None]], style: str
) -> None:
    it = pushed(client, repo, 1000)
    data = client.rng.randbytes(1000)
    with scarce(rig.storage):
        assert_clean(refused(client, repo, data, style))
        assert_pulls(client, repo, it)
    push_when_possible(client, repo, data)


def test_new_uploads_are_refused_while_there_still_is_room_for_those_under_way(
    rig: Rig, client: Client, repo: str
) -> None:
    data = client.rng.randbytes(MEGABYTE)
    upload = Upload(client, repo)
    it = pushed(client, repo, 1000)
    filler = rig.storage / "filler"
    room = 3 * MEGABYTE
    with filler.open("wb") as file:
        file.write(bytes(free(rig.storage) - room))
    try:
        time.sleep(1.1)  # it looks once a second
        answer = refused(client, repo, b"one more")
        assert_clean(answer)
        assert b"nearly full" in answer.body
        status, state = readiness(client)
        assert (status, state["database"]) == (200, "ok")  # or all replicas would stop serving at once
        assert "nearly full" in state["storage"]
        upload.patch(data)
        upload.finish(digest_of(data))
        client.push_manifest(repo, it, ["another-tag"])
    finally:
        filler.unlink()
    push_when_possible(client, repo, b"one more")
    assert readiness(client) == (200, {"database": "ok", "storage": "ok"})


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def until_refused(push: Callable[[int], object]) -> Answer:
    """What its files have grown to before still takes some."""
    for number in range(200):
        try:
            push(number)
        except Refused as error:
            return error.answer
    pytest.fail("a full disk takes everything")


def test_a_full_database_disk_refuses_writes_and_goes_on_serving(rig: Rig, client: Client, repo: str) -> None:
    it = pushed(client, repo, 1000)
    with full(rig.data):
        note = "x" * 300_000
        answers = [
            until_refused(lambda n: client.push_manifest(repo, index([], note=f"{note}{n}"))),
            until_refused(lambda _: client.push_blob(repo, client.rng.randbytes(100))),
        ]
        assert_pulls(client, repo, it)
        assert client.call("GET", f"/v2/{repo}/tags/list").status == 200
    for answer in answers:
        assert_clean(answer)
    push_when_possible(client, repo, b"after")
    pushed(client, repo, 1000)


def test_a_full_log_disk_is_nobodys_business(rig: Rig, client: Client, repo: str) -> None:
    with full(rig.log):
        it = pushed(client, repo, 1000)
        for _ in range(50):
            client.push_blob(repo, client.rng.randbytes(10))
        assert_pulls(client, repo, it)
    said = len(rig.stage.hub.log)
    client.push_blob(repo, b"after the log")
    wait_for(lambda: "request" in rig.stage.hub.log[said:], "the log goes on")


def test_a_read_only_disk_serves_and_says_so(rig: Rig, client: Client, repo: str) -> None:
    it = pushed(client, repo, 1000)
    upload = Upload(client, repo)
    with read_only(rig.storage):
        assert_clean(refused(client, repo, b"not now"))
        with pytest.raises(Refused) as error:
            upload.patch(b"not now")
        assert_clean(error.value.answer)
        assert_pulls(client, repo, it)
        status, state = readiness(client)
        assert (status, state["database"]) == (200, "ok")
        assert "read-only" in state["storage"]
    upload.patch(b"now")
    upload.finish(digest_of(b"now"))
    pushed(client, repo, 1000)


# -- calls that fail


def files(rig: Rig) -> set[Path]:
    return {*rig.stage.inside.uploads(), *rig.stage.inside.objects().values()}


@pytest.mark.parametrize("style", ["single-post", "post-put", "stream"])
def test_a_blob_whose_sync_failed_is_never_acknowledged(
    rig: Rig, client: Client, repo: str, style: str
) -> None:
    data = client.rng.randbytes(100_000)
    before = files(rig)
    with failing(rig.stage.hub.pids(), "fsync,fdatasync", "error=EIO:when=1") as calls:
        assert_clean(refused(client, repo, data, style))
        assert "INJECTED" in calls.read_text()
    assert files(rig) == before
    assert client.blob(repo, digest_of(data)).status == 404
    client.push_blob(repo, data, style)
    assert client.blob(repo, digest_of(data)).body == data


def test_an_upload_whose_sync_failed_cannot_be_finished_again(rig: Rig, client: Client, repo: str) -> None:
    data = client.rng.randbytes(100_000)
    upload = Upload(client, repo)
    upload.patch(data)
    with failing(rig.stage.hub.pids(), "fsync,fdatasync", "error=EIO:when=1"):
        with pytest.raises(Refused) as first:
            upload.finish(digest_of(data))
        with pytest.raises(Refused) as second:
            upload.finish(digest_of(data))
    assert_clean(first.value.answer)
    assert (second.value.answer.status, second.value.answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_of_which_written_bytes_were_lost_is_given_up(rig: Rig, client: Client, repo: str) -> None:
    data = client.rng.randbytes(24 * MEGABYTE)
    upload = Upload(client, repo)
    with (
        failing(rig.stage.hub.pids(), "sync_file_range", "error=EIO:when=1"),
        pytest.raises(Refused) as error,
    ):
        upload.patch(data)
    assert_clean(error.value.answer)
    with pytest.raises(Refused, match="BLOB_UPLOAD_UNKNOWN"):
        upload.finish(digest_of(data))


def test_a_commit_whose_sync_failed_is_not_acknowledged_and_nothing_is_built_on_it(
    rig: Rig, client: Client, repo: str
) -> None:
    it = new_image(client.rng, 1000)
    for data in it.blobs.values():
        client.push_blob(repo, data)
    log = rig.data / "fairway.db-wal"
    before = log.stat().st_size
    with failing(rig.stage.hub.pids(), "fsync,fdatasync", "error=EIO:when=1", path=log) as calls:
        with pytest.raises(Refused) as error:
            client.push_manifest(repo, it, ["unsynced"])
        assert "INJECTED" in calls.read_text()
    assert_clean(error.value.answer)
    client.push_manifest(repo, it, ["synced"])
    assert log.stat().st_size < before  # a new log: of the old one nobody knows what reached the disk


READS = "read,pread64,readv,preadv,sendfile,splice"


@pytest.mark.parametrize("fault", ["error=EIO:when=2+", "retval=0:when=2+"], ids=["error", "early end"])
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=1-"}], ids=["whole", "part"])
def test_a_blob_that_cannot_be_read_to_its_end_is_never_sent_as_whole(
    rig: Rig, client: Client, repo: str, fault: str, part: dict[str, str]
) -> None:
    it = pushed(client, repo, 4 * MEGABYTE)
    digest = list(it.blobs)[1]
    file = rig.stage.inside.object_of(digest)
    path = f"/v2/{repo}/blobs/{digest}"
    with failing(rig.stage.hub.pids(), READS, fault, path=file) as calls:
        with pytest.raises(Lost):
            client.call("GET", path, headers=part)
        assert "INJECTED" in calls.read_text()
    assert_pulls(client, repo, it)


def test_a_blob_that_cannot_be_opened_is_an_honest_error(rig: Rig, client: Client, repo: str) -> None:
    it = pushed(client, repo, MEGABYTE)
    digest = list(it.blobs)[1]
    file = rig.stage.inside.object_of(digest)
    with failing(rig.stage.hub.pids(), "open,openat", "error=EMFILE", path=file) as calls:
        with suppress(Lost):
            assert client.blob(repo, digest).status >= 500
        assert "INJECTED" in calls.read_text()
    assert_pulls(client, repo, it)


def test_a_blob_that_shrinks_under_its_reader_ends_early(rig: Rig, client: Client, repo: str) -> None:
    it = pushed(client, repo, 24 * MEGABYTE)
    digest = list(it.blobs)[1]
    connection = http.client.HTTPConnection(rig.stage.hub.place, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.request("GET", f"/v2/{repo}/blobs/{digest}", headers={"Authorization": LOGIN})
    reply = connection.getresponse()
    reply.read(65536)
    os.truncate(rig.stage.inside.object_of(digest), 20 * MEGABYTE)
    with pytest.raises((http.client.IncompleteRead, OSError)):
        reply.read()
    connection.close()
    time.sleep(1.1)  # the size of a file is remembered for a second
    assert client.blob(repo, digest).status == 404
    client.push_image(repo, it, ["latest"])
    assert_pulls(client, repo, it)
