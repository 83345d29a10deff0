"""A blob store on an object store in memory that has S3's limits, to keep the two protocols honest.

`Bucket` is the outside world: no append, no rename, no look into an unfinished multipart upload; parts of at least
5 MiB except the last, at most 10 000 of them, listed 1 000 at a time; a multipart upload needs a part.
`FakeS3` is what a real implementation has to do about it: full parts go up as they arrive, what is left over waits in
an object of its own, and a hash that nobody knows any more is made by reading the finished object back.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from uuid import uuid4

from fairway.core.oci.digest import Digest, Hasher
from fairway.core.oci.errors import BlobUploadUnknown, DigestInvalid, Unavailable
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

MIN_PART = 5 * 1024 * 1024
MAX_PARTS = 10_000
LISTED = 1_000


class BucketError(Exception):
    """What S3 answers when a request is wrong; its error code is the message."""


@dataclass
class Multipart:
    key: str
    parts: dict[int, bytes] = field(default_factory=dict)
    modified: float = field(default_factory=time.time)


class Bucket:
    """Objects and unfinished multipart uploads."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.multiparts: dict[str, Multipart] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.objects[key] = (data, time.time())

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return self._object(key)[start:end]

    async def head(self, key: str) -> int:
        return len(self._object(key))

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    async def list_objects(self, prefix: str) -> AsyncIterator[StoredObject]:
        for key, (data, modified) in sorted(self.objects.items()):
            if key.startswith(prefix):
                yield StoredObject(key, len(data), modified)

    async def create_multipart(self, key: str) -> str:
        multipart_id = uuid4().hex
        self.multiparts[multipart_id] = Multipart(key)
        return multipart_id

    async def upload_part(self, multipart_id: str, number: int, data: bytes) -> None:
        if not 1 <= number <= MAX_PARTS:
            raise BucketError("InvalidArgument")
        multipart = self._multipart(multipart_id)
        multipart.parts[number] = data
        multipart.modified = time.time()

    async def list_parts(self, multipart_id: str, after: int = 0) -> list[int]:
        return [number for number in sorted(self._multipart(multipart_id).parts) if number > after][:LISTED]

    async def complete_multipart(self, multipart_id: str, numbers: list[int]) -> None:
        multipart = self._multipart(multipart_id)
        if not numbers or numbers != sorted(set(numbers)) or not set(numbers) <= multipart.parts.keys():
            raise BucketError("InvalidPart")
        if any(len(multipart.parts[number]) < MIN_PART for number in numbers[:-1]):
            raise BucketError("EntityTooSmall")
        data = b"".join(multipart.parts[number] for number in numbers)
        self.objects[multipart.key] = (data, time.time())
        del self.multiparts[multipart_id]

    async def abort_multipart(self, multipart_id: str) -> None:
        self.multiparts.pop(multipart_id, None)

    def _object(self, key: str) -> bytes:
        if key not in self.objects:
            raise BucketError("NoSuchKey")
        return self.objects[key][0]

    def _multipart(self, multipart_id: str) -> Multipart:
        if multipart_id not in self.multiparts:
            raise BucketError("NoSuchUpload")
        return self.multiparts[multipart_id]


class FakeS3:
    """The `BlobStore` of one bucket."""

    def __init__(self, bucket: Bucket, *, patience: float = 5.0) -> None:
        self.bucket = bucket
        self.uploads = S3Uploads(bucket, patience)
        self.identity = bucket.objects.setdefault("store-id", (uuid4().hex.encode(), time.time()))[0].decode()

    async def confirm(self) -> None:
        try:
            found = await self.bucket.get("store-id")
        except BucketError:
            found = b""
        if found.decode() != self.identity:
            raise Unavailable("the bucket is not the one it was when this process started")

    def blob(self, key: str, size: int) -> "S3Blob":
        return S3Blob(size, key, self.bucket)

    async def size(self, key: str, *, lately: bool = False) -> int:
        try:
            return await self.bucket.head(key)
        except BucketError as error:
            raise ObjectMissing("the bytes of this blob are missing") from error

    async def remove(self, key: str) -> None:
        await self.bucket.delete(key)

    async def objects(self) -> AsyncIterator[StoredObject]:
        async for found in self.bucket.list_objects("blobs/"):
            yield found

    async def check(self) -> None:
        await self.confirm()
        await self.bucket.put("probe", b"probe")
        await self.bucket.get("probe")
        await self.bucket.delete("probe")


@dataclass(frozen=True)
class S3Blob:
    size: int
    key: str
    bucket: Bucket
    path: None = None
    content: None = None

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) is not within the blob's {self.size} bytes")
        try:
            if await self.bucket.head(self.key) != self.size:
                raise ObjectDamaged("the stored blob has another size")
            for at in range(start, end, MIN_PART):
                yield await self.bucket.get(self.key, at, min(at + MIN_PART, end))
        except BucketError as error:
            raise ObjectMissing("the bytes of this blob are missing") from error


@dataclass(frozen=True)
class State:
    """What the session remembers: the upload at S3, how far it got, and the bytes too few for a part."""

    multipart: str
    parts: int = 0
    tail: str = ""
    sha256: str = ""


