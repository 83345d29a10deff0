"""The dry run: the collector's decisions without its changes.

What would go is noted under the number of the run, and every further decision is made as if it were gone.  What follows
from the notes of one step is the next step, where a real run would walk once more.  Nothing but the notes is written, and
nothing is held in memory but one batch.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from fairway.features.gc import rules
from fairway.features.gc.model import Collected, Moment, Options, Progress, Verdict
from fairway.features.gc.store import blobs, deleted, items, links, manifests, reviews
from fairway.frame.db import Body, Conn, Database, ledger

if TYPE_CHECKING:
    from fairway.features.gc.collect import Write

T = TypeVar("T")

BATCH = 200
MANIFESTS = 40
STEPS = 1000
FORGOTTEN = 1000
"""Items forgotten in one transaction."""

Candidates = tuple[int, list[str]]
"""A project (0: blobs as a whole) and digests of it, in order."""


async def rehearse(
    db: Database,
    write: "Write",
    options: Options,
    moment: Moment,
    report: Callable[[Progress], Awaitable[None]],
) -> Collected:
    """Note all that a real run would let go of now; the counts and bytes of it."""
    while await write(partial(items.forget, db, run=options.run, limit=FORGOTTEN), soft=True):
        pass  # of an attempt that was cut short
    total, noted, step = Collected(), 1, 0
    while noted and step < STEPS:
        noted = 0
        async for project, digests in _candidates(db, write, options, moment, step):
            body = partial(_decide, db, project, digests, options, moment, step)
            done, kept = await body(write)
            noted += done
            total += Collected(kept=kept if step == 0 else 0)
            await report(Progress(step + 1, total))
        step += 1
    sums = await items.totals(db, options.run)
    nothing = (0, 0)
    return total + Collected(
        freed=sums.get(items.BLOB, nothing)[1],
        blobs=sums.get(items.BLOB, nothing)[0],
        manifests=sums.get(items.MANIFEST, nothing)[0],
        links=sums.get(items.LINK, nothing)[0],
    )


async def _candidates(
    db: Database, write: "Write", options: Options, moment: Moment, step: int
) -> AsyncIterator[Candidates]:
    """What to decide about in one step: first what is due, then what follows from the step before."""
    if step:
        async for each in _following(db, write, options.run, step):
            yield each
        return
    after = reviews.START
    while places := await reviews.page(db, moment.due, after, BATCH, leased=not options.now):
        after = places[-1]
        for each in _by_project([(project, digest) for _, project, digest in places]):
            yield each
    after = reviews.START
    while options.delete_untagged and (places := await reviews.parked(db, after, BATCH)):
        after = places[-1]
        for each in _by_project([(project, digest) for _, project, digest in places]):
            yield each
    end = (-1, -1)
    while rows := await deleted.over(db, moment.undo, end, MANIFESTS):
        end = (rows[-1]["until_at"], rows[-1]["id"])
        for project in sorted({row["project_id"] for row in rows}):
            ids = [row["id"] for row in rows if row["project_id"] == project]
            for batch in _batches(await deleted.kept(db, ids)):
                yield project, batch


async def _following(db: Database, write: "Write", run: int, step: int) -> AsyncIterator[Candidates]:
    after = items.FIRST
    while rows := await _asked(
        db, partial(items.manifests_of_step, run=run, step=step - 1, after=after, limit=MANIFESTS)
    ):
        after = items.key(rows[-1])
        for project in sorted({row["project_id"] for row in rows}):
            ids = [row["id"] for row in rows if row["project_id"] == project and row["id"] is not None]
            await write(partial(items.ask_followed, run=run, step=step, project=project, ids=ids), soft=True)
    place = (-1, "")
    while places := await _asked(db, partial(items.followed, run=run, step=step, after=place, limit=BATCH)):
        place = places[-1]
        for each in _by_project(places):
            yield each
    while await write(partial(items.forget_asked, db, run=run, limit=FORGOTTEN), soft=True):
        pass
    after = items.FIRST
    while rows := await _asked(
        db, partial(items.links_of_step, run=run, step=step - 1, after=after, limit=BATCH)
    ):
        after = items.key(rows[-1])
        yield ledger.EVERYWHERE, sorted({row["digest"] for row in rows})
        hidden = [(row["project_id"], row["digest"]) for row in rows if row["what"] == items.HIDDEN]
        for each in _by_project(hidden):
            yield each


async def _decide(
    db: Database,
    project: int,
    digests: Sequence[str],
    options: Options,
    moment: Moment,
    step: int,
    write: "Write",
) -> tuple[int, int]:
    """Decide about one batch as a real run would; how many notes are new, and how many digests stay."""
    if project == ledger.EVERYWHERE:
        found = await _asked(db, partial(blobs.facts, digests=digests, moment=moment, dry=True))
        free = [each.digest for each in found if not each.linked]
        if not free:
            return 0, len(found)
        noted = await write(partial(blobs.note, digests=free, run=options.run, step=step), soft=True)
        return noted, len(found) - len(free)
    facts = await _asked(db, partial(links.facts, project=project, digests=digests, moment=moment, dry=True))
    verdicts = [(rules.of_link(each), each.digest) for each in facts]
    released = [digest for verdict, digest in verdicts if verdict is Verdict.RELEASE]
    hidden = [digest for verdict, digest in verdicts if verdict is Verdict.HIDE]
    loose = [digest for verdict, digest in verdicts if verdict is Verdict.LOOSE and options.delete_untagged]

    async def body(conn: Conn) -> int:
        noted = await links.note(conn, project, released, options.run, step)
        noted += await links.note(conn, project, hidden, options.run, step, hidden=True)
        await items.by_index(db, conn)
        rows = await manifests.loose_ones(conn, project, loose, moment, dry=True)
        return noted + await manifests.note(conn, [row["id"] for row in rows], options.run, step)

    going = len(released) + len(hidden) + len(loose)
    return (await write(body, soft=True) if going else 0), len(verdicts) - going


async def _asked(db: Database, question: Body[T]) -> T:
    """The answer to a question that looks into the notes."""

    async def body(conn: Conn) -> T:
        await items.by_index(db, conn)
        return await question(conn)

    return await db.read(body)


def _by_project(pairs: Sequence[tuple[int, str]]) -> list[Candidates]:
    groups = groupby(sorted(pairs), key=lambda pair: pair[0])
    return [(project, [digest for _, digest in found]) for project, found in groups]


def _batches(digests: Sequence[str]) -> list[list[str]]:
    return [list(digests[start : start + BATCH]) for start in range(0, len(digests), BATCH)]
