"""How the disk store hashes, locks, and what it leaves behind when a process or a disk fails."""

import errno
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import fairway
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import (
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    StorageFull,
    Unavailable,
)
from fairway.core.stores.disk import DiskStore
from fairway.core.stores.disk_uploads import LIVE_HASHERS
from fairway.core.stores.protocols import Session, Stored

SOURCES = str(Path(fairway.__file__).parents[1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def store(root: Path) -> Iterator[DiskStore]:
    store = DiskStore(root, threads=2, patience=0.2).open()
    yield store
    store.close()


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def append(store: DiskStore, session: Session, *chunks: bytes) -> Session:
    async with store.uploads.hold(session.id):
        return await store.uploads.append(session, body(*chunks))


async def finish(store: DiskStore, session: Session, digest: Digest) -> Stored:
    async with store.uploads.hold(session.id):
        return await store.uploads.finish(session, digest)


def blobs(root: Path) -> list[Path]:
    return [file for folder in ("sha256", "sha512") for file in (root / folder).rglob("*-*")]


# ---------------------------------------------------------------- hashing


async def test_a_closing_request_does_not_read_the_file_again(store: DiskStore, root: Path) -> None:
    session = await append(store, await store.uploads.begin(), b"hashed while it came")
    (root / "uploads" / session.id).write_bytes(b"HASHED WHILE IT CAME")
    stored = await finish(store, session, Digest.of(b"hashed while it came"))
    assert (root / stored.key).read_bytes() == b"HASHED WHILE IT CAME"


@pytest.mark.parametrize("state", ["", "another-boot sha256:" + "0" * 64, "{}"])
async def test_after_a_reboot_only_the_bytes_on_disk_count(store: DiskStore, root: Path, state: str) -> None:
    session = await append(store, await store.uploads.begin(), b"before the power cut")
    session = replace(session, state=state)
    (root / "uploads" / session.id).write_bytes(b"\0" * session.offset)
    with pytest.raises(DigestInvalid):
        await finish(store, session, Digest.of(b"before the power cut"))


async def test_running_hashes_are_bounded_and_their_loss_costs_nothing_but_time(store: DiskStore) -> None:
    sessions = [await store.uploads.begin() for _ in range(LIVE_HASHERS + 5)]
    sessions = [await append(store, session, session.id.encode()) for session in sessions]
    assert len(store.uploads._live._hashers) == LIVE_HASHERS
    for session in sessions[:5] + sessions[-5:]:
        grown = await append(store, session, b" more")
        await finish(store, grown, Digest.of(session.id.encode() + b" more"))


async def test_a_running_hash_of_bytes_that_were_replaced_elsewhere_is_not_used(
    store: DiskStore, root: Path
) -> None:
    other = DiskStore(root).open()
    begun = await append(store, await store.uploads.begin(), b"first ")
    await append(store, begun, b"forgotten ")  # its new offset was never saved: the database did not answer
    grown = await append(
        other, begun, b"forgotten?"
    )  # so the client sent it again, and another process took it
    grown = await append(store, grown, b"last")
    with pytest.raises(DigestInvalid):
        await finish(store, grown, Digest.of(b"first forgotten last"))
    other.close()


@pytest.mark.parametrize(("chunk", "count"), [(65_536, 200), (100, 20_000)])
async def test_memory_does_not_grow_with_the_upload(store: DiskStore, chunk: int, count: int) -> None:
    async def long_body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(chunk)

    session = await store.uploads.begin()
    tracemalloc.start()
    try:
        await store.uploads.append(session, long_body())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


# ---------------------------------------------------------------- other processes


def run(code: str, root: Path, *arguments: str, plan: str = "") -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, optionally with a planned crash."""
    plan_file = root.parent / "plan"
    if plan:
        plan_file.write_text(plan)
    env = {**os.environ, "PYTHONPATH": SOURCES, "FAIRWAY_CRASHPOINT_FILE": str(plan_file)}
    command = [sys.executable, "-c", code, str(root), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


PUSH = """
import asyncio, sys
from pathlib import Path
from fairway.core.oci.digest import Digest
from fairway.core.stores.disk import DiskStore

async def body():
    yield b"crash me " * 100_000

async def main():
    store = DiskStore(Path(sys.argv[1])).open()
    session = await store.uploads.begin()
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, body())
        print(session.id, session.offset, session.state, sep="|", flush=True)
        await store.uploads.finish(session, Digest.of(b"crash me " * 100_000))
    print("acknowledged")

asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["after_write", "after_fsync"])
async def test_a_crash_before_the_rename_leaves_an_upload_that_can_be_finished(
    root: Path, point: str
) -> None:
    crashed = run(PUSH, root, plan=f"upload.{point}:1")
    assert crashed.returncode == -9, crashed.stderr
    assert not blobs(root)

    session_id, offset, state = crashed.stdout.strip().split("|")
    store = DiskStore(root).open()
    stored = await finish(store, Session(session_id, int(offset), state), Digest.of(b"crash me " * 100_000))
    assert blobs(root) == [root / stored.key]
    store.close()


@pytest.mark.parametrize("point", ["after_rename", "after_dirsync"])
async def test_a_crash_after_the_rename_leaves_a_whole_blob_nobody_knows(root: Path, point: str) -> None:
    crashed = run(PUSH, root, plan=f"upload.{point}:1")
    assert crashed.returncode == -9
    assert "acknowledged" not in crashed.stdout

    store = DiskStore(root).open()
    [orphan] = [found async for found in store.objects()]
    assert Digest.of((root / orphan.key).read_bytes()) == Digest.of(b"crash me " * 100_000)
    assert not list((root / "uploads").iterdir())
    await store.remove(orphan.key)
    assert not blobs(root)
    store.close()


