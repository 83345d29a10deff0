"""Purging the audit log of old lines, as a job."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from fairway.features.audit import rules, store
from fairway.frame.db import Database
from fairway.frame.jobs.job import Facts, Job, Task

PURGE_AUDIT_LOG: Final = "PURGE_AUDIT_LOG"
BATCH: Final = 500
"""Lines dropped in one transaction."""


@dataclass(frozen=True, slots=True)
class PurgeArguments:
    """Which lines go: those older than so many hours, of these kinds (lists with commas, as Harbor's)."""

    audit_retention_hour: int
    include_event_types: str = ""
    include_operations: str = ""
    dry_run: bool = False


def purging(db: Database) -> Job[PurgeArguments]:
    """The job.  It answers `purged`, the number of lines; of a dry run, how many there would be."""

    async def purge(task: Task, asked: PurgeArguments) -> Facts:
        which = rules.chosen(asked.include_event_types, asked.include_operations)
        hours = asked.audit_retention_hour
        await task.log(f"purging what is older than {hours} hours{' (dry run)' if asked.dry_run else ''}")
        if asked.dry_run:
            purged = await store.old(db, hours, which)
        else:
            purged = await _purge(task, hours, which)
        await task.log(f"{purged} lines {'would be ' if asked.dry_run else ''}purged")
        return {"purged": purged}

    return Job(PURGE_AUDIT_LOG, PurgeArguments, purge, at_once=1, tries=1, kept=10)


async def _purge(task: Task, hours: int, which: rules.Chosen) -> int:
    purged = 0
    while True:
        some = await task.write(partial(store.purge, hours=hours, which=which, limit=BATCH))
        purged += some
        if some < BATCH:
            return purged
        # How many there are is not counted before: that would take longer than a batch.
        await task.report(purged, 0, "lines purged")
