"""Disks fill up, turn read-only and fail: a client gets an honest error, never wrong bytes, and everything goes on after.

One hub, whose database, blobs and log lie on a small disk each; every test leaves it as it was.
"""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from faults.client import Answer, Client, Lost, Refused, Upload
from faults.disks import failing, full, read_only, small_disk, without_files
from faults.images import Image, digest_of, index, new_image
from faults.stage import HEALTHY_SECONDS, Scene, Stage
from hub import Hub

pytestmark = [pytest.mark.system, pytest.mark.slow]

REPO = "library/disks"
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
    yield made
    assert not made.check().broken
    made.close()
    assert rig.stage.hub.pids() == before, rig.stage.hub.log[-3000:]


@pytest.fixture
def client(scene: Scene) -> Client:
    return scene.client(f"client-{uuid4().hex}")


def pushed(client: Client, *sizes: int) -> Image:
    it = new_image(client.rng, *sizes)
    client.push_image(REPO, it, ["latest"])
    return it


def assert_pulls(client: Client, it: Image) -> None:
    assert client.manifest(REPO, "latest").body == it.raw
    for digest, data in it.blobs.items():
        assert client.blob(REPO, digest).body == data


def assert_clean(answer: Answer) -> None:
    """503 in JSON, and when to come again."""
    assert (answer.status, answer.headers["content-type"]) == (503, "application/json"), answer
    assert answer.code == "UNAVAILABLE"
    assert answer.headers["retry-after"]
    assert answer.headers["x-request-id"]


def refused(client: Client, data: bytes, style: str = "") -> Answer:
    with pytest.raises(Refused) as error:
        client.push_blob(REPO, data, style)
    return error.value.answer


def push_when_possible(client: Client, data: bytes) -> None:
    """The fault is over; until that is noticed answers must be clean."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        try:
            client.push_blob(REPO, data)
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


def test_a_full_disk_stops_uploads_under_way_and_goes_on_serving(rig: Rig, client: Client) -> None:
    it = pushed(client, MEGABYTE)
    data = random.Random(3).randbytes(3 * MEGABYTE)
    upload = Upload(client, REPO)
    upload.patch(data[:MEGABYTE], at=0)
    whole = Upload(client, REPO)
    with full(rig.storage):
        for sending in (lambda: upload.patch(data[MEGABYTE:], at=MEGABYTE), lambda: whole.finish("", data)):
            with pytest.raises(Refused) as error:
                sending()
            assert_clean(error.value.answer)
        assert_pulls(client, it)
        assert upload.offset() == MEGABYTE
        assert whole.offset() == 0
        kept = sum(file.stat().st_size for file in rig.stage.inside.uploads())
        assert kept == MEGABYTE
    upload.patch(data[MEGABYTE:], at=MEGABYTE)
    upload.finish(digest_of(data))
    assert client.blob(REPO, digest_of(data)).body == data


@pytest.mark.parametrize("scarce", [full, without_files], ids=["bytes", "files"])
@pytest.mark.parametrize("style", ["single-post", "post-put", "stream", "chunks"])
def test_a_disk_without_room_takes_no_new_uploads(
    rig: Rig, client: Client, scarce: type[full], style: str
) -> None:
    it = pushed(client, 1000)
    data = client.rng.randbytes(1000)
    with scarce(rig.storage):
        assert_clean(refused(client, data, style))
        assert_pulls(client, it)
    push_when_possible(client, data)


def test_new_uploads_are_refused_while_there_still_is_room_for_those_under_way(rig: Rig, client: Client) -> None:
    data = client.rng.randbytes(MEGABYTE)
    upload = Upload(client, REPO)
    it = pushed(client, 1000)
    filler = rig.storage / "filler"
    room = 3 * MEGABYTE
    with filler.open("wb") as file:
        file.write(bytes(free(rig.storage) - room))
    try:
        time.sleep(1.1)  # it looks once a second
        answer = refused(client, b"one more")
        assert_clean(answer)
        assert b"nearly full" in answer.body
        status, state = readiness(client)
        assert (status, state["database"]) == (200, "ok")  # or all replicas would stop serving at once
        assert "nearly full" in state["storage"]
        upload.patch(data)
        upload.finish(digest_of(data))
        client.push_manifest(REPO, it, ["another-tag"])
    finally:
        filler.unlink()
    push_when_possible(client, b"one more")
    assert readiness(client) == (200, {"database": "ok", "storage": "ok"})


def free(folder: Path) -> int:
    import os

    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
