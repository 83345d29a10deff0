"""The worlds a blob store is tried in: the store, other processes on the same data, and what can go wrong outside."""

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from contract.fake_s3 import Bucket, FakeS3
from fairway.core.oci.digest import Digest
from fairway.core.stores.disk import DiskStore
from fairway.core.stores.disk_identity import FILE
from fairway.core.stores.memory import MemoryStore
from fairway.core.stores.protocols import BlobStore, Session, Stored

PATIENCE = 0.2


@dataclass
class World:
    """A store, and what can happen to it from outside."""

    store: BlobStore
    another_process: Callable[[], BlobStore]
    lose_bytes_of: Callable[[Session], Awaitable[None]]
    """What a power cut does to an upload."""
    overwrite: Callable[[str, bytes], Awaitable[None]]
    """What a bad disk does to a blob."""
    be_another_store: Callable[[], Awaitable[None]] | None = None
    """What unmounting a volume does, where the storage can change behind the store's back."""


def memory_world() -> World:
    store = MemoryStore(patience=PATIENCE)

    async def lose(session: Session) -> None:
        store.uploads._uploads[session.id].data.pop()

    async def overwrite(key: str, data: bytes) -> None:
        store._objects[key] = (data, 0.0)

    return World(store, lambda: store, lose, overwrite)


def disk_world(opened: list[DiskStore], root: Path) -> World:
    def another_process() -> BlobStore:
        opened.append(DiskStore(root, threads=4, patience=PATIENCE).open())
        return opened[-1]

    async def lose(session: Session) -> None:
        path = root / "uploads" / session.id
        path.write_bytes(path.read_bytes()[:-1])

    async def overwrite(key: str, data: bytes) -> None:
        (root / key).write_bytes(data)

    async def replace() -> None:
        (root / FILE).unlink()
        DiskStore(root).open().close()

    return World(opened[0], another_process, lose, overwrite, replace)


def s3_world() -> World:
    bucket = Bucket()

    async def lose(session: Session) -> None:
        async for tail in bucket.list_objects(f"tails/{session.id}/"):
            await bucket.delete(tail.key)

    async def replace() -> None:
        bucket.objects.clear()
        FakeS3(bucket)

    return World(
        FakeS3(bucket, patience=PATIENCE),
        lambda: FakeS3(bucket, patience=PATIENCE),
        lose,
        bucket.put,
        replace,
    )


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def broken_body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the client went away")


async def endless_body(chunk: bytes, then: asyncio.Event) -> AsyncIterator[bytes]:
    yield chunk
    then.set()
    await asyncio.Event().wait()


async def append(store: BlobStore, session: Session, chunks: AsyncIterable[bytes]) -> Session:
    async with store.uploads.hold(session.id):
        return await store.uploads.append(session, chunks)


async def finish(store: BlobStore, session: Session, digest: Digest) -> Stored:
    async with store.uploads.hold(session.id):
        return await store.uploads.finish(session, digest)


async def push(store: BlobStore, data: bytes, algorithm: str = "sha256") -> Stored:
    session = await append(store, await store.uploads.begin(), body(data))
    return await finish(store, session, Digest.of(data, algorithm))


async def content(store: BlobStore, stored: Stored) -> bytes:
    return await part(store, stored, 0, stored.size)


async def part(store: BlobStore, stored: Stored, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in store.blob(stored.key, stored.size).read(start, end)])


async def keys(store: BlobStore) -> list[str]:
    return [found.key async for found in store.objects()]


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)
