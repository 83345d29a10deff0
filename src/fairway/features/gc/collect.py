"""The collector: walks over the review queue until nothing more follows from what it let go.

A walk takes what is due, oldest first, in batches of one project each (project 0: blobs as a whole).  What a batch lets go
of is reviewed by the next walk: from an index to its manifests, to their layers, to the blobs.  Being cancelled loses
nothing: each batch is committed or not, and what was not decided is still in the queue.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Protocol, TypeVar

from fairway.core.crash import crashpoint
from fairway.core.oci.errors import Unavailable
from fairway.core.stores.protocols import BlobStore
from fairway.features.artifacts.names import Periods
from fairway.features.gc import batches, rules
from fairway.features.gc.batches import Outcome
from fairway.features.gc.dry import rehearse
from fairway.features.gc.model import EVER, Collected, Moment, Options, Progress, Switches
from fairway.features.gc.store import deleted, reviews
from fairway.frame.db import Body, Conn, Database, ReferenceViolation, UniqueViolation, ledger
from fairway.frame.log import get_logger

T = TypeVar("T")
_log = get_logger(__name__)

BATCH = 200
"""Digests decided in one transaction at most: some milliseconds of SQLite's only writer."""
MANIFESTS = 40
"""Manifests deleted in one transaction at most: what each of them names is reviewed, too."""
DELETED = 40
WALKS = 1000
"""At most: with little grace, pushes could keep a run busy for ever."""


class Write(Protocol):
    """`Database.write`, or one that refuses when this worker has been given up."""

    async def __call__(self, body: Body[T], *, soft: bool = False) -> T:
        """Run `body` in a transaction of its own."""
        ...


Report = Callable[[Progress], Awaitable[None]]


async def collect(
    db: Database,
    store: BlobStore,
    periods: Periods,
    options: Options,
    report: Report,
    write: Write | None = None,
    *,
    switches: Switches,
) -> Collected:
    """Decide everything that is due, and what follows from it; what came of it.

    The bytes are removed later, by those who empty the trash.  `report` is awaited between batches.
    Raises CollectionOff, Unavailable, and whatever `write` refuses with.
    """
    rules.require_allowed(switches)
    await store.confirm()  # with another store's database in hand, nothing is garbage
    now = await reviews.now(db)
    moment = Moment(due=EVER if options.now else now, undo=EVER if options.now else now, run=options.run)
    if options.dry_run:
        return await rehearse(db, write or db.write, options, moment, report)
    return await _Run(db, write or db.write, periods, options, report).walk_all(moment)


