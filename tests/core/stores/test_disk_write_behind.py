"""Large uploads are written out while they arrive, and do not fill the page cache."""

import ctypes
import errno
import mmap
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUploadUnknown, Unavailable
from fairway.core.stores import disk_write_behind
from fairway.core.stores.disk import DiskStore
from fairway.core.stores.disk_write_behind import KEPT, WINDOW, WriteBehind
from fairway.core.stores.protocols import UploadLost

MB = 2**20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    made = DiskStore(tmp_path / "blobs").open()
    yield made
    made.close()


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> list[int]:
    """The kernel answers with this error; what it was asked for."""
    asked = []

    def sync_file_range(_fd: int, start: int, _length: int, _flags: int) -> int:
        asked.append(start)
        ctypes.set_errno(code)
        return -1

    monkeypatch.setattr(disk_write_behind, "_sync_file_range", sync_file_range)
    return asked


def cached(path: Path) -> list[bool]:
    """For each page of a file, whether it is in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        pages = (ctypes.c_ubyte * (len(mapped) // mmap.PAGESIZE))()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(mapped)), pages) == 0
        return [bool(page & 1) for page in pages]


async def pieces(size: int) -> AsyncIterator[bytes]:
    for number in range(size // MB):
        yield number.to_bytes(4) * (MB // 4)


def test_what_lies_beyond_the_first_part_leaves_the_page_cache(tmp_path: Path) -> None:
    path = tmp_path / "file"
    size = KEPT + 4 * WINDOW
    with path.open("wb", buffering=0) as file:
        behind = WriteBehind(file.fileno(), 0)
        for number in range(size // MB):
            file.write(bytes([number]) * MB)
            behind.reached((number + 1) * MB)
        os.fsync(file.fileno())
    kept, window = KEPT // mmap.PAGESIZE, WINDOW // mmap.PAGESIZE
    here = cached(path)
    if not any(here[kept:]):
        pytest.skip("this filesystem keeps nothing in the page cache")
    assert sum(here[kept : kept + 2 * window]) < window  # the last ones were just written
    assert path.read_bytes() == b"".join(bytes([number]) * MB for number in range(size // MB))


async def test_an_upload_of_many_windows_keeps_its_bytes(store: DiskStore) -> None:
    size = KEPT + 3 * WINDOW
    whole = b"".join([piece async for piece in pieces(size)])
    session = await store.uploads.begin()
    session = await store.uploads.append(session, pieces(size))
    stored = await store.uploads.finish(session, Digest.of(whole))
    read = b"".join([piece async for piece in store.blob(stored.key, stored.size).read(0, size)])
    assert read == whole


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_an_upload_that_lost_bytes_on_the_way_to_the_disk_is_gone(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    session = await store.uploads.begin()
    failing(monkeypatch, code)
    with pytest.raises(UploadLost):
        await store.uploads.append(session, pieces(2 * WINDOW))
    with pytest.raises(BlobUploadUnknown):
        await store.uploads.append(session, pieces(MB))


async def test_a_filesystem_without_the_call_is_asked_once(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = failing(monkeypatch, errno.ENOSYS)
    session = await store.uploads.begin()
    session = await store.uploads.append(session, pieces(3 * WINDOW))
    assert (session.offset, asked) == (3 * WINDOW, [0])


async def test_an_upload_whose_sync_failed_stays_lost_when_its_file_cannot_be_removed(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await store.uploads.begin()
    session = await store.uploads.append(session, pieces(MB))
    digest = Digest.of(b"".join([piece async for piece in pieces(MB)]))

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "injected")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        broken.setattr(Path, "unlink", fails)
        with pytest.raises(Unavailable):
            await store.uploads.finish(session, digest)
    with pytest.raises(BlobUploadUnknown):
        async with store.uploads.hold(session.id):
            pass
