"""What it means to keep blobs: two small protocols, and the values that pass through them.

`BlobStore` keeps finished, immutable bytes under unique keys; `Uploads` grows them.  Both are written so that they
can live on a disk as well as on S3's limits: nothing is renamed or overwritten by a caller, and whatever an upload
must remember between two requests travels in its `Session`, which the caller stores.

A store knows no names, projects or rights: the database decides what exists, and a key nobody remembers is garbage.

Errors shared by all stores: `StorageFull` when there is no room, `Unavailable` when the storage itself fails.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, BlobUploadInvalid, FairwayError, Unavailable


@dataclass(frozen=True, slots=True)
class Session:
    """An upload in progress, as its owner must remember it between requests."""

    id: str
    """uuid4 as 32 hex digits."""
    offset: int = 0
    """Bytes received so far; the next byte goes here."""
    state: str = ""
    """What the `Uploads` that made it wants to see again: opaque text, never interpreted by anyone else."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that is durable: it survives a power cut from now on."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object found in a store, whether or not anybody still knows its key."""

    key: str
    size: int
    modified: float
    """Seconds since the epoch, by the store's own clock."""


class BodyCut(Exception):
    """The body of an upload broke off (the client went away).  The original error is `__cause__`."""

    def __init__(self, session: Session) -> None:
        super().__init__(f"the body ended early; {session.offset} bytes of the upload are kept")
        self.session = session


class UploadBusy(BlobUploadInvalid):
    """Somebody else writes to this upload."""

    def __init__(self) -> None:
        super().__init__("another request is writing to this upload; ask for its offset when that has ended")


class UploadLost(Unavailable):
    """The storage could not keep what it had taken: nothing of this upload can be used any more."""


class ObjectMissing(BlobUnknown):
    """The store has no object under this key."""


class ObjectDamaged(FairwayError):
    """What lies under the key is not what was stored there (wrong size, unreadable end)."""


class WrongStore(FairwayError):
    """The storage is not the one the database belongs to.  Raised at start only, so it may name the folder."""


class Blob(Protocol):
    """A finished blob.  Having one costs nothing and promises nothing: it is opened by the first read."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def path(self) -> Path | None:
        """The whole blob as a local file, when there is one: a server may send it without touching the bytes."""
        ...

    @property
    def content(self) -> bytes | None:
        """The whole blob, when it is in memory."""
        ...

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes [start, end), in pieces of a bounded size.

        Never yields fewer bytes without an error: ObjectMissing, ObjectDamaged, Unavailable; ValueError for a part
        outside the blob.
        Closing the iterator stops the reading and releases the file.
        """
        ...


Known = Callable[[str], Awaitable[bool]]
"""Does anybody still know the upload with this id?"""


class Uploads(Protocol):
    """Uploads in progress.  Memory per upload is constant, whatever its size."""

    async def begin(self) -> Session:
        """A new, empty upload."""
        ...

    def hold(self, session_id: str, *, wait: bool = True) -> AbstractAsyncContextManager[None]:
        """Be the only writer of an upload, across processes, for the length of a `with` block.

        Waits a few seconds for another writer, or not at all, then raises UploadBusy.  BlobUploadUnknown if it is gone.
        """
        ...

    async def idle(self, session: Session) -> float:
        """For how many seconds nobody has written to the upload.  A look at it, no more: nobody needs to hold it.

        BlobUploadUnknown: the data is gone, or shorter than the offset says.
        """
        ...

    async def append(self, session: Session, body: AsyncIterable[bytes]) -> Session:
        """Add `body` at `session.offset`; the answer replaces `session`.  The caller holds the upload.

        Bytes a crashed writer left beyond the offset are cut off first.
        BlobUploadUnknown: the data is gone, or shorter than the offset says (it was lost in a power cut).
        BodyCut: the body raised; what had arrived is kept.  UploadLost: nothing is kept.  StorageFull, Unavailable
        otherwise: the upload is as before.
        """
        ...

    async def finish(self, session: Session, digest: Digest) -> Stored:
        """Turn an upload into a durable blob.  The caller holds it; afterwards it no longer exists.

        DigestInvalid: the bytes are not those of `digest`, and nothing is kept.  BlobUploadUnknown: as `append`.
        StorageFull, Unavailable: the bytes could not be made durable, and nothing is kept.
        """
        ...

    async def abort(self, session: Session) -> None:
        """Drop an upload and its data.  Dropping it again does nothing."""
        ...

    async def expire(self, older_than: float, known: Known | None = None) -> int:
        """Drop uploads not written to for `older_than` seconds that nobody holds; how many there were.

        The clock of this process may be wrong, or another than that of the storage: what is `known` stays.
        """
        ...


class BlobStore(Protocol):
    """Immutable bytes under unique keys."""

    @property
    def uploads(self) -> Uploads:
        """The only way in."""
        ...

    @property
    def identity(self) -> str:
        """Names this store for ever: random text kept in the storage itself, found or made when it was opened."""
        ...

    async def confirm(self) -> None:
        """Raise Unavailable unless the storage still is the one that was opened (T74: a volume may be unmounted).

        Whoever finds bytes missing asks before believing it.
        """
        ...

    def blob(self, key: str, size: int) -> Blob:
        """The blob under `key`, known to have `size` bytes.  Does no I/O."""
        ...

    async def size(self, key: str, *, lately: bool = False) -> int:
        """Bytes under `key`, asked of the storage, now or, with `lately`, within the last second.  Raises ObjectMissing."""
        ...

    async def remove(self, key: str) -> None:
        """Delete the bytes.  Deleting them again does nothing."""
        ...

    def objects(self) -> AsyncIterator[StoredObject]:
        """Everything there is, in no order, found while iterating."""
        ...

    async def check(self) -> None:
        """`confirm`, then write, read and delete a probe.

        Raises StorageFull or StorageReadOnly when it can be read from, else Unavailable.
        """
        ...