class _Run:
    """One run: what it was asked for, and what has come of it."""

    def __init__(
        self, db: Database, write: Write, periods: Periods, options: Options, report: Report
    ) -> None:
        self._db = db
        self._write = write
        self._periods = periods
        self._options = options
        self._report = report
        self._total = Collected()
        self._slots = asyncio.Semaphore(options.workers)
        self._given_up: set[tuple[int, str]] = set()

    async def walk_all(self, moment: Moment) -> Collected:
        """Walk until a walk has changed nothing."""
        await self._drop_deleted(moment)
        if self._options.delete_untagged:
            await self._unpark()
        for turn in range(1, WALKS + 1):
            now = await reviews.now(self._db)
            done = await self._walk(turn, replace(moment, due=EVER if self._options.now else now))
            if not (done.more or done.collected.settled):
                break
        return self._total

    async def _drop_deleted(self, moment: Moment) -> None:
        """Let go of manifests that nobody can have back any more."""
        after = (-1, -1)
        while rows := await deleted.over(self._db, moment.undo, after, DELETED):
            after = (rows[-1]["until_at"], rows[-1]["id"])
            for project in sorted({row["project_id"] for row in rows}):
                ids = [row["id"] for row in rows if row["project_id"] == project]
                await self._write(partial(deleted.drop, project=project, ids=ids))

    async def _unpark(self) -> None:
        """Let this run decide what earlier ones were not to."""
        after = reviews.START
        while places := await reviews.parked(self._db, after, BATCH):
            after = places[-1]
            for project, digests in _by_project(places):
                await self._write(partial(reviews.unpark, project=project, digests=digests))

    async def _walk(self, turn: int, moment: Moment) -> Outcome:
        """One walk over what is due now."""
        self._total = replace(self._total, skipped=0)  # counted again by each walk
        before, more = self._total, False
        after = reviews.START
        limit = BATCH * self._options.workers
        while places := await reviews.page(self._db, moment.due, after, limit, leased=not self._options.now):
            crashpoint("gc.selected")
            after = places[-1]
            work = [
                self._batch(project, digests[start : start + BATCH], moment)
                for project, digests in _by_project(self._without_given_up(places))
                for start in range(0, len(digests), BATCH)
            ]
            outcomes = await asyncio.gather(*work, return_exceptions=True)
            for (
                outcome
            ) in outcomes:  # when all have ended: nothing goes on behind the back of whoever hears of it
                if isinstance(outcome, BaseException):
                    raise outcome
                more |= outcome
            await self._report(Progress(turn, self._total))
        done = self._total.settled - before.settled
        return Outcome(Collected(links=done), more=more)

    def _without_given_up(self, places: Sequence[reviews.Place]) -> Sequence[reviews.Place]:
        """What this run has left for later is for later, also where it takes what is not due yet."""
        return [place for place in places if place[1:] not in self._given_up]

    async def _batch(self, project: int, digests: Sequence[str], moment: Moment) -> bool:
        """Decide about some digests of a project; whether something follows that is not counted."""
        async with self._slots:
            if project == ledger.EVERYWHERE:
                body = partial(batches.decide_blobs, moment=moment, trash_seconds=self._periods.trash)
                return (await self._decide(body, project, digests)).more
            untagged = self._options.delete_untagged
            link = partial(batches.decide_links, project=project, moment=moment, delete_untagged=untagged)
            done = await self._decide(link, project, digests)
            for start in range(0, len(done.loose), MANIFESTS):
                manifest = partial(batches.delete_manifests, project=project, moment=moment)
                await self._decide(manifest, project, done.loose[start : start + MANIFESTS])
            return done.more

    async def _decide(
        self, body: Callable[..., Awaitable[Outcome]], project: int, digests: Sequence[str]
    ) -> Outcome:
        """One transaction, or, when it fails, as many as it takes to find which digest it is that fails."""
        try:
            done = await self._write(partial(body, digests=digests))
        except (Unavailable, UniqueViolation, ReferenceViolation) as error:
            if len(digests) > 1:
                middle = len(digests) // 2
                first = await self._decide(body, project, digests[:middle])
                second = await self._decide(body, project, digests[middle:])
                return Outcome(Collected(), first.loose + second.loose, first.more or second.more)
            await self._give_up(project, digests[0], error)
            return Outcome(Collected())
        crashpoint("gc.after_commit")
        self._total += done.collected
        return done

    async def _give_up(self, project: int, digest: str, error: Exception) -> None:
        """Leave one digest for later.  Raises Unavailable when it is the database that fails, not the digest."""

        async def body(conn: Conn) -> None:
            tries = await reviews.tries(conn, project, digest)
            await reviews.retry_later(conn, project, digest, rules.backoff_seconds(tries))

        await self._write(body)
        self._given_up.add((project, digest))
        self._total += Collected(failed=1)
        _log.error(
            "a digest cannot be collected; it is tried again later",
            project=project,
            digest=digest,
            exc_info=error,
        )


def _by_project(places: Sequence[reviews.Place]) -> Iterator[tuple[int, list[str]]]:
    """The digests of each project, in order."""
    pairs = sorted((project, digest) for _, project, digest in places)
    for project, found in groupby(pairs, key=lambda pair: pair[0]):
        yield project, [digest for _, digest in found]
