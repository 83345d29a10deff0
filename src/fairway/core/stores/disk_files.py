"""The blocking steps on the file of one upload: lock, write, hash, publish, drop.

Everything here is called in a thread.  Write order (law 2): write → hash → fsync(file) → rename → fsync(folder).  The
caller makes the name known afterwards, so a crash in between leaves a file nobody knows, never a name without bytes.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from fairway.core.crash import crashpoint
from fairway.core.oci.digest import Digest, Hasher
from fairway.core.oci.errors import BlobUploadUnknown, Unavailable
from fairway.core.stores.disk_layout import Layout, new_key, storage_error, storage_failures, sync_folder
from fairway.core.stores.disk_write_behind import WriteBehind
from fairway.core.stores.protocols import Session, Stored, UploadLost

_FILE_MODE = 0o640
_READ = 512 * 1024


class UploadLock:
    """The right to write to an upload: an flock on its file, which the kernel takes back from a dead process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> bool:
        """Try once.  BlobUploadUnknown if the upload is gone, or was finished by the holder before."""
        try:
            if self._fd < 0:
                # Writable, as NFS wants it of whoever locks for writing.
                self._fd = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path.lstat()
            return True
        except BlockingIOError:
            return False
        except FileNotFoundError:
            raise _gone() from None
        except OSError as error:
            raise storage_error("lock the upload", error) from error

    def modified(self) -> float:
        """When the upload was last written to, in seconds since the epoch."""
        return os.fstat(self._fd).st_mtime

    def give_up(self) -> None:
        """Let the next one in.  Does not block."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the file; slow when it was the last handle on a big one."""
        if self._fd >= 0:
            os.close(self._fd)


class UploadWriter:
    """Writes one body behind the bytes that are there.  Used by one thread at a time."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._start = offset
        self._fd = -1
        self._write_behind: WriteBehind | None = None
        self.offset = offset

    def write(self, batch: list[bytes]) -> None:
        """Write a batch.  On failure the file is left as long as it was before the body.

        An error of bytes written earlier, which come to light now, takes the file with it: what it lost is unknown.
        """
        if self._write_behind is None:
            self._fd = open_upload(self._path, self._start)
            self._write_behind = WriteBehind(self._fd, self._start)
        try:
            with storage_failures("store the upload"):
                self.offset += _write_all(self._fd, batch, self.offset)
                crashpoint("upload.during_append")
        except Unavailable:
            with suppress(OSError):
                os.ftruncate(self._fd, self._start)
            raise
        try:
            self._write_behind.reached(self.offset)
        except OSError as error:
            with suppress(Unavailable):
                drop_upload(self._path)
            raise UploadLost(storage_error("store the upload", error).message) from error

    def close(self) -> None:
        """Release the file.  What the kernel could not write out is reported by the fsync that publishes it."""
        if self._fd >= 0:
            os.close(self._fd)


def create_upload(path: Path) -> None:
    """Make the empty file of a new upload."""
    with storage_failures("begin an upload"):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE))


def open_upload(path: Path, offset: int) -> int:
    """Open an upload for reading and writing, cut to `offset` bytes.

    What is longer was left by a writer that died.  What is shorter was lost in a power cut: BlobUploadUnknown.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise _gone() from None
    except OSError as error:
        raise storage_error("open the upload", error) from error
    try:
        with storage_failures("open the upload"):
            size = os.fstat(fd).st_size
            if size < offset:
                raise _gone()
            if size > offset:
                os.ftruncate(fd, offset)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _write_all(fd: int, batch: list[bytes], offset: int) -> int:
    size = sum(map(len, batch))
    done = os.pwritev(fd, batch, offset)
    while done < size:  # a disk that is nearly full takes a part before it refuses the rest
        done += os.pwrite(fd, b"".join(batch)[done:], offset + done)
    return size


def hash_part(fd: int, start: int, end: int, hasher: Hasher) -> None:
    """Feed the bytes [start, end) of an upload to `hasher`."""
    with storage_failures("read the upload back"):
        while start < end:
            data = os.pread(fd, min(_READ, end - start), start)
            if not data:
                raise _gone()
            hasher.update(data)
            start += len(data)


def publish(layout: Layout, session: Session, digest: Digest) -> Stored:
    """Make an upload a durable blob.  If that fails nothing is left: after a failed fsync no byte can be trusted."""
    path = layout.upload(session.id)
    key = new_key(digest)
    target = layout.object(key)
    fd = open_upload(path, session.offset)
    try:
        with storage_failures("make the blob durable"):
            crashpoint("upload.after_write")
            os.utime(fd)  # its age counts from now: the last byte may have come long before
            os.fsync(fd)
            crashpoint("upload.after_fsync")
            path.rename(target)
            crashpoint("upload.after_rename")
            sync_folder(target.parent)
            crashpoint("upload.after_dirsync")
    except Unavailable:
        for left in (path, target):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return Stored(key, session.offset)


def written_at(path: Path, offset: int) -> float:
    """When an upload of at least `offset` bytes was last written to, in seconds since the epoch."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise _gone() from None
    except OSError as error:
        raise storage_error("look at the upload", error) from error
    if found.st_size < offset:
        raise _gone()
    return found.st_mtime


def drop_upload(path: Path) -> None:
    """Remove an upload, if it is there."""
    with storage_failures("drop the upload"):
        path.unlink(missing_ok=True)


def written_before(folder: Path, moment: float) -> list[Path]:
    """The files in `folder` that nobody has written to since `moment`, in seconds since the epoch."""
    found = []
    with storage_failures("list the uploads"), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if (
                    entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime <= moment
                ):
                    found.append(Path(entry.path))
    return found


def expire_upload(path: Path, moment: float) -> bool:
    """Remove an upload unless somebody holds it or has written to it since `moment`."""
    lock = UploadLock(path)
    try:
        if not lock.take() or lock.modified() > moment:
            return False
        drop_upload(path)
    except BlobUploadUnknown:
        return False
    finally:
        lock.close()
    return True


def _gone() -> BlobUploadUnknown:
    return BlobUploadUnknown("the data of this upload is gone; start a new one")
