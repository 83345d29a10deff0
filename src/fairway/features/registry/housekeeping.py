"""What the background process does again and again: small, repeatable steps, each its own short transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fairway.core.crash import crashpoint
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUploadUnknown, FairwayError, Unavailable
from fairway.core.stores import scrub
from fairway.core.stores.protocols import BlobStore, Session, Stored, UploadBusy
from fairway.features.accounts.store import refresh
from fairway.features.artifacts import charges
from fairway.features.artifacts.store import blobs, uploads
from fairway.features.quotas import store as quotas
from fairway.frame.db import Conn, Database, Row, ledger
from fairway.frame.db.tables.content import CORRUPT
from fairway.frame.log import get_logger
from fairway.frame.metrics import metrics

_log = get_logger(__name__)
_AGAIN_SECONDS = 3600
"""After which an object that could not be removed is tried again."""
_BATCH = 200
"""Rows changed in one transaction: some milliseconds of SQLite's only writer."""
_IN_FLIGHT = 8
"""Objects that are being removed at a time: an object store takes long to answer, and a disk has as many threads."""


async def expire_uploads(db: Database, store: BlobStore, seconds: int) -> int:
    """Drop uploads nobody continued for `seconds`, rows first, then their bytes; how many."""
    dropped = 0
    while found := await uploads.abandoned(db, seconds, _BATCH):
        for session in found:
            dropped += await _expire(db, store, session, seconds)
    # Bytes without a row: a process died between the two steps of starting an upload.
    return dropped + await store.uploads.expire(seconds, partial(uploads.known, db))


async def _expire(db: Database, store: BlobStore, session: Session, seconds: int) -> bool:
    """Drop an upload unless somebody is at it.  A row moves between requests only, and a request may last for days."""
    try:
        async with store.uploads.hold(session.id, wait=False):
            if await store.uploads.idle(session) < seconds:
                raise UploadBusy
            forgotten = await db.write(partial(uploads.forget, id=session.id, seconds=seconds), soft=True)
            if forgotten:
                await store.uploads.abort(session)
    except UploadBusy:
        await db.write(partial(uploads.in_use, id=session.id), soft=True)
        return False
    except BlobUploadUnknown:  # the bytes, or some of them, were lost: the rest is no use to anybody
        await store.confirm()
        forgotten = await db.write(partial(uploads.forget, id=session.id, seconds=seconds), soft=True)
        await store.uploads.abort(session)
    return forgotten


async def empty_trash(db: Database, store: BlobStore) -> int:
    """Remove the bytes whose time in the trash is over; how many objects."""
    removed = 0
    while keys := await ledger.due_trash(db, _BATCH):
        await store.confirm()  # in another store they would seem to be gone already
        crashpoint("gc.before_remove")
        lanes = [_remove(store, keys[lane::_IN_FLIGHT]) for lane in range(min(_IN_FLIGHT, len(keys)))]
        stuck = [key for some in await asyncio.gather(*lanes) for key in some]
        crashpoint("gc.after_remove")
        gone = sorted(set(keys) - set(stuck))
        await db.write(partial(_emptied, gone=gone, stuck=sorted(stuck)), soft=True)
        removed += len(gone)
        if not gone:
            break  # the storage as a whole, perhaps: no line in the log for each of a million objects
    return removed


async def _remove(store: BlobStore, keys: Sequence[str]) -> list[str]:
    """Remove objects one after the other; those that cannot be."""
    stuck = []
    for key in keys:
        try:
            await store.remove(key)
        except FairwayError as error:
            _log.error("an object cannot be removed; it is tried again later", key=key, error=error.message)
            metrics().object_stuck()
            stuck.append(key)
    return stuck


async def _emptied(conn: Conn, gone: Sequence[str], stuck: Sequence[str]) -> None:
    if gone:
        await ledger.emptied(conn, gone)
    for key in stuck:
        await ledger.postpone(conn, key, _AGAIN_SECONDS)


async def fold_quota_deltas(db: Database) -> int:
    """Add appended quota deltas to the projects' use; how many projects."""
    return await db.write(quotas.fold, soft=True)


async def forget_expired(db: Database) -> int:
    """Drop refresh tokens, leases and notes about refusals whose time is over; how many."""
    dropped = 0
    for drop in (refresh.expire, ledger.drop_expired_leases, charges.forget_refusals):
        while some := await db.write(partial(drop, limit=_BATCH), soft=True):
            dropped += some
    return dropped


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How many blobs were looked at, how many of them are damaged, and how many the storage could not read."""

    looked_at: int = 0
    damaged: int = 0
    unreadable: int = 0

    def __add__(self, other: "Scrubbed") -> "Scrubbed":
        return Scrubbed(
            self.looked_at + other.looked_at,
            self.damaged + other.damaged,
            self.unreadable + other.unreadable,
        )


async def scrub_once(db: Database, store: BlobStore, *, limit: int, rate: float | None) -> Scrubbed:
    """Hash the `limit` blobs that were looked at longest ago, at `rate` bytes/s.

    A damaged one is not offered any more, so that the next push of it stores it anew; one that was thought damaged and
    is not (the right volume is back) is offered again.  What the disk cannot read stays as it is.
    Raises Unavailable when the storage as a whole does not answer.
    """
    found = Scrubbed()
    for row in await blobs.unchecked_longest(db, limit):
        found += await _scrub(db, store, row, rate)
    return found


async def _scrub(db: Database, store: BlobStore, row: Row, rate: float | None) -> Scrubbed:
    digest, stored = Digest(row["digest"]), Stored(row["key"], row["size"])
    intact, reason = None, ""
    try:
        intact = await scrub.matches(store, stored.key, stored.size, digest, rate=rate)
    except Unavailable as error:
        reason = error.message
    if not intact:
        await store.confirm()
    looked_at = partial(blobs.checked, digest=digest, key=stored.key, intact=intact)
    if not await db.write(looked_at, soft=intact is not False):
        return Scrubbed(1)  # replaced meanwhile
    if intact is None:
        _log.error("a stored blob cannot be read", digest=digest, key=stored.key, reason=reason)
        return Scrubbed(1, unreadable=1)
    if not intact:
        _log.error("a stored blob is damaged; pushing it again repairs it", digest=digest)
        return Scrubbed(1, damaged=1)
    if row["state"] == CORRUPT:
        _log.warning("a blob that was thought damaged is whole; it is offered again", digest=digest)
    return Scrubbed(1)
