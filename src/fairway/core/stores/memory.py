"""Blobs in memory: the contract of the two protocols in its shortest form, for tests and trials."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUploadUnknown, DigestInvalid
from fairway.core.stores.protocols import (
    BodyCut,
    Known,
    ObjectDamaged,
    ObjectMissing,
    Session,
    Stored,
    StoredObject,
    UploadBusy,
)

READ = 256 * 1024


class MemoryStore:
    """The `BlobStore` of one process.  `patience`: seconds to wait for a busy upload."""

    def __init__(self, *, patience: float = 5.0) -> None:
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._uploads = MemoryUploads(self._objects, patience)
        self._identity = uuid4().hex

    @property
    def uploads(self) -> "MemoryUploads":
        """See `BlobStore`."""
        return self._uploads

    @property
    def identity(self) -> str:
        """See `BlobStore`."""
        return self._identity

    async def confirm(self) -> None:
        """See `BlobStore`.  It cannot become another one."""

    def blob(self, key: str, size: int) -> "MemoryBlob":
        """See `BlobStore`."""
        return MemoryBlob(size, key, self._objects)

    async def size(self, key: str, *, lately: bool = False) -> int:  # noqa: ARG002 - it never takes long
        """See `BlobStore`."""
        return len(_content(self._objects, key))

    async def remove(self, key: str) -> None:
        """See `BlobStore`."""
        self._objects.pop(key, None)

    async def objects(self) -> AsyncIterator[StoredObject]:
        """See `BlobStore`."""
        for key, (data, modified) in list(self._objects.items()):
            yield StoredObject(key, len(data), modified)

    async def check(self) -> None:
        """See `BlobStore`."""


@dataclass(frozen=True, slots=True)
class MemoryBlob:
    """A key, looked up when it is first read."""

    size: int
    _key: str
    _objects: dict[str, tuple[bytes, float]]
    path: None = None
    content: None = None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blob`."""
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) is not within the blob's {self.size} bytes")
        data = _content(self._objects, self._key)
        if len(data) != self.size:
            raise ObjectDamaged(f"a stored blob has {len(data)} bytes instead of {self.size}; push it again")
        for at in range(start, end, READ):
            yield data[at : min(at + READ, end)]


@dataclass(slots=True)
class _Upload:
    data: bytearray = field(default_factory=bytearray)
    modified: float = field(default_factory=time.time)
    held: asyncio.Lock = field(default_factory=asyncio.Lock)


class MemoryUploads:
    """The `Uploads` of a memory store."""

    def __init__(self, objects: dict[str, tuple[bytes, float]], patience: float) -> None:
        self._objects = objects
        self._patience = patience
        self._uploads: dict[str, _Upload] = {}

    async def begin(self) -> Session:
        """See `Uploads`."""
        session = Session(uuid4().hex)
        self._uploads[session.id] = _Upload()
        return session

    @asynccontextmanager
    async def hold(self, session_id: str, *, wait: bool = True) -> AsyncIterator[None]:
        """See `Uploads`."""
        held = self._found(session_id).held
        if held.locked() and not wait:
            raise UploadBusy
        try:
            await asyncio.wait_for(held.acquire(), self._patience)
        except TimeoutError:
            raise UploadBusy from None
        try:
            self._found(session_id)
            yield
        finally:
            held.release()

    async def idle(self, session: Session) -> float:
        """See `Uploads`."""
        return time.time() - self._enough(session).modified

    async def append(self, session: Session, body: AsyncIterable[bytes]) -> Session:
        """See `Uploads`."""
        upload = self._at(session)
        try:
            async for chunk in body:
                upload.data += chunk
                upload.modified = time.time()
        except Exception as error:
            raise BodyCut(replace(session, offset=len(upload.data))) from error
        return replace(session, offset=len(upload.data))

    async def finish(self, session: Session, digest: Digest) -> Stored:
        """See `Uploads`."""
        data = bytes(self._at(session).data)
        await self.abort(session)
        found = Digest.of(data, digest.algorithm)
        if found != digest:
            raise DigestInvalid(
                f"the uploaded bytes have the digest {found}, not {digest}; upload them again"
            )
        key = f"{digest}-{uuid4().hex}"
        self._objects[key] = (data, time.time())
        return Stored(key, len(data))

    async def abort(self, session: Session) -> None:
        """See `Uploads`."""
        self._uploads.pop(session.id, None)

    async def expire(self, older_than: float, known: Known | None = None) -> int:
        """See `Uploads`."""
        moment = time.time() - older_than
        old = [
            id_
            for id_, upload in self._uploads.items()
            if upload.modified <= moment and not upload.held.locked()
        ]
        expired = 0
        for id_ in old:
            if known is None or not await known(id_):
                expired += self._uploads.pop(id_, None) is not None
        return expired

    def _found(self, session_id: str) -> _Upload:
        if session_id not in self._uploads:
            raise BlobUploadUnknown("the data of this upload is gone; start a new one")
        return self._uploads[session_id]

    def _enough(self, session: Session) -> _Upload:
        upload = self._found(session.id)
        if len(upload.data) < session.offset:
            raise BlobUploadUnknown("the data of this upload is gone; start a new one")
        return upload

    def _at(self, session: Session) -> _Upload:
        upload = self._enough(session)
        del upload.data[session.offset :]
        return upload


def _content(objects: dict[str, tuple[bytes, float]], key: str) -> bytes:
    if key not in objects:
        raise ObjectMissing("the bytes of this blob are missing from the storage; push it again")
    return objects[key][0]
