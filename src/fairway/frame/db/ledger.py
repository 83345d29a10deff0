"""What every change to content must write beside itself, in the same transaction.

- the link of a digest to a project, which is what its quota counts (once per project and digest);
- the quota, last of all: one conditional UPDATE, or one appended delta where there is no limit;
- a lease, so that a positive answer stays true for a while;
- a row in the collector's review queue, pushed forward each time, so that candidates come from what changed;
- the trash, which takes keys whose bytes may go once nobody can still be reading them.

Callers write in this order: rows, lease, review, `charge`.  Quota rows are thus locked for the shortest time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, cast, delete, func, insert, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import QuotaExceeded
from fairway.frame.db.database import Conn, Row
from fairway.frame.db.tables import gc_reviews, leases, project_blobs, quota_deltas, quotas, trash
from fairway.frame.db.types import SECOND, now_us, within

EVERYWHERE = 0
"""The project id of a review that asks whether any project still links a blob."""

UNLIMITED = -1

_link = upsert(project_blobs).values(
    project_id=bindparam("project"),
    digest=bindparam("digest"),
    size=bindparam("size"),
    blob_id=bindparam("blob"),
    created_at=now_us(),
)
_LINK = _link.on_conflict_do_nothing(index_elements=["project_id", "digest"])

# The digest was charged as a manifest before; now it can be read as a blob too.
_LINK_AS_BLOB = (
    update(project_blobs)
    .where(
        project_blobs.c.project_id == bindparam("project"),
        project_blobs.c.digest == bindparam("digest"),
        project_blobs.c.blob_id.is_(None),
    )
    .values(blob_id=bindparam("blob"))
)


_KEEP_LINK = (
    select(project_blobs.c.digest)
    .where(project_blobs.c.project_id == bindparam("project"), project_blobs.c.digest == bindparam("digest"))
    .with_for_update(read=True, key_share=True)
)
_LOCK_LINK = _KEEP_LINK.with_for_update()


async def link(conn: Conn, project: int, digest: Digest, size: int, blob: int | None) -> int:
    """Link a digest to a project; the bytes to charge: `size`, or 0 when it was linked already.

    `blob` is the blob's row, or None for a manifest.  Either way the link stays until the transaction ends.
    """
    while not await conn.run(_LINK, project=project, digest=digest, size=size, blob=blob):
        if await keep_link(conn, project, digest):
            if blob is not None:
                await conn.run(_LINK_AS_BLOB, project=project, digest=digest, blob=blob)
            return 0
        # It was released between the two statements: make it anew.
    return size


async def keep_link(conn: Conn, project: int, digest: Digest) -> bool:
    """Is the digest linked to the project?  If so nobody releases it until the transaction ends."""
    return await conn.first(_KEEP_LINK, project=project, digest=digest) is not None


async def lock_link(conn: Conn, project: int, digest: Digest) -> bool:
    """The same for whoever may release it: waits for all who keep it, and makes those who come later wait."""
    return await conn.first(_LOCK_LINK, project=project, digest=digest) is not None


_UNLINK = (
    delete(project_blobs)
    .where(project_blobs.c.project_id == bindparam("project"), project_blobs.c.digest == bindparam("digest"))
    .returning(project_blobs.c.size)
)


async def unlink(conn: Conn, project: int, digest: Digest) -> int:
    """Remove the link; the bytes to release, 0 when there was none."""
    size: int | None = await conn.scalar(_UNLINK, project=project, digest=digest)
    return size or 0


SCARCE_PERCENT = 85
"""Of a limit; who uses as much should be told before there is no room at all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Bytes that a project uses, and those it may (UNLIMITED: any)."""

    used: int
    hard: int

    @property
    def scarce(self) -> bool:
        """Little room is left, or none."""
        return self.hard > 0 and self.used * 100 >= self.hard * SCARCE_PERCENT

    def now_scarce(self, before: "Standing") -> bool:
        """It was not `before`.  A change that finds out about both under the lock of the quota's row is the only one."""
        return self.scarce and not before.scarce


class NoRoom(QuotaExceeded):
    """A project's limit, as it stands, does not allow `requested` bytes more."""

    def __init__(self, standing: Standing, requested: int) -> None:
        super().__init__(
            f"adding {requested} bytes will exceed the configured upper limit of {standing.hard} bytes; "
            "delete what is not needed, or ask an administrator to raise the project's quota"
        )
        self.standing = standing
        self.requested = requested


