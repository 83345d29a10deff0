"""Writing a growing file out while it grows, instead of all of it at the end.

Without this a gigabyte piles up in the page cache and the fsync of the last byte waits for all of it, while every other
user of the disk waits too.  What lies beyond the first `KEPT` bytes is also dropped from the page cache once it is on
the disk: one model of 10 GB must not push the layers that everybody pulls out of memory, nor fill the memory limit of
a container with dirty pages.

This makes nothing durable, see sync_file_range(2): that is the business of the fsync before a blob gets its name.
"""

import ctypes
import errno
import os

WINDOW = 8 * 2**20
"""Bytes that are written out at a time."""
KEPT = 64 * 2**20
"""Bytes at the start of a file that stay in the page cache: a common layer is pulled soon after its push."""

_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4
_ABSENT = {errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EOPNOTSUPP}
"""What a kernel or filesystem answers that does not know the call; the fsync at the end does its work, too."""

_libc = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


class WriteBehind:
    """For one open file that is written from `offset` on, in order.  Used by one thread at a time."""

    def __init__(self, fd: int, offset: int) -> None:
        self._fd = fd
        self._begun = offset
        self._done = offset
        self._works = _sync_file_range is not None

    def reached(self, offset: int) -> None:
        """The file has been written up to `offset`.

        May wait for the disk.  Raises OSError when it could not take bytes written earlier: the kernel says so once,
        and no later fsync of this file can be trusted to say it again.
        """
        while self._works and offset - self._begun >= WINDOW:
            self._sync(self._begun, WINDOW, _WRITE)
            self._begun += WINDOW
            behind = self._begun - WINDOW - self._done
            if behind > 0:
                self._drop(self._done, behind)
                self._done += behind

    def _drop(self, start: int, length: int) -> None:
        self._sync(start, length, _WAIT_BEFORE | _WRITE | _WAIT_AFTER)
        unwanted = max(start, KEPT)
        if start + length > unwanted:
            os.posix_fadvise(self._fd, unwanted, start + length - unwanted, os.POSIX_FADV_DONTNEED)

    def _sync(self, start: int, length: int, flags: int) -> None:
        assert _sync_file_range is not None
        if self._works and _sync_file_range(self._fd, start, length, flags):
            error = ctypes.get_errno()
            if error not in _ABSENT:
                raise OSError(error, os.strerror(error))
            self._works = False
