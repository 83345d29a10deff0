"""Whether the bytes under a key are still what they were: the question a scrubbing job asks about every blob."""

import asyncio

from fairway.core.oci.digest import Digest, Hasher
from fairway.core.stores.protocols import BlobStore, ObjectDamaged, ObjectMissing


async def matches(
    store: BlobStore, key: str, size: int, digest: Digest, *, rate: float | None = None
) -> bool:
    """Read a blob again and compare; False when it is missing, has another size or other bytes.

    `rate`: bytes per second to stay below, so that pulls do not feel it.  Hashes off the event loop.
    Unavailable is passed on: a storage that does not answer says nothing about the blob.
    """
    loop = asyncio.get_running_loop()
    hasher = Hasher(digest.algorithm)
    started = loop.time()
    done = 0
    try:
        async for chunk in store.blob(key, size).read(0, size):
            await asyncio.to_thread(hasher.update, chunk)
            done += len(chunk)
            if rate is not None:
                await asyncio.sleep(started + done / rate - loop.time())
    except (ObjectMissing, ObjectDamaged):
        return False
    return hasher.digest() == digest