class S3Uploads:
    """The `Uploads` of one bucket.  A real one takes its lock from the database."""

    def __init__(self, bucket: Bucket, patience: float) -> None:
        self.bucket = bucket
        self.patience = patience
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.live: dict[str, tuple[int, Hasher]] = {}

    async def begin(self) -> Session:
        session = Session(uuid4().hex)
        multipart = await self.bucket.create_multipart(f"blobs/{session.id}")
        return _with(session, State(multipart))

    @asynccontextmanager
    async def hold(self, session_id: str, *, wait: bool = True) -> AsyncIterator[None]:
        if self.locks[session_id].locked() and not wait:
            raise UploadBusy
        try:
            await asyncio.wait_for(self.locks[session_id].acquire(), self.patience)
        except TimeoutError:
            raise UploadBusy from None
        try:
            if f"blobs/{session_id}" not in {each.key for each in self.bucket.multiparts.values()}:
                raise BlobUploadUnknown("the data of this upload is gone")
            yield
        finally:
            self.locks[session_id].release()

    async def idle(self, session: Session) -> float:
        state = _state(session)
        if len(await self._numbers(state)) < state.parts:
            raise _gone()
        await self._tail(state)
        return time.time() - await self._modified(session.id, self.bucket.multiparts[state.multipart])

    async def _modified(self, session_id: str, multipart: Multipart) -> float:
        tails = [each.modified async for each in self.bucket.list_objects(f"tails/{session_id}/")]
        return max([multipart.modified, *tails])

    async def append(self, session: Session, body: AsyncIterable[bytes]) -> Session:
        state = _state(session)
        waiting = bytearray(await self._tail(state))
        hasher, offset = self._hasher(session), session.offset
        broken = None
        try:
            async for chunk in body:
                if hasher:
                    hasher.update(chunk)
                offset += len(chunk)
                waiting += chunk
                while len(waiting) >= MIN_PART:
                    await self._part(state, state.parts + 1, bytes(waiting[:MIN_PART]))
                    state = replace(state, parts=state.parts + 1)
                    del waiting[:MIN_PART]
        except Exception as error:
            broken = error
        # A new name each time: a session whose owner died still finds the tail it knows.
        tail = f"tails/{session.id}/{uuid4().hex}" if waiting else ""
        if waiting:
            await self.bucket.put(tail, bytes(waiting))
        session = _with(
            replace(session, offset=offset),
            replace(state, tail=tail, sha256=str(hasher.digest()) if hasher else ""),
        )
        if hasher:
            self.live[session.id] = (offset, hasher)
        if broken is not None:
            raise BodyCut(session) from broken
        return session

    async def finish(self, session: Session, digest: Digest) -> Stored:
        state = _state(session)
        known = state.sha256 if digest.algorithm == "sha256" else ""
        if session.offset == 0:
            known = Digest.of(b"", digest.algorithm)
        tail = await self._tail(state)
        numbers = [number for number in await self._numbers(state) if number <= state.parts]
        if len(numbers) < state.parts:
            raise _gone()
        if known and known != digest:
            await self.abort(session)
            raise DigestInvalid(f"the uploaded bytes have the digest {known}, not {digest}")
        key = f"blobs/{session.id}"
        if tail or not numbers:
            await self._part(state, state.parts + 1, tail)
            numbers.append(state.parts + 1)
        await self.bucket.complete_multipart(state.multipart, numbers)
        await self.abort(session)
        if not known and (found := await self._read_back(key, digest.algorithm)) != digest:
            await self.bucket.delete(key)
            raise DigestInvalid(f"the uploaded bytes have the digest {found}, not {digest}")
        return Stored(key, await self.bucket.head(key))

    async def abort(self, session: Session) -> None:
        self.live.pop(session.id, None)
        await self.bucket.abort_multipart(_state(session).multipart)
        async for tail in self.bucket.list_objects(f"tails/{session.id}/"):
            await self.bucket.delete(tail.key)

    async def expire(self, older_than: float, known: Known | None = None) -> int:
        moment = time.time() - older_than
        expired = 0
        for multipart_id, multipart in list(self.bucket.multiparts.items()):
            session_id = multipart.key.removeprefix("blobs/")
            modified = await self._modified(session_id, multipart)
            if known is not None and await known(session_id):
                continue
            if modified <= moment and not self.locks[session_id].locked():
                await self.abort(_with(Session(session_id), State(multipart_id)))
                expired += 1
        return expired

    def _hasher(self, session: Session) -> Hasher | None:
        offset, hasher = self.live.pop(session.id, (0, None))
        if session.offset == 0:
            return Hasher("sha256")
        return hasher if offset == session.offset else None

    async def _tail(self, state: State) -> bytes:
        try:
            return await self.bucket.get(state.tail) if state.tail else b""
        except BucketError:
            raise _gone() from None

    async def _part(self, state: State, number: int, data: bytes) -> None:
        try:
            await self.bucket.upload_part(state.multipart, number, data)
        except BucketError:
            raise _gone() from None

    async def _numbers(self, state: State) -> list[int]:
        numbers: list[int] = []
        try:
            while page := await self.bucket.list_parts(state.multipart, numbers[-1] if numbers else 0):
                numbers += page
        except BucketError:
            raise _gone() from None
        return numbers

    async def _read_back(self, key: str, algorithm: str) -> Digest:
        hasher = Hasher(algorithm)
        size = await self.bucket.head(key)
        async for chunk in S3Blob(size, key, self.bucket).read(0, size):
            hasher.update(chunk)
        return hasher.digest()


def _state(session: Session) -> State:
    return State(**json.loads(session.state))


def _with(session: Session, state: State) -> Session:
    return replace(session, state=json.dumps(asdict(state)))


def _gone() -> BlobUploadUnknown:
    return BlobUploadUnknown("the data of this upload is gone; start a new one")