_HARD = select(quotas.c.hard).where(quotas.c.project_id == bindparam("project"))
_STANDING = select(quotas.c.used, quotas.c.hard).where(quotas.c.project_id == bindparam("project"))
_APPEND = insert(quota_deltas).values(project_id=bindparam("project"), delta=bindparam("delta"))
_CHARGE = (
    update(quotas)
    .where(
        quotas.c.project_id == bindparam("project"),
        (quotas.c.hard < 0)
        | (bindparam("delta", type_=BigInteger) <= 0)
        | (quotas.c.used + bindparam("delta", type_=BigInteger) <= quotas.c.hard),
    )
    .values(used=quotas.c.used + bindparam("delta", type_=BigInteger))
    .returning(quotas.c.used, quotas.c.hard)
)


async def charge(conn: Conn, project: int, delta: int) -> Standing | None:
    """Add `delta` bytes (negative: release) to a project's use; the last statement before COMMIT.

    Answers how the project stands if its room became scarce by this, and nothing else before it: that is to be recorded.
    Raises NoRoom when the project has a limit and this would pass it.
    """
    if not delta:
        return None
    hard = await conn.scalar(_HARD, project=project)
    if hard is None:
        return None  # the project was deleted: nobody counts for it any more
    if hard == UNLIMITED:
        await conn.run(_APPEND, project=project, delta=delta)
        return None
    row = await conn.first(_CHARGE, project=project, delta=delta)
    if row is not None:
        return _turned_scarce(row, delta)
    row = await conn.first(_STANDING, project=project)
    if row is None:
        return None  # deleted just now, while this waited
    raise NoRoom(Standing(row["used"], row["hard"]), delta)


def _turned_scarce(after: Row, delta: int) -> Standing | None:
    standing = Standing(after["used"], after["hard"])
    before = Standing(standing.used - delta, standing.hard)
    return standing if standing.now_scarce(before) else None


FOLDED = 10_000
"""Deltas that one transaction folds at most."""

_SUM = (
    select(quota_deltas.c.project_id, func.max(quota_deltas.c.id).label("last"))
    .where(
        quota_deltas.c.id < select(func.coalesce(func.min(quota_deltas.c.id), 0)).scalar_subquery() + FOLDED
    )
    .group_by(quota_deltas.c.project_id)
    .order_by(quota_deltas.c.project_id)
)
_TAKE = (
    delete(quota_deltas)
    .where(quota_deltas.c.project_id == bindparam("project"), quota_deltas.c.id <= bindparam("last"))
    .returning(quota_deltas.c.delta)
)
_FOLD = (
    update(quotas)
    .where(quotas.c.project_id == bindparam("project"))
    .values(used=quotas.c.used + bindparam("delta", type_=BigInteger))
    .returning(quotas.c.used, quotas.c.hard)
)


async def fold_deltas(conn: Conn) -> dict[int, Standing | None]:
    """Add the appended deltas to each project's use: to those of the projects that had any.

    A project that was given a limit while pushes without one were on their way can become scarce of room by it: how it
    stands then, as `charge` answers it.
    """
    folded: dict[int, Standing | None] = {}
    for row in await conn.all(_SUM):
        project = row["project_id"]
        taken = await conn.all(_TAKE, project=project, last=row["last"])
        delta = sum(r["delta"] for r in taken)
        after = await conn.first(_FOLD, project=project, delta=delta)
        folded[project] = None if after is None else _turned_scarce(after, delta)
    return folded


_USED = select(
    (
        quotas.c.used
        + func.coalesce(
            cast(
                select(func.sum(quota_deltas.c.delta))
                .where(quota_deltas.c.project_id == bindparam("project"))
                .scalar_subquery(),
                BigInteger,
            ),
            0,
        )
    ).label("used")
).where(quotas.c.project_id == bindparam("project"))


async def used(conn: Conn, project: int) -> int:
    """Bytes charged to a project, deltas included."""
    return int(await conn.scalar(_USED, project=project) or 0)


