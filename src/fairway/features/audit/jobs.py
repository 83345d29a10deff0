"""Purging the audit log of old lines, as a job."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from fairway.features.audit import rules, store
from fairway.frame.jobs.job import Facts, Job, Task

PURGE_AUDIT_LOG: Final = "PURGE_AUDIT_LOG"
BATCH: Final = 500
"""Lines looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class PurgeArguments:
    """Which lines go: those older than so many hours, of these kinds (lists with commas, as Harbor's)."""

    audit_retention_hour: int
    include_event_types: str = ""
    include_operations: str = ""
    dry_run: bool = False


async def _purge(task: Task, asked: PurgeArguments) -> Facts:
    """Answers `purged`, the number of lines; of a dry run, how many there would be."""
    would_be = "would be " if asked.dry_run else ""
    await task.log(f"lines older than {asked.audit_retention_hour} hours {would_be or 'are '}purged")
    which = rules.chosen(asked.include_event_types, asked.include_operations)
    purged, place = 0, store.START
    while True:
        batch = partial(
            store.purge,
            hours=asked.audit_retention_hour,
            which=which,
            after=place,
            limit=BATCH,
            dry_run=asked.dry_run,
        )
        some, go_on = await task.write(batch)
        purged += some
        if go_on is None:
            break
        place = go_on
        await task.report(purged, 0, "lines purged")  # how many there are, nobody has counted
    await task.log(f"{purged} lines {would_be}purged")
    return {"purged": purged}


PURGING: Final = Job(PURGE_AUDIT_LOG, PurgeArguments, _purge, at_once=1, tries=1, kept=10)
