"""What the storage has and the database does not know, and the other way round.

Nothing is deleted because a listing does not show it: rows without an object are told, no more.  Objects that nobody names
are told too, or put into the trash, from where they go like everything else.  A push has its bytes before its row, so
that only what has lain there for a day counts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from fairway.core.oci.digest import Digest
from fairway.core.stores.protocols import BlobStore, ObjectMissing, StoredObject
from fairway.features.gc.collect import Write
from fairway.features.gc.model import Reconciled
from fairway.features.gc.store import objects
from fairway.frame.db import Conn, Database, ledger

BATCH = 200
OLD_SECONDS = 86_400
"""How old an object must be, by the storage's own clock, before it is believed to be nobody's."""
TOLD = 1000
"""Keys and digests that are listed at most; all are counted."""

Report = Callable[[Reconciled], Awaitable[None]]


async def reconcile(
    db: Database,
    store: BlobStore,
    *,
    delete: bool,
    report: Report,
    trash_seconds: int = 3600,
    write: Write | None = None,
) -> Reconciled:
    """Compare the storage with the database; `delete`: put what nobody names into the trash, by `write`.

    Raises Unavailable when the storage is not the one that was opened, or does not answer.
    """
    await store.confirm()
    newest = await _now_of(store)
    found = Reconciled()
    async for batch in _batched(store.objects()):
        old = [each for each in batch if each.modified < newest - OLD_SECONDS]
        named = await objects.named(db, [each.key for each in old])
        nobodys = [each for each in old if each.key not in named]
        if nobodys and delete:
            await store.confirm()
            nobodys = await (write or db.write)(
                partial(_discard, nobodys=nobodys, trash_seconds=trash_seconds)
            )
        found = _with_orphans(found, len(batch), nobodys)
        await report(found)
    after = 0
    while rows := await objects.page(db, after, BATCH):
        after = rows[-1]["id"]
        for row in rows:
            if await _is_missing(db, store, Digest(row["digest"]), row["key"]):
                found = _with_missing(found, row["digest"])
        await report(found)
    return found


async def _now_of(store: BlobStore) -> float:
    """The storage's time, or earlier: when its last object was written.  Another clock proves nothing about age."""
    newest = 0.0
    async for each in store.objects():
        newest = max(newest, each.modified)
    return newest


async def _batched(found: AsyncIterator[StoredObject]) -> AsyncIterator[list[StoredObject]]:
    batch: list[StoredObject] = []
    async for each in found:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _discard(conn: Conn, nobodys: Sequence[StoredObject], trash_seconds: int) -> list[StoredObject]:
    """Put into the trash what still is nobody's."""
    named = await objects.named(conn, [each.key for each in nobodys])
    left = sorted((each for each in nobodys if each.key not in named), key=lambda each: each.key)
    for each in left:
        await ledger.discard(conn, each.key, each.size, trash_seconds)
    return left


async def _is_missing(db: Database, store: BlobStore, digest: Digest, key: str) -> bool:
    try:
        await store.size(key)
    except ObjectMissing:
        await store.confirm()
        return await objects.key_of(db, digest) == key  # it may have been replaced or collected meanwhile
    return False


def _with_orphans(found: Reconciled, looked_at: int, nobodys: Sequence[StoredObject]) -> Reconciled:
    return replace(
        found,
        objects=found.objects + looked_at,
        orphans=found.orphans + len(nobodys),
        freed=found.freed + sum(each.size for each in nobodys),
        orphan_keys=(*found.orphan_keys, *(each.key for each in nobodys))[:TOLD],
    )


def _with_missing(found: Reconciled, digest: str) -> Reconciled:
    return replace(found, missing=found.missing + 1, missing_digests=(*found.missing_digests, digest)[:TOLD])
