"""The files through which processes share their numbers, safe on a full disk.

prometheus-client maps sparse files into memory.  Where the disk has no room for a page of such a file, touching it for
the first time is SIGBUS, which kills the process: a counter nobody incremented before would take a web worker down.
So the room is reserved before it is touched, and where there is none, a process counts in memory of its own: its
numbers are then missing from the page until it starts again, and nothing else is.
"""

import errno
import mmap
import os
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict

_SIZE = 256 * 1024
"""Bytes reserved at first: more than all series of a process take."""
_ENTRY = 32
"""Bytes that an entry takes beside its key, at most."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class ReservedDict(MmapedDict):
    """prometheus-client's dict of numbers in a file."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        place = filename if read_mode or _reserved_at(filename) else _in_memory()
        super().__init__(place, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        file: Any = self._f
        if self._used + len(key.encode()) + _ENTRY > self._capacity and not _reserved(
            file.fileno(), 2 * self._capacity
        ):
            self._move_to_memory()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _move_to_memory(self) -> None:
        place = Path(_in_memory())
        place.write_bytes(self._m[:])
        self._f.close()
        self._f = place.open("a+b")
        self._m = mmap.mmap(self._f.fileno(), self._capacity)


def _reserved_at(filename: str) -> bool:
    try:
        with Path(filename).open("ab") as file:
            return _reserved(file.fileno(), _SIZE)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        return False


def _reserved(fd: int, size: int) -> bool:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        # Where a file system cannot reserve room, the file stays sparse.
        return error.errno not in _NO_ROOM
    return True


def _in_memory() -> str:
    """The path of a new file in memory, which lasts as long as this process."""
    return f"/proc/self/fd/{os.memfd_create('fairway-metrics')}"