async def test_the_same_push_after_the_restart_goes_through(root: Path) -> None:
    for point in ("after_write", "after_fsync", "after_rename", "after_dirsync"):
        assert run(PUSH, root, plan=f"upload.{point}:1").returncode == -9
    assert "acknowledged" in run(PUSH, root).stdout


KILLED_WHILE_WRITING = """
import asyncio, os, signal, sys
from pathlib import Path
from fairway.core.stores.disk import DiskStore

async def first():
    yield b"x" * 1_000_000

async def second():
    for _ in range(50):
        yield b"y" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = DiskStore(Path(sys.argv[1])).open()
    session = await store.uploads.begin()
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, first())
        print(session.id, session.offset, session.state, sep="|", flush=True)
        await store.uploads.append(session, second())

asyncio.run(main())
"""


async def test_a_process_killed_while_writing_holds_nothing_and_its_bytes_are_cut_off(root: Path) -> None:
    killed = run(KILLED_WHILE_WRITING, root)
    assert killed.returncode == -9
    session_id, offset, state = killed.stdout.strip().split("|")
    session = Session(session_id, int(offset), state)
    assert (root / "uploads" / session_id).stat().st_size > session.offset

    store = DiskStore(root).open()
    session = await append(store, session, b"z")
    await finish(store, session, Digest.of(b"x" * 1_000_000 + b"z"))
    store.close()


HOLD = """
import asyncio, sys
from pathlib import Path
from fairway.core.stores.disk import DiskStore

async def main():
    store = DiskStore(Path(sys.argv[1])).open()
    async with store.uploads.hold(sys.argv[2]):
        print("held", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@contextmanager
def held_by_another_process(root: Path, session: Session) -> Iterator[None]:
    command = [sys.executable, "-c", HOLD, str(root), session.id]
    env = {**os.environ, "PYTHONPATH": SOURCES}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


async def test_only_one_process_at_a_time_writes_to_an_upload(store: DiskStore, root: Path) -> None:
    session = await store.uploads.begin()
    with held_by_another_process(root, session):
        with pytest.raises(BlobUploadInvalid):
            await append(store, session, b"x")
        assert await store.uploads.expire(older_than=0) == 0
    assert (await append(store, session, b"x")).offset == 1


# ---------------------------------------------------------------- disks that fail


FILL = """
import asyncio, sys
from pathlib import Path
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import StorageFull
from fairway.core.stores.disk import DiskStore

async def body(size):
    for _ in range(size // 65536):
        yield b"x" * 65536

async def push(store, size):
    session = await store.uploads.begin()
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, body(size))
        return await store.uploads.finish(session, Digest.of(b"x" * size))

async def main():
    store = DiskStore(Path(sys.argv[1]) / "storage").open()
    kept = await push(store, 2**20)
    session = await store.uploads.begin()
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, body(2**20))
        try:
            await store.uploads.append(session, body(2**24))
        except StorageFull:
            print("full")
    assert len(b"".join([c async for c in store.blob(kept.key, kept.size).read(0, kept.size)])) == 2**20
    print("still reading")
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, body(2**20))
        await store.uploads.finish(session, Digest.of(b"x" * 2**21))
    print("room again")

asyncio.run(main())
"""
ON_A_SMALL_DISK = 'mount -t tmpfs -o size=8m,mode=0750 tmpfs "$1" && exec "$2" -c "$3" "$1"'


def test_a_full_disk_refuses_the_chunk_frees_its_room_and_goes_on_reading(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh", str(tmp_path), sys.executable, FILL]
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs privileges")
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["full", "still reading", "room again"], done.stderr


@pytest.mark.parametrize(("code", "error"), [(errno.EIO, Unavailable), (errno.ENOSPC, StorageFull)])
async def test_bytes_that_could_not_be_synced_are_thrown_away(
    store: DiskStore, root: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Unavailable]
) -> None:
    session = await append(store, await store.uploads.begin(), b"x")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing_call(code, at=1, before=os.fsync))
        with pytest.raises(error):
            await finish(store, session, Digest.of(b"x"))
    assert not blobs(root)
    with pytest.raises(BlobUploadUnknown):
        await finish(store, session, Digest.of(b"x"))


async def test_a_name_that_could_not_be_synced_is_taken_back(
    store: DiskStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await append(store, await store.uploads.begin(), b"x")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing_call(errno.EIO, at=2, before=os.fsync))
        with pytest.raises(Unavailable):
            await finish(store, session, Digest.of(b"x"))
    assert not blobs(root)
    assert not list((root / "uploads").iterdir())


async def test_a_chunk_that_could_not_be_written_leaves_the_upload_as_it_was(
    store: DiskStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await append(store, await store.uploads.begin(), b"before ")
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwritev", failing_call(errno.EIO, at=2, before=os.pwritev))
        with pytest.raises(Unavailable):
            await append(store, session, bytes(1_000_000), bytes(1_000_000))
    assert (root / "uploads" / session.id).stat().st_size == session.offset
    session = await append(store, session, b"after")
    await finish(store, session, Digest.of(b"before after"))


async def test_a_short_write_is_continued(
    store: DiskStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, batch, offset: written(fd, [batch[0][:3]], offset))
    session = await append(store, await store.uploads.begin(), b"one two ", b"three")
    stored = await finish(store, session, Digest.of(b"one two three"))
    assert (root / stored.key).read_bytes() == b"one two three"


def failing_call(code: int, *, at: int, before: Callable[..., object]) -> Callable[..., object]:
    """A system call that fails with `code` the `at`-th time."""
    calls = 0

    def call(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(code, os.strerror(code))
        return before(*args)

    return call
