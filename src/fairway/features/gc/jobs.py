"""Garbage collection as a job: what it is told, and how it may be run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fairway.frame.jobs.job import Facts, Job, Task

GARBAGE_COLLECTION: Final = "GARBAGE_COLLECTION"


@dataclass(frozen=True, slots=True)
class GcArguments:
    """What one run is asked to do.  `workers` and `delete_tag` are Harbor's; `now` is not offered by its API."""

    delete_untagged: bool = False
    dry_run: bool = False
    workers: int = 1
    delete_tag: bool = False
    now: bool = False


def collection(run: Callable[[Task, GcArguments], Awaitable[Facts | None]]) -> Job[GcArguments]:
    """The job that does `run`: one at a time, and not tried again, as Harbor's."""
    return Job(GARBAGE_COLLECTION, GcArguments, run, at_once=1, tries=1, kept=50)
