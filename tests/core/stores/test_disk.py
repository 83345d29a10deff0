"""What the disk store adds to the contract: files one can serve, no leaks, honest answers from a failing disk."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import StorageFull, StorageReadOnly, Unavailable
from fairway.core.stores import disk
from fairway.core.stores.disk import READ, DiskStore
from fairway.core.stores.protocols import ObjectDamaged, ObjectMissing, Stored

DATA = bytes(range(256)) * 4096


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "storage", threads=2).open()
    yield store
    store.close()


async def push(store: DiskStore, data: bytes) -> Stored:
    async def body() -> AsyncIterator[bytes]:
        yield data

    session = await store.uploads.begin()
    async with store.uploads.hold(session.id):
        session = await store.uploads.append(session, body())
        return await store.uploads.finish(session, Digest.of(data))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_blob_is_a_file_that_a_server_may_send(store: DiskStore) -> None:
    stored = await push(store, DATA)
    blob = store.blob(stored.key, stored.size)
    assert blob.path.read_bytes() == DATA
    assert blob.path.stat().st_mode & 0o027 == 0


async def test_having_a_blob_opens_nothing(store: DiskStore) -> None:
    before = open_files()
    blob = store.blob(f"sha256/ab/{'ab' * 32}-{'0' * 32}", 1000)
    reading = blob.read(0, 1000)
    assert open_files() == before
    await reading.aclose()


async def test_a_reader_has_one_piece_in_memory(store: DiskStore) -> None:
    stored = await push(store, DATA)
    sizes = [len(piece) async for piece in store.blob(stored.key, stored.size).read(1, stored.size)]
    assert max(sizes) <= READ
    assert sum(sizes) == stored.size - 1


async def test_no_file_stays_open(store: DiskStore) -> None:
    stored = await push(store, DATA)
    before = open_files()
    for _ in range(20):
        async with aclosing(store.blob(stored.key, stored.size).read(0, stored.size)) as reading:
            async for _piece in reading:
                break
        await push(store, b"x")
    store.close()
    assert open_files() <= before


async def test_no_file_stays_open_when_readers_go_away_while_it_is_opened(store: DiskStore) -> None:
    stored = await push(store, DATA)
    before = open_files()
    for _ in range(50):
        reading = asyncio.ensure_future(anext(store.blob(stored.key, stored.size).read(0, stored.size)))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    store.close()
    assert open_files() <= before


async def test_the_age_of_a_blob_counts_from_its_publication(store: DiskStore, tmp_path: Path) -> None:
    session = await store.uploads.begin()
    os.utime(tmp_path / "storage" / "uploads" / session.id, (0, 0))
    async with store.uploads.hold(session.id):
        await store.uploads.finish(session, Digest.of(b""))
    (found,) = [found async for found in store.objects()]
    assert found.modified > time.time() - 60


async def test_a_blob_that_shrinks_under_a_reader_is_never_padded(store: DiskStore) -> None:
    stored = await push(store, DATA)
    blob = store.blob(stored.key, stored.size)
    reading = blob.read(0, stored.size)
    await anext(reading)
    os.truncate(blob.path, 1000)
    with pytest.raises(ObjectDamaged):
        await anext(reading)


async def test_a_disk_that_cannot_read_is_not_the_end_of_a_blob(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await push(store, DATA)
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    with pytest.raises(Unavailable):
        await anext(store.blob(stored.key, stored.size).read(0, stored.size))


async def test_files_that_are_not_ours_are_not_listed(store: DiskStore, tmp_path: Path) -> None:
    stored = await push(store, DATA)
    (tmp_path / "storage" / "sha256" / "ab" / "README").write_text("not a blob")
    (tmp_path / "storage" / "lost+found").mkdir()
    assert [found.key async for found in store.objects()] == [stored.key]


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EROFS, StorageReadOnly)],
)
async def test_readiness_tells_a_full_disk_from_a_broken_one(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Unavailable]
) -> None:
    monkeypatch.setattr(Path, "write_bytes", failing(code))
    with pytest.raises(Unavailable) as raised:
        await store.check()
    assert type(raised.value) is error


async def test_what_clients_hear_names_no_path(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", failing(errno.EIO))
    with pytest.raises(Unavailable) as raised:
        await store.check()
    assert "/" not in raised.value.message.replace("Input/output", "")


def failing(code: int) -> Callable[..., None]:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code), "/some/path")

    return fail


async def test_the_size_of_an_object_is_remembered_for_a_moment_if_that_will_do(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await store.uploads.begin()
    stored = await store.uploads.finish(session, Digest.of(b""))
    assert await store.size(stored.key, lately=True) == 0
    (store._layout.root / stored.key).unlink()
    assert await store.size(stored.key, lately=True) == 0
    with pytest.raises(ObjectMissing):
        await store.size(stored.key)
    monkeypatch.setattr(disk, "LATELY", 0.0)
    another = await store.uploads.finish(await store.uploads.begin(), Digest.of(b""))
    assert await store.size(another.key, lately=True) == 0
    await store.remove(another.key)
    with pytest.raises(ObjectMissing):
        await store.size(another.key, lately=True)
