"""Counts pulls in memory and writes them in batches: a pull itself writes nothing.

Projects that want to be told of pulls are told by events that are recorded with the counts: one for each artifact, tag and
caller, with how often.  A crash loses what was counted since the last batch, at most `FLUSH_SECONDS`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.features.registry import store
from fairway.frame import events
from fairway.frame.db import Conn, Database

FLUSH_SECONDS = 10.0
_BATCH = 200
"""Rows changed in one transaction: some milliseconds of SQLite's only writer."""
MOST = 20_000
"""Different artifacts counted in one batch; beyond, further ones are counted in the next."""
NAMES = 16
"""Callers of one artifact that are told apart."""
MOST_NAMES = 4_000
"""And of all artifacts together.  Half of these are kept for projects that wanted to be told when last asked."""

PULLED = "artifact.pulled"


@dataclass(frozen=True, slots=True, order=True)
class Pulled:
    """What was pulled; `tag` is "" for a pull by digest."""

    project: int
    repository: str
    digest: str
    tag: str


@dataclass(slots=True)
class _Times:
    """How often, and when last, in microseconds since the epoch."""

    count: int = 0
    last: int = 0

    def add(self, count: int, at: int) -> None:
        self.count += count
        self.last = max(self.last, at)


@dataclass(slots=True)
class _Noted:
    """Of one artifact, and by whom as far as that is kept."""

    all: _Times = field(default_factory=_Times)
    by: dict[str, _Times] = field(default_factory=dict)

    def told(self) -> Iterator[tuple[str, _Times]]:
        """By whom how often; "" stands for all whose names were not kept."""
        yield from self.by.items()
        rest = self.all.count - sum(times.count for times in self.by.values())
        if rest:
            yield "", _Times(rest, self.all.last)


_Batch = list[tuple[Pulled, _Noted]]


class Pulls:
    """The counts of one process since the last flush."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._noted: dict[Pulled, _Noted] = {}
        self._names = 0
        self._wanting: frozenset[int] = frozenset()

    def note(self, project: int, repo: Repository, ref: Reference, digest: Digest, by: str) -> None:
        """One manifest was sent to a client of the name `by`."""
        pulled = Pulled(project, repo.rest, digest, ref if isinstance(ref, Tag) else "")
        noted = self._noted.get(pulled)
        if noted is None:
            if len(self._noted) >= MOST:
                return
            noted = self._noted[pulled] = _Noted()
        now = time.time_ns() // 1000
        noted.all.add(1, now)
        if by not in noted.by:
            # Names are kept before anybody has asked who wants them: else the first pulls that somebody has just asked
            # to be told of would be nobody's.
            if len(noted.by) >= NAMES or self._names >= self._room_for(project):
                return
            self._names += 1
            noted.by[by] = _Times()
        noted.by[by].add(1, now)

    def _room_for(self, project: int) -> int:
        return MOST_NAMES if project in self._wanting else MOST_NAMES // 2

    async def flush(self) -> int:
        """Write what was counted; how many pulls.  After an error they stay counted and the error goes on.

        Cancelled, it forgets the batch on its way, which is being written all the same.
        """
        noted, self._noted, self._names = self._noted, {}, 0
        # One order for everybody: two processes flushing at once must not lock rows crosswise.
        batches = _batches(sorted(noted.items(), key=lambda item: item[0]))
        wanting: set[int] = set()
        written = 0
        try:
            for batch in batches:
                wanting |= await self._db.write(partial(_write, batch=batch), soft=True)
                written += 1
        except BaseException as error:
            for batch in batches[written if isinstance(error, Exception) else written + 1 :]:
                self._put_back(batch)
            raise
        if batches:
            self._wanting = frozenset(wanting)
        return sum(each.all.count for each in noted.values())

    def _put_back(self, batch: _Batch) -> None:
        for pulled, before in batch:
            noted = self._noted.setdefault(pulled, _Noted())
            noted.all.add(before.all.count, before.all.last)
            for name, times in before.by.items():
                self._names += name not in noted.by
                noted.by.setdefault(name, _Times()).add(times.count, times.last)


def _batches(items: _Batch) -> list[_Batch]:
    """Cut so that no batch may change more than _BATCH rows, if it is of more than one artifact."""
    batches: list[_Batch] = []
    room = 0
    for item in items:
        rows = 1 + len(item[1].by)
        if rows > room:
            batches.append([])
            room = _BATCH
        batches[-1].append(item)
        room -= rows
    return batches


async def _write(conn: Conn, batch: _Batch) -> set[int]:
    """Add counts, and record events for the projects that want them; which of these do."""
    wanting = await store.projects_wanting_pulls(conn, {pulled.project for pulled, _ in batch})
    if wanting:
        told = [(pulled, noted) for pulled, noted in batch if pulled.project in wanting]
        places = await store.places(conn, {(pulled.project, pulled.repository) for pulled, _ in told})
        # Nobody can look up what was deleted meanwhile.
        await events.record_all(
            conn,
            [
                (f"project:{pulled.project}", PULLED, facts)
                for pulled, noted in told
                if (place := places.get((pulled.project, pulled.repository))) is not None
                for facts in _facts(pulled, noted, place)
            ],
        )
    await store.add_pulls(conn, [_row(pulled, noted.all.count) for pulled, noted in batch])
    return wanting


def _facts(pulled: Pulled, noted: _Noted, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, times in noted.told():
        yield {
            "project_id": pulled.project,
            **place,
            "digest": pulled.digest,
            "tag": pulled.tag,
            "actor": name,
            "count": times.count,
            "pulled_at": times.last,
        }


def _row(pulled: Pulled, count: int) -> store.PullRow:
    return store.PullRow(
        project=pulled.project,
        repository=pulled.repository,
        digest=pulled.digest,
        tag=pulled.tag,
        count=count,
    )