_lease = upsert(leases).values(
    project_id=bindparam("project"),
    digest=bindparam("digest"),
    until_at=now_us() + bindparam("micros", type_=BigInteger),
)
_LEASE = _lease.on_conflict_do_update(
    index_elements=["project_id", "digest"],
    set_={"until_at": _lease.excluded.until_at},
    where=leases.c.until_at < _lease.excluded.until_at,
)


async def lease(conn: Conn, project: int, digest: Digest, seconds: int) -> None:
    """Promise that a digest stays in a project for `seconds` from now, whatever the collector finds."""
    await conn.run(_LEASE, project=project, digest=digest, micros=seconds * SECOND)


_review = upsert(gc_reviews).values(
    project_id=bindparam("project"),
    digest=bindparam("digest"),
    reason=bindparam("reason"),
    review_at=now_us() + bindparam("micros", type_=BigInteger),
)
_REVIEW = _review.on_conflict_do_update(
    index_elements=["project_id", "digest"],
    set_={
        "review_at": _review.excluded.review_at,
        "reason": _review.excluded.reason,
        "tries": 0,
        "waits_for": null(),
    },
)


async def review(conn: Conn, project: int, digest: Digest, reason: str, grace_seconds: int) -> None:
    """Ask the collector to look at a digest, not before `grace_seconds` from now; a later change pushes it on."""
    await conn.run(_REVIEW, project=project, digest=digest, reason=reason, micros=grace_seconds * SECOND)


async def review_all(
    conn: Conn, project: int, digests: Sequence[Digest], reason: str, grace_seconds: int
) -> None:
    """The same for many digests, which must be in order."""
    micros = grace_seconds * SECOND
    await conn.many(
        _REVIEW,
        [{"project": project, "digest": digest, "reason": reason, "micros": micros} for digest in digests],
    )


_OVER = (
    select(leases.c.project_id, leases.c.digest)
    .where(leases.c.until_at < now_us())
    .order_by(leases.c.until_at)
    .limit(bindparam("limit"))
)
_DROP_LEASE = delete(leases).where(
    leases.c.project_id == bindparam("project"),
    leases.c.digest == bindparam("digest"),
    leases.c.until_at < now_us(),  # it may have been renewed just now
)


async def drop_expired_leases(conn: Conn, limit: int) -> int:
    """Delete promises that are over, at most `limit` so that other writers have their turn; how many were found.

    Found by one index and deleted by another: neither engine's planner walks both in one statement.
    """
    over = sorted((row["project_id"], row["digest"]) for row in await conn.all(_OVER, limit=limit))
    await conn.many(_DROP_LEASE, [{"project": project, "digest": digest} for project, digest in over])
    return len(over)


_DISCARD = (
    upsert(trash)
    .values(
        key=bindparam("key"),
        size=bindparam("size"),
        not_before=now_us() + bindparam("micros", type_=BigInteger),
    )
    .on_conflict_do_nothing(index_elements=["key"])
)


async def discard(conn: Conn, key: str, size: int, after_seconds: int) -> None:
    """Queue an object for removal; a reader that found its key just now still has `after_seconds` to open it."""
    await conn.run(_DISCARD, key=key, size=size, micros=after_seconds * SECOND)


_DUE = (
    select(trash.c.key)
    .where(trash.c.not_before <= now_us())
    .order_by(trash.c.not_before)
    .limit(bindparam("limit"))
)
# In order, for another process may be emptying it, too.
_gone = (
    select(trash.c.key).where(within(trash.c.key, bindparam("keys"))).order_by(trash.c.key).with_for_update()
)
_EMPTIED = delete(trash).where(trash.c.key.in_(_gone.scalar_subquery()))


_POSTPONE = (
    update(trash)
    .where(trash.c.key == bindparam("kept"))
    .values(not_before=now_us() + bindparam("micros", type_=BigInteger))
)


async def postpone(conn: Conn, key: str, seconds: int) -> None:
    """Try to remove an object again later: it must not keep those behind it waiting."""
    await conn.run(_POSTPONE, kept=key, micros=seconds * SECOND)


async def due_trash(conn: Conn, limit: int) -> list[str]:
    """Keys whose bytes may be removed now.  Nobody reserves them: removing twice does no harm."""
    return [row["key"] for row in await conn.all(_DUE, limit=limit)]


async def emptied(conn: Conn, keys: Sequence[str]) -> None:
    """The bytes under these keys are gone."""
    await conn.run(_EMPTIED, keys=json.dumps(list(keys)))
