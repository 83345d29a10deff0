"""Whether a disk has room for one more upload.

Some room is kept back: uploads under way can end, and where the database shares the disk it can go on writing, among
other things what an operator deletes to make room.
"""

import os
import time
from pathlib import Path

from fairway.core.oci.errors import StorageFull
from fairway.core.stores.disk_layout import storage_failures

FILES_KEPT = 1000
"""Files that must still fit; some filesystems run out of them before they run out of bytes."""
_FRESH_SECONDS = 1.0
_RETRY_AFTER = 60


class Room:
    """The free room of the filesystem `folder` is on, looked at once a second at most.  `reserve`: bytes; 0: no care."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._looked = -_FRESH_SECONDS
        self._enough = True

    def require(self) -> None:
        """Raise StorageFull when less than the reserve is free.  Blocks as a look at a folder does."""
        if self._reserve and time.monotonic() - self._looked >= _FRESH_SECONDS:
            self._enough = self._look()
            self._looked = time.monotonic()
        if not self._enough:
            raise StorageFull(
                "the storage is nearly full and takes no new uploads; delete what is not needed or give it more room",
                retry_after=_RETRY_AFTER,
            )

    def _look(self) -> bool:
        with storage_failures("look at the storage"):
            found = os.statvfs(self._folder)
        # A filesystem that makes its inodes as it needs them says that it has none at all.
        enough_files = not found.f_files or found.f_favail >= FILES_KEPT
        return enough_files and found.f_bavail * found.f_frsize >= self._reserve
