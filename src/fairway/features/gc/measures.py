"""What Prometheus may know of the collector.

Counters are each process's own, and added up.  What waits is read from the database by whoever works, every minute; the
last one to have looked is believed.  A look costs the same whatever waits: nothing is counted beyond `MOST`.
"""

import functools
from typing import Final

from prometheus_client import Counter, Gauge

from fairway.features.gc.model import GARBAGE_COLLECTION, Collected
from fairway.features.gc.store.standing import waiting
from fairway.frame.db import SECOND, Conn, Database
from fairway.frame.jobs import records
from fairway.frame.jobs.job import SUCCESS
from fairway.frame.metrics import metrics

MOST: Final = 20_000
"""Rows counted at most: some milliseconds, once a minute."""
_LOOKED_AT: Final = 50
"""Runs among which the last one that removed something is looked for: as many as are kept."""


class Measures:
    """This process's numbers about the collector.  One instance per process: `measures()`."""

    def __init__(self) -> None:
        registry = metrics().registry

        def counted(name: str, about: str) -> Counter:
            return Counter(name, about, registry=registry)

        def last_said(name: str, about: str) -> Gauge:
            return Gauge(name, about, multiprocess_mode="mostrecent", registry=registry)

        self._bytes = counted("fairway_gc_freed_bytes", "Bytes of blobs that runs have let go of.")
        self._blobs = counted("fairway_gc_freed_blobs", "Blobs that runs have let go of.")
        self._manifests = counted(
            "fairway_gc_deleted_manifests", "Untagged manifests that runs have deleted."
        )
        self._links = counted("fairway_gc_released_links", "Digests that runs have let projects let go of.")
        self._failed = counted("fairway_gc_failed_reviews", "Reviews that failed, and are tried again later.")
        self._due = last_said(
            "fairway_gc_reviews_due", f"Digests that the next run looks at; {MOST} means as many or more."
        )
        self._oldest = last_said(
            "fairway_gc_oldest_due_seconds", "Seconds that the oldest of them has been due."
        )
        self._objects = last_said(
            "fairway_gc_trash_objects",
            f"Objects whose bytes are to be removed; {MOST} means as many or more.",
        )
        self._trash = last_said("fairway_gc_trash_bytes", f"Bytes of {MOST} of these objects at most.")
        self._late = last_said(
            "fairway_gc_trash_oldest_due_seconds",
            "Seconds that the oldest of these has been due for removal.",
        )
        self._success = last_said(
            "fairway_gc_last_success_timestamp_seconds",
            "When the last run ended well that was no dry run; 0 when none is remembered.",
        )

    def collected(self, more: Collected) -> None:
        """A run, which is no dry run, did so much more."""
        self._bytes.inc(more.freed)
        self._blobs.inc(more.blobs)
        self._manifests.inc(more.manifests)
        self._links.inc(more.links)
        self._failed.inc(more.failed)

    async def look(self, db: Database) -> None:
        """Say how much waits, and when the last run was."""

        async def read(conn: Conn) -> None:
            found = await waiting(conn, MOST)
            self._due.set(found["due"])
            self._oldest.set(found["due_seconds"])
            self._objects.set(found["trash"])
            self._trash.set(found["trash_bytes"])
            self._late.set(found["trash_seconds"])
            runs, _ = await records.listed(
                conn, kind=GARBAGE_COLLECTION, statuses=[SUCCESS], offset=0, limit=_LOOKED_AT
            )
            ended = (run.ended_at or 0 for run in runs if not run.parameters.get("dry_run"))
            self._success.set(next(ended, 0) / SECOND)

        await db.read(read)


@functools.cache
def measures() -> Measures:
    """This process's measures, made on first use."""
    return Measures()
