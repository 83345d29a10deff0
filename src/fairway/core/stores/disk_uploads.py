"""Uploads on a disk: receive into a temporary file, and hash along.

The running hash of an upload lives in this process only and is never serialised (law 12).  What a `Session` carries to
the next request is the *finished* sha256 of everything received so far: a closing request without a body needs no
more.  When a further chunk lands in the process that had the chunk before, hashing goes on; when it lands in another
one, or when sha512 is asked for, the file is read once more at the end.

The sha256 in a session is trusted during the same boot of the same machine only: after `kill -9` the page cache still
has every byte, after a power cut it has not.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

from fairway.core.oci.digest import Digest, Hasher
from fairway.core.oci.errors import BlobUploadUnknown, DigestInvalid, Unavailable
from fairway.core.stores import disk_files as files
from fairway.core.stores.disk_layout import Layout
from fairway.core.stores.disk_room import Room
from fairway.core.stores.protocols import BodyCut, Known, Session, Stored, UploadBusy, UploadLost
from fairway.core.stores.threads import Threads, finished, settled

BATCH = 512 * 1024
"""Bytes gathered for one trip to a thread.  An upload has at most two batches in memory."""
BATCH_CHUNKS = 1024
"""Chunks gathered at most: single bytes must not cost many times their size; also what one pwritev takes (IOV_MAX)."""
REREAD = 8 * BATCH
"""Bytes re-read in one trip to a thread, so that re-reading large files does not keep other work waiting."""
LIVE_HASHERS = 256
BUSY_POLL = 0.02


class DiskUploads:
    """The `Uploads` of a disk store.  `patience`: seconds to wait for another writer."""

    def __init__(
        self,
        layout: Layout,
        room: Room,
        threads: Threads,
        writing: Threads,
        syncing: Threads,
        patience: float,
    ) -> None:
        self._layout = layout
        self._room = room
        self._threads = threads
        self._writing = writing
        self._syncing = syncing
        self._patience = patience
        self._live = _LiveHashers(LIVE_HASHERS)
        self._boot = _boot_id()
        self._lost: set[str] = set()

    async def begin(self) -> Session:
        """See `Uploads`."""
        session = Session(uuid4().hex)
        await self._threads.run(self._create, session.id)
        return session

    def _create(self, session_id: str) -> None:
        self._room.require()
        files.create_upload(self._layout.upload(session_id))

    @asynccontextmanager
    async def hold(self, session_id: str, *, wait: bool = True) -> AsyncIterator[None]:
        """See `Uploads`."""
        if session_id in self._lost:
            raise BlobUploadUnknown("the storage lost bytes of this upload; start a new one")
        lock = files.UploadLock(self._layout.upload(session_id))
        deadline = time.monotonic() + (self._patience if wait else 0)
        try:
            while not await self._threads.run(lock.take):
                if time.monotonic() >= deadline:
                    raise UploadBusy
                await asyncio.sleep(BUSY_POLL)
            yield
        finally:
            lock.give_up()
            self._threads.forget(lock.close)

    async def idle(self, session: Session) -> float:
        """See `Uploads`."""
        path = self._layout.upload(session.id)
        return time.time() - await self._threads.run(files.written_at, path, session.offset)

    async def append(self, session: Session, body: AsyncIterable[bytes]) -> Session:
        """See `Uploads`."""
        hasher = self._live.take(session)
        writer = files.UploadWriter(self._layout.upload(session.id), session.offset)
        received = _Received(body)
        try:
            await self._write(writer, hasher, received)
        except UploadLost:
            self._lost.add(session.id)
            raise
        finally:
            self._threads.forget(writer.close)
        if writer.offset > session.offset:
            state = f"{self._boot} {hasher.digest()}" if hasher else ""
            session = Session(session.id, writer.offset, state)
        if hasher:
            self._live.keep(session, hasher)
        if received.broken is not None:
            raise BodyCut(session) from received.broken
        return session

    async def _write(self, writer: files.UploadWriter, hasher: Hasher | None, received: "_Received") -> None:
        """Take one batch to the threads while the next one arrives."""
        work: list[asyncio.Future[None]] = []
        try:
            async with aclosing(received.batches()) as batches:
                async for batch in batches:
                    await _all_finished(work)
                    work = self._begin(writer, hasher, batch)
            await _all_finished(work)
        finally:
            for each in work:
                await settled(each)

    def _begin(
        self, writer: files.UploadWriter, hasher: Hasher | None, batch: list[bytes]
    ) -> list[asyncio.Future[None]]:
        """Hash and write a batch: side by side when that is worth a second thread."""
        if hasher is None:
            return [self._writing.start(writer.write, batch)]
        if sum(map(len, batch)) < BATCH:
            return [self._writing.start(_hash_and_write, writer, hasher, batch)]
        return [self._threads.start(_hash, hasher, batch), self._writing.start(writer.write, batch)]

    async def finish(self, session: Session, digest: Digest) -> Stored:
        """See `Uploads`."""
        self._live.drop(session.id)
        found = self._known(session, digest.algorithm)
        if found is None:
            found = await self._reread(session, digest.algorithm)
        if found != digest:
            await self.abort(session)
            raise DigestInvalid(
                f"the uploaded bytes have the digest {found}, not {digest}; upload them again"
            )
        try:
            return await self._syncing.run(files.publish, self._layout, session, digest)
        except Unavailable:
            # The kernel tells of lost bytes once: a second sync of the same file might find nothing wrong.  The file
            # is removed where that is possible; on a disk that has turned read-only it is not.
            self._lost.add(session.id)
            raise

    def _known(self, session: Session, algorithm: str) -> Digest | None:
        if session.offset == 0:
            return Digest.of(b"", algorithm)
        boot, _, prefix = session.state.partition(" ")
        return Digest(prefix) if boot == self._boot and algorithm == "sha256" else None

    async def _reread(self, session: Session, algorithm: str) -> Digest:
        hasher = Hasher(algorithm)
        path = self._layout.upload(session.id)
        async with self._threads.opened(files.open_upload, path, session.offset) as fd:
            for start in range(0, session.offset, REREAD):
                end = min(start + REREAD, session.offset)
                await self._threads.run(files.hash_part, fd, start, end, hasher)
        return hasher.digest()

    async def abort(self, session: Session) -> None:
        """See `Uploads`."""
        self._live.drop(session.id)
        await self._threads.run(files.drop_upload, self._layout.upload(session.id))

    async def expire(self, older_than: float, known: Known | None = None) -> int:
        """See `Uploads`."""
        moment = time.time() - older_than
        expired = 0
        for path in await self._threads.run(files.written_before, self._layout.uploads, moment):
            if known is not None and await known(path.name):
                continue
            expired += await self._threads.run(files.expire_upload, path, moment)
        return expired


class _LiveHashers:
    """The running hashes of the uploads last written to in this process, each with the session it belongs to.

    The whole session must match, not only its offset: another process may have written other bytes there, after an
    append of ours whose session was never saved.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hashers: OrderedDict[str, tuple[Session, Hasher]] = OrderedDict()

    def take(self, session: Session) -> Hasher | None:
        """The hash of the first `session.offset` bytes.  No longer kept here: whoever took it may spoil it."""
        kept, hasher = self._hashers.pop(session.id, (None, None))
        if session.offset == 0:
            return Hasher("sha256")
        return hasher if kept == session else None

    def keep(self, session: Session, hasher: Hasher) -> None:
        self._hashers[session.id] = (session, hasher)
        if len(self._hashers) > self._limit:
            self._hashers.popitem(last=False)

    def drop(self, session_id: str) -> None:
        self._hashers.pop(session_id, None)


class _Received:
    """A body in batches worth a trip to a thread.  When it breaks off, what had arrived is still delivered."""

    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._body = body
        self.broken: Exception | None = None

    async def batches(self) -> AsyncGenerator[list[bytes], None]:
        batch: list[bytes] = []
        gathered = 0
        try:
            async for chunk in self._body:
                batch.append(chunk)
                gathered += len(chunk)
                if gathered >= BATCH or len(batch) >= BATCH_CHUNKS:
                    yield batch
                    batch, gathered = [], 0
        except Exception as error:  # noqa: BLE001 - whatever stopped the body goes to the caller, in BodyCut
            self.broken = error
        if gathered:
            yield batch


def _hash(hasher: Hasher, batch: list[bytes]) -> None:
    for chunk in batch:
        hasher.update(chunk)


def _hash_and_write(writer: files.UploadWriter, hasher: Hasher, batch: list[bytes]) -> None:
    _hash(hasher, batch)
    writer.write(batch)


async def _all_finished(work: list[asyncio.Future[None]]) -> None:
    for each in work:
        await finished(each)


def _boot_id() -> str:
    """Names this boot of this machine; where the kernel does not tell, this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return uuid4().hex
