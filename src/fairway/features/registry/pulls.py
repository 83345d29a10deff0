"""Counts pulls in memory and writes them in batches: a pull itself writes nothing.

A crash loses what was counted since the last batch, at most `FLUSH_SECONDS`.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.features.registry import store
from fairway.frame.db import Database

FLUSH_SECONDS = 10.0
_BATCH = 200
"""Rows changed in one transaction: some milliseconds of SQLite's only writer."""
MOST = 20_000
"""Different artifacts counted in one batch; beyond, further ones are counted in the next."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was pulled; `tag` is "" for a pull by digest."""

    project: int
    repository: str
    digest: str
    tag: str


class Pulls:
    """The counts of one process since the last flush."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counts: Counter[Pulled] = Counter()

    def note(self, project: int, repo: Repository, ref: Reference, digest: Digest) -> None:
        """One manifest was sent to a client."""
        pulled = Pulled(project, repo.rest, digest, ref if isinstance(ref, Tag) else "")
        if pulled in self._counts or len(self._counts) < MOST:
            self._counts[pulled] += 1

    async def flush(self) -> int:
        """Write what was counted; how many pulls.  After an error they stay counted and the error goes on.

        Cancelled, it forgets the batch on its way, which is being written all the same.
        """
        counts, self._counts = self._counts, Counter()
        if not counts:
            return 0
        total = counts.total()
        rows = _rows(counts)
        written = 0
        try:
            while written < len(rows):
                batch = rows[written : written + _BATCH]
                await self._db.write(partial(store.add_pulls, rows=batch), soft=True)
                written += len(batch)
        except BaseException as error:
            for row in rows[written if isinstance(error, Exception) else written + _BATCH :]:
                self._counts[_pulled(row)] += row["count"]
            raise
        return total


def _pulled(row: store.PullRow) -> Pulled:
    return Pulled(row["project"], row["repository"], row["digest"], row["tag"])


def _rows(counts: Counter[Pulled]) -> list[store.PullRow]:
    # One order for everybody: two processes flushing at once must not lock rows crosswise.
    rows = [
        store.PullRow(
            project=pulled.project,
            repository=pulled.repository,
            digest=pulled.digest,
            tag=pulled.tag,
            count=count,
        )
        for pulled, count in counts.items()
    ]
    return sorted(rows, key=lambda row: (row["project"], row["repository"], row["digest"], row["tag"]))
