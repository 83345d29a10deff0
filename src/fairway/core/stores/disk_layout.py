"""The folders of a disk store: how they are named, made and checked.

    <root>/uploads/<session id>             an upload in progress; the file is also its lock
    <root>/sha256/00 … ff/<hex>-<uuid>      finished blobs, each under a key that is used once
    <root>/sha512/00 … ff/<hex>-<uuid>

Everything lies on one filesystem, because only there a rename is one step.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from fairway.core.oci.digest import ALGORITHMS, Digest
from fairway.core.oci.errors import BlobUploadUnknown, FairwayError, StorageFull, StorageReadOnly, Unavailable
from fairway.core.stores.protocols import ObjectMissing

_KEY = re.compile(r"(?:sha256|sha512)/[0-9a-f]{2}/[0-9a-f]{64,128}-[0-9a-f]{32}", re.ASCII)
_SESSION_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_FOLDER_MODE = 0o750


class UnsafeFolder(FairwayError):
    """The storage must not be opened like this (T74).  Raised at start only, so it may name the folder."""


class Layout:
    """The paths under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uploads = root / "uploads"
        self.algorithms = [root / algorithm for algorithm in ALGORITHMS]

    def upload(self, session_id: str) -> Path:
        """The file of an upload.  BlobUploadUnknown for a text that cannot be the id of one."""
        if not _SESSION_ID.fullmatch(session_id):
            raise BlobUploadUnknown("no such upload; start a new one")
        return self.uploads / session_id

    def object(self, key: str) -> Path:
        """The file of a blob.  ObjectMissing for a text that cannot be a key."""
        if not is_key(key):
            raise ObjectMissing("this store never made such a key")
        return self.root / key

    def shards(self) -> Iterator[Path]:
        """The folders that hold blobs."""
        for folder in self.algorithms:
            for number in range(256):
                yield folder / f"{number:02x}"


def is_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def new_key(digest: Digest) -> str:
    """A key for these bytes that was never used and never will be again."""
    return f"{digest.algorithm}/{digest.hex[:2]}/{digest.hex}-{uuid4().hex}"


def prepare(root: Path) -> Layout:
    """Make what is missing under `root`, durably, and check what is there.

    Raises UnsafeFolder, with what to do, when a folder belongs to somebody else, is open to others or lies on another
    filesystem; StorageFull or Unavailable when folders cannot be made.
    """
    with storage_failures("open the storage folder"):
        missing = [folder for folder in (root, *root.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        layout = Layout(root.resolve())
        device = layout.root.stat().st_dev
        for folder in [layout.root, layout.uploads, *layout.algorithms, *layout.shards()]:
            with suppress(FileExistsError):
                folder.mkdir(mode=_FOLDER_MODE)
            _refuse_unsafe(folder, device)
        for folder in [*layout.algorithms, layout.root, *(folder.parent for folder in missing)]:
            sync_folder(folder)
    return layout


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def storage_error(doing: str, error: OSError) -> Unavailable:
    """What the operating system says, as an error of ours.

    No room is StorageFull, a read-only mount StorageReadOnly.  The rest (I/O error, too many open files) is
    Unavailable: it is the storage that failed, not the request, and a later attempt may succeed.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"could not {doing}: no space is left; retry when there is some")
    if error.errno == errno.EROFS:
        return StorageReadOnly(f"could not {doing}: the storage is read-only at present; pulls go on")
    return Unavailable(f"could not {doing}: {error.strerror or 'the storage failed'}")


@contextmanager
def storage_failures(doing: str) -> Iterator[None]:
    """Raise what the operating system says within the block as an error of ours."""
    try:
        yield
    except OSError as error:
        raise storage_error(doing, error) from error


def _refuse_unsafe(folder: Path, device: int) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolder(f"{folder} is not a folder; move it away")
    if found.st_uid != os.geteuid():
        raise UnsafeFolder(f"{folder} belongs to user {found.st_uid}; run as that user, or chown it")
    if found.st_mode & 0o007 or (found.st_mode & 0o020 and not _group_was_given(found)):
        raise UnsafeFolder(f"{folder} is open to other users; run: chmod 0750 {folder}")
    if found.st_dev != device:
        raise UnsafeFolder(f"{folder} lies on another filesystem than the rest of the storage; unmount it")


def _group_was_given(found: os.stat_result) -> bool:
    """Kubernetes gives a volume to a pod through a group (fsGroup): it makes every folder setgid and group-writable."""
    return bool(found.st_mode & stat.S_ISGID) and found.st_gid in {os.getegid(), *os.getgroups()}
