"""What the background process does again and again: small, repeatable steps, each its own short transaction."""

from functools import partial

from fairway.core.oci.digest import Digest
from fairway.core.stores import scrub
from fairway.core.stores.protocols import BlobStore, Stored
from fairway.features.accounts import store as accounts
from fairway.features.artifacts.store import blobs, uploads
from fairway.frame.db import Database, ledger
from fairway.frame.log import get_logger

_log = get_logger(__name__)
_BATCH = 200


async def expire_uploads(db: Database, store: BlobStore, seconds: int) -> int:
    """Drop uploads nobody continued for `seconds`, rows first, then their bytes; how many."""
    dropped = 0
    for session in await uploads.abandoned(db, seconds, _BATCH):
        if await db.write(partial(uploads.forget, id=session.id, seconds=seconds), soft=True):
            await store.uploads.abort(session)
            dropped += 1
    # Bytes without a row: a process died between the two steps of starting an upload.
    return dropped + await store.uploads.expire(seconds)


async def empty_trash(db: Database, store: BlobStore) -> int:
    """Remove the bytes whose time in the trash is over; how many objects."""
    keys = await ledger.due_trash(db, _BATCH)
    for key in keys:
        await store.remove(key)
        await db.write(partial(ledger.emptied, key=key), soft=True)
    return len(keys)


async def fold_quota_deltas(db: Database) -> int:
    """Add appended quota deltas to the projects' use; how many projects."""
    return await db.write(ledger.fold_deltas, soft=True)


async def forget_expired(db: Database) -> int:
    """Drop refresh tokens and leases whose time is over; how many."""
    tokens = await db.write(accounts.expire_refresh_tokens, soft=True)
    return tokens + await db.write(ledger.drop_expired_leases, soft=True)


async def scrub_once(db: Database, store: BlobStore, *, limit: int, rate: float | None) -> tuple[int, int]:
    """Hash the `limit` blobs that were checked longest ago, at `rate` bytes/s; (how many, how many were damaged).

    A damaged one is not offered any more, so that the next push of it stores it anew.
    """
    damaged = 0
    rows = await blobs.unchecked_longest(db, limit)
    for row in rows:
        digest, stored = Digest(row["digest"]), Stored(row["key"], row["size"])
        intact = await scrub.matches(store, stored.key, stored.size, digest, rate=rate)
        if intact:
            await db.write(partial(blobs.checked, digest=digest, key=stored.key), soft=True)
        elif await db.write(partial(blobs.mark_damaged, digest=digest, key=stored.key)):
            damaged += 1
            _log.error("a stored blob is damaged; pushing it again repairs it", digest=digest)
    return len(rows), damaged
