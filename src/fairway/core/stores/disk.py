"""Blobs on a local disk, or on anything mounted as one.

A blob is one file that is never changed or overwritten.  What the folders look like is in disk_layout.py, how blobs
come to be in disk_uploads.py.  All file work runs in a bounded set of threads.
"""

import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self
from uuid import uuid4

from fairway.core.oci.errors import Unavailable
from fairway.core.stores import disk_identity
from fairway.core.stores.disk_layout import Layout, is_key, prepare, storage_error, storage_failures
from fairway.core.stores.disk_room import Room
from fairway.core.stores.disk_uploads import DiskUploads
from fairway.core.stores.protocols import ObjectDamaged, ObjectMissing, StoredObject
from fairway.core.stores.threads import Threads

READ = 256 * 1024
"""Bytes a reader has in memory."""
LISTED = 1000
"""Objects found in one trip to a thread."""
LATELY = 1.0
"""Seconds for which the size of an object is remembered."""
REMEMBERED = 4096


class DiskStore:
    """The `BlobStore` of one folder; several processes may share it."""

    def __init__(self, root: Path, *, threads: int = 8, patience: float = 5.0, reserve: int = 0) -> None:
        """The store in `root`, to be used once it is open; before that, a process that forks may pass it on.

        `threads`: how many reads and writes, and how many syncs, may run at a time.  `patience`: seconds to wait for a busy upload.
        `reserve`: bytes that must be free for an upload to begin.
        """
        self.root = root
        self._reserve = reserve
        self._patience = patience
        self._threads = Threads(threads, "blobs")
        # A slow disk lets writers wait, and making a huge blob durable can take a minute; neither must stop readers.
        self._writing = Threads(threads, "blobs-write")
        self._syncing = Threads(threads, "blobs-sync")
        self._sizes: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def open(self, known: str | None = None) -> Self:
        """Open it, making it if needed.  Blocks for some milliseconds.

        `known`: the identity it must have; then it is not made where there is none.
        Raises WrongStore, UnsafeFolder, StorageFull or Unavailable.
        """
        if known is not None:
            disk_identity.recognise(self.root, known)
        self._layout = prepare(self.root)
        self._identity = disk_identity.find_or_make(self._layout.root)
        self._room = Room(self._layout.root, self._reserve)
        self._uploads = DiskUploads(
            self._layout, self._room, self._threads, self._writing, self._syncing, self._patience
        )
        return self

    def close(self) -> None:
        """Wait for the file operations under way and stop the threads."""
        for threads in (self._syncing, self._writing, self._threads):
            threads.close()

    @property
    def uploads(self) -> DiskUploads:
        """See `BlobStore`."""
        return self._uploads

    @property
    def identity(self) -> str:
        """See `BlobStore`."""
        return self._identity

    async def confirm(self) -> None:
        """See `BlobStore`."""
        await self._threads.run(disk_identity.confirm, self._layout.root, self._identity)

    def blob(self, key: str, size: int) -> "DiskBlob":
        """See `BlobStore`."""
        return DiskBlob(size, self._layout.object(key), self._threads)

    async def size(self, key: str, *, lately: bool = False) -> int:
        """See `BlobStore`.  A thousand nodes that pull one layer cost a look at its file each second, not each time."""
        if lately:
            size, until = self._sizes.get(key, (0, 0.0))
            if time.monotonic() < until:
                return size
        size = await self._threads.run(_size, self._layout.object(key))
        self._sizes[key] = size, time.monotonic() + LATELY
        if len(self._sizes) > REMEMBERED:
            self._sizes.popitem(last=False)
        return size

    async def remove(self, key: str) -> None:
        """See `BlobStore`."""
        self._sizes.pop(key, None)
        await self._threads.run(_remove, self._layout.object(key))

    async def objects(self) -> AsyncIterator[StoredObject]:
        """See `BlobStore`.  Files that are none of ours are not listed."""
        walk = _walk(self._layout)
        try:
            while found := await self._threads.run(_next, walk):
                for each in found:
                    yield each
        finally:
            walk.close()

    async def check(self) -> None:
        """See `BlobStore`."""
        await self.confirm()
        await self._threads.run(_probe, self._layout.uploads / f"probe-{uuid4().hex}")
        await self._threads.run(self._room.require)


@dataclass(frozen=True, slots=True)
class DiskBlob:
    """A file, opened when it is first read."""

    size: int
    path: Path
    _threads: Threads
    content: None = None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blob`."""
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) is not within the blob's {self.size} bytes")
        async with self._threads.opened(_open, self.path, self.size) as fd:
            while start < end:
                data = await self._threads.run(_read, fd, min(READ, end - start), start)
                yield data
                start += len(data)


def _open(path: Path, size: int) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise _missing() from None
    except OSError as error:
        raise storage_error("open the blob", error) from error
    found = os.fstat(fd).st_size
    if found != size:
        os.close(fd)
        raise ObjectDamaged(f"a stored blob has {found} bytes instead of {size}; push it again")
    return fd


def _read(fd: int, length: int, start: int) -> bytes:
    with storage_failures("read the blob"):
        data = os.pread(fd, length, start)
    if not data:
        raise ObjectDamaged(f"a stored blob ends at byte {start}; push it again")
    return data


def _size(path: Path) -> int:
    try:
        # Opened, not only looked at: a server that sends a file by its path says 404 when it cannot open it.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise _missing() from None
    except OSError as error:
        raise storage_error("look at the blob", error) from error


def _remove(path: Path) -> None:
    with storage_failures("remove the blob"):
        path.unlink(missing_ok=True)


def _walk(layout: Layout) -> Generator[StoredObject, None, None]:
    for shard in layout.shards():
        with os.scandir(shard) as entries:
            for entry in entries:
                key = f"{shard.parent.name}/{shard.name}/{entry.name}"
                with suppress(FileNotFoundError):
                    if is_key(key) and entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield StoredObject(key, found.st_size, found.st_mtime)


def _next(walk: Iterator[StoredObject]) -> list[StoredObject]:
    with storage_failures("list the blobs"):
        return list(islice(walk, LISTED))


def _probe(path: Path) -> None:
    text = path.name.encode()
    with storage_failures("use the storage"):
        try:
            path.write_bytes(text)
            read = path.read_bytes()
        finally:
            path.unlink(missing_ok=True)
    if read != text:
        raise Unavailable("the storage does not give back what was written")


def _missing() -> ObjectMissing:
    return ObjectMissing("the bytes of this blob are missing from the storage; push it again")
