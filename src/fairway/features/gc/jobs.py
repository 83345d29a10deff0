"""Garbage collection as a job, and the search for orphans as another."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from fairway.core.stores.protocols import BlobStore
from fairway.features.artifacts.model import Periods
from fairway.features.gc import rules
from fairway.features.gc.collect import collect
from fairway.features.gc.measures import measures
from fairway.features.gc.model import (
    GARBAGE_COLLECTION,
    ORPHAN_SEARCH,
    Collected,
    CollectionOff,
    Options,
    Progress,
    Reconciled,
    Switches,
)
from fairway.features.gc.reconcile import reconcile
from fairway.features.gc.store import items
from fairway.frame.db import Database
from fairway.frame.jobs import records
from fairway.frame.jobs.job import Facts, GiveUp, Job, Task

MOST_WORKERS: Final = 5
ITEMISED: Final = 10
"""Runs, the last ones, of which every item is kept: a million of them are some hundred megabytes."""
_FORGOTTEN: Final = 1000
"""Items forgotten in one transaction."""


@dataclass(frozen=True, slots=True)
class GcArguments:
    """What one run is asked to do.  `workers` and `delete_tag` are Harbor's; `now` is not offered by its API."""

    delete_untagged: bool = False
    dry_run: bool = False
    workers: int = 1
    delete_tag: bool = False
    now: bool = False


def collection(db: Database, store: BlobStore, periods: Periods, switches: Switches) -> Job[GcArguments]:
    """The job: one run at a time.  Unlike Harbor's it is done again when its process dies: it goes on where it was."""

    async def run(task: Task, asked: GcArguments) -> Facts:
        options = Options(
            run=task.execution,
            delete_untagged=asked.delete_untagged,
            dry_run=asked.dry_run,
            workers=min(asked.workers, MOST_WORKERS),
            now=asked.now,
        )
        walk, counted = 0, Collected()

        def count(done: Collected) -> None:
            nonlocal counted
            if not asked.dry_run:
                measures().collected(done - counted)
                counted = done

        async def report(progress: Progress) -> None:
            nonlocal walk
            count(progress.collected)
            if progress.turn > walk:
                walk = progress.turn
                await task.log(f"walk {walk}: {_told(progress.collected, asked.dry_run)} so far")
            done = progress.collected
            await task.report(done.settled + done.kept, 0, _told(done, asked.dry_run))

        await _forget_swept(task, db)
        await task.log(
            f"{'dry run' if asked.dry_run else 'run'}; untagged manifests are {'' if asked.delete_untagged else 'not '}deleted"
        )
        try:
            collected = await collect(db, store, periods, options, report, task.write, switches=switches)
        except CollectionOff as error:
            raise GiveUp(error.message) from None  # it stays off however often it is tried
        count(collected)
        await task.log(f"done: {_told(collected, asked.dry_run)}")
        return _facts(collected)

    return Job(GARBAGE_COLLECTION, GcArguments, run, at_once=1, tries=3, kept=50)


@dataclass(frozen=True, slots=True)
class OrphanArguments:
    """`delete`: put what nobody names into the trash."""

    delete: bool = False


def orphan_search(
    db: Database, store: BlobStore, trash_seconds: int, switches: Switches
) -> Job[OrphanArguments]:
    """The job: its log names what was found, as far as a log goes."""

    async def run(task: Task, asked: OrphanArguments) -> Facts:
        if asked.delete:
            try:
                rules.require_allowed(switches)
            except CollectionOff as error:
                raise GiveUp(error.message) from None

        async def report(found: Reconciled) -> None:
            await task.report(found.objects, 0, told_orphans(found))

        found = await reconcile(
            db, store, delete=asked.delete, report=report, trash_seconds=trash_seconds, write=task.write
        )
        lines = [
            *(f"nobody's  {key}" for key in found.orphan_keys),
            *(f"missing   {digest}" for digest in found.missing_digests),
            f"done: {told_orphans(found)}",
        ]
        await task.log("\n".join(lines))
        return {
            "objects": found.objects,
            "orphans": found.orphans,
            "bytes": found.freed,
            "missing": found.missing,
        }

    return Job(ORPHAN_SEARCH, OrphanArguments, run, at_once=1, kept=10)


def told_orphans(found: Reconciled) -> str:
    """In a line."""
    return (
        f"{found.objects:,} objects; nobody's: {found.orphans:,} ({told_size(found.freed)}); "
        f"missing: {found.missing:,}"
    )


async def _forget_swept(task: Task, db: Database) -> None:
    """Drop what all but the last runs have written down; the history keeps their counts."""
    kept, _ = await records.listed(db, kind=GARBAGE_COLLECTION, offset=ITEMISED - 1, limit=1)
    if kept:
        while await task.write(
            partial(items.forget_older, db, first=kept[0].id, limit=_FORGOTTEN), soft=True
        ):
            pass


def _told(collected: Collected, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    text = (
        f"{collected.blobs:,} blobs ({told_size(collected.freed)}), {collected.manifests:,} manifests and "
        f"{collected.links:,} links {would}let go, {collected.kept:,} kept"
    )
    left = [
        f"{number:,} {what}"
        for number, what in ((collected.skipped, "in use"), (collected.failed, "failed"))
        if number
    ]
    return ", ".join([text, *left])


def told_size(size: int) -> str:
    """Such as 1.5 GiB."""
    number = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def _facts(collected: Collected) -> Facts:
    """With Harbor's names where it has them."""
    return {
        "freed_space": collected.freed,
        "purged_blobs": collected.blobs,
        "purged_manifests": collected.manifests,
        "released_links": collected.links,
        "kept": collected.kept,
        "skipped": collected.skipped,
        "failed": collected.failed,
    }
