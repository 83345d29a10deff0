"""What tests of the collector share: running it, making time pass, and what must be true of a database afterwards."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update

from fairway.features.artifacts.names import Periods
from fairway.features.gc.collect import collect
from fairway.features.gc.model import Collected, Options, Progress, Switches
from fairway.frame.db import Database, ledger
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    gc_items,
    gc_reviews,
    leases,
    project_blobs,
    projects,
)
from stories.world import World

POINTS = {
    "gc.selected",
    "gc.project_locked",
    "gc.project_decided",
    "gc.blob_locked",
    "gc.after_commit",
    "gc.before_remove",
    "gc.after_remove",
}
"""Every crash point of the collector, and of those who empty the trash."""

ON = Switches(enabled=True, read_only=False)


async def silent(progress: Progress) -> None:
    """Nobody listens."""


async def run(world: World, run: int = 1, **options: Any) -> Collected:
    """One run of the collector."""
    return await collect(
        world.db,
        world.parts.store,
        Periods(3600, 7200, 3600, 0),
        Options(run, **options),
        silent,
        switches=ON,
    )


async def let_time_pass(db: Database) -> None:
    """All leases and graces are over."""
    await db.write(lambda conn: conn.run(leases.delete()))
    await db.write(lambda conn: conn.run(update(gc_reviews).values(review_at=1)))


async def digests(db: Database, table: Any) -> set[str]:
    return {row["digest"] for row in await db.all(select(table.c.digest))}


async def noted(db: Database, run: int) -> set[tuple[Any, ...]]:
    """What a run has noted: what, project, repository, digest, size."""
    rows = await db.all(select(gc_items).where(gc_items.c.run == run))
    names = ("what", "project_id", "repository_id", "digest", "size")
    return {tuple(row[name] for name in names) for row in rows}


async def broken(db: Database) -> Sequence[str]:
    """What is wrong with a database, whoever has written to it."""
    found = []
    links = {(r["project_id"], r["digest"]): r for r in await db.all(select(project_blobs))}
    rows = {r["id"]: r for r in await db.all(select(artifacts))}
    present = {(r["repository_id"], r["digest"]) for r in rows.values()}
    for link in await db.all(select(artifact_links)):
        artifact = rows[link["artifact_id"]]
        if link["kind"] in {"config", "layer"}:
            held = links.get((artifact["project_id"], link["digest"]))
            if held is None or held["blob_id"] is None:
                found.append(f"{link['kind']} {link['digest']} of {artifact['digest']} is gone")
        if link["kind"] == "child" and (artifact["repository_id"], link["digest"]) not in present:
            found.append(f"child {link['digest']} of {artifact['digest']} is gone")
    found += [
        f"the manifest {artifact['digest']} is not linked"
        for artifact in rows.values()
        if (artifact["project_id"], artifact["digest"]) not in links
    ]
    for project in await db.all(select(projects.c.id)):
        charged = sum(r["size"] for (of, _), r in links.items() if of == project["id"])
        used = await ledger.used(db, project["id"])
        if charged != used:
            found.append(f"project {project['id']} uses {charged} bytes and is charged {used}")
    return found


async def count(db: Database, table: Any) -> int:
    return int(await db.scalar(select(func.count()).select_from(table)))


async def waiting(db: Database) -> dict[tuple[int, str], str | None]:
    """The review queue: project and digest, and what each waits for."""
    rows = await db.all(select(gc_reviews))
    return {(row["project_id"], row["digest"]): row["waits_for"] for row in rows}
