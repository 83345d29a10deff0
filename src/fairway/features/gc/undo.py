"""Having a deleted manifest back, with its links and those of its tags that are still free."""

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Repository, Tag
from fairway.features.artifacts import charges
from fairway.features.artifacts.changing import Place
from fairway.features.artifacts.model import Periods
from fairway.features.artifacts.store import blobs, deleted, history, manifests, shown
from fairway.features.artifacts.store import tags as tag_rows
from fairway.features.gc.model import Deleted, NothingToUndo, Restored, UndoRefused
from fairway.frame.db import Conn, Database, ReferenceViolation, Row, ledger


async def undo(
    db: Database, project: int, repo: Repository, digest: Digest, periods: Periods, *, by: str
) -> Restored:
    """Put back what was deleted last under this name and digest; the project is charged for it again.

    `by` is told in the event.  Raises NothingToUndo (there is none, or its time is over), UndoRefused (it is there again,
    or something it needs is gone) and QuotaExceeded.
    """

    place = Place(project, by, periods)

    async def body(conn: Conn) -> Restored:
        row = await deleted.newest(conn, project, repo.rest, digest)
        if row is None:
            if await manifests.manifest_info(conn, project, repo.rest, digest) is not None:
                raise UndoRefused(f"{repo} has the manifest {digest}; nothing is to be undone")
            raise NothingToUndo(
                f"{repo} has no deleted manifest {digest} that can be had back: its time is over, or it never was there"
            )
        kept = await place.ensure(conn, repo)
        repository = kept.id
        links = await deleted.links(conn, row["id"])
        children = {Digest(link["digest"]) for link in links if link["kind"] == "child"}
        held = await shown.hold(conn, repository, children) if children else {}
        await _require(conn, project, repo, links, held.keys())
        artifact = await deleted.put_back(conn, row["id"], repository)
        if artifact is None:
            raise UndoRefused(f"{repo} has the manifest {digest}; it was pushed again")
        wanted = sorted(json.loads(row["tags"]))
        free = [tag for tag in wanted if await tag_rows.add_tag(conn, repository, Tag(tag), artifact)]
        back: dict[str, tuple[str | None, str | None]] = dict.fromkeys(free, (None, digest))
        await history.note(conn, repository, back, how=history.UNDO, actor=by)
        charge = await ledger.link(conn, project, digest, row["size"], None)
        await ledger.lease(conn, project, digest, periods.lease)
        await ledger.review(conn, project, digest, "deletion undone", periods.grace)
        await deleted.forget(conn, project, repo.rest, digest)
        await shown.refresh(conn, repository, {digest, *children})
        await place.record(conn, repo, "artifact.restored", {"digest": digest, "tags": free, **kept.facts})
        await charges.charge(conn, place, repo, charge, digest, free)
        return Restored(tuple(free), tuple(tag for tag in wanted if tag not in free))

    try:
        return await db.write(body)
    except ReferenceViolation as error:
        raise NothingToUndo(f"the project of {repo} was deleted") from error
    except charges.Refused as error:
        charges.tell(db, error)
        raise


async def _require(
    conn: Conn, project: int, repo: Repository, links: Sequence[Row], held: AbstractSet[Digest]
) -> None:
    """All that the manifest needs is here and stays until the transaction ends; `held`: manifests that do.

    Raises UndoRefused.
    """

    def named(*kinds: str) -> list[Digest]:
        return sorted({Digest(link["digest"]) for link in links if link["kind"] in kinds})

    needed, children = named("config", "layer"), named("child")
    present = await blobs.present_blobs(conn, project, needed) if needed else set()
    missing = [each for each in [*needed, *children] if each not in present | held]
    if missing and await deleted.newest(conn, project, repo.rest, missing[0]) is not None:
        raise UndoRefused(
            f"{missing[0]}, which the manifest needs, was deleted too; have it back first: "
            f"fairway gc undo {repo}@{missing[0]}"
        )
    if missing:
        raise UndoRefused(f"{missing[0]}, which the manifest needs, is gone; push it and the manifest again")


async def undoable(conn: Conn, project: int, *, offset: int, limit: int) -> tuple[list[Deleted], int]:
    """A page of what can be had back in a project, the last one deleted first, and how many there are."""
    rows, total = await deleted.page(conn, project, offset, limit)
    return [_deleted(row) for row in rows], total


def _deleted(row: Row) -> Deleted:
    return Deleted(
        id=row["id"],
        project=row["project_id"],
        repository=row["repository"],
        digest=row["digest"],
        media_type=row["media_type"],
        size=row["size"],
        tags=tuple(json.loads(row["tags"])),
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
        until_at=row["until_at"],
    )
