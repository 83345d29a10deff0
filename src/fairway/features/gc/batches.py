"""One batch of reviews, decided in one short transaction.  Each function is the whole story of one kind.

How they stay out of everybody's way, and out of deadlocks: rows that pushes may hold (links, blobs, artifacts) and reviews
are locked with SKIP LOCKED, in the order of their digests; what somebody else holds is left for the next time.  The
collector waits for two things only: for reviews that it adds, which everybody writes in the order of their digests and
which it writes while it holds no other review of the same project; and for the quota, which everybody takes last.

Why no decision comes too late: whoever makes something needed, or no longer needed, holds its link (or the artifact)
and pushes its review on in the same transaction.  So what is seen after both are locked stays true until COMMIT, and a
change that had to wait finds the row gone, or adds a review of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from fairway.core.crash import crashpoint
from fairway.features.gc import rules
from fairway.features.gc.model import UNTAGGED, Collected, LinkFacts, Moment, Verdict
from fairway.features.gc.store import blobs, items, links, manifests, reviews
from fairway.frame.db import Conn, ledger


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch; `loose` are manifests to delete next, `more`: something follows that is not counted."""

    collected: Collected
    loose: list[str] = field(default_factory=list)
    more: bool = False


async def decide_links(
    conn: Conn, project: int, digests: Sequence[str], moment: Moment, *, delete_untagged: bool
) -> Outcome:
    """Decide about digests of one project: let go of the links that nothing needs.

    Manifests without tags are only found here, or parked unless `delete_untagged`.
    """
    linked = await links.lock(conn, project, digests)
    ours = await reviews.lock(conn, project, digests, moment)
    crashpoint("gc.project_locked")
    facts = await links.facts(conn, project, sorted(ours), moment)
    verdicts = _by_verdict([each for each in facts if each.digest in linked])
    crashpoint("gc.project_decided")
    # What has no link has nothing to lose: a manifest that was deleted, or a foreign layer that never came.
    gone = sorted(ours - {each.digest for each in facts})
    kept, released, hidden = verdicts[Verdict.KEEP], verdicts[Verdict.RELEASE], verdicts[Verdict.HIDE]
    loose = verdicts[Verdict.LOOSE]
    await reviews.await_leases(conn, project, verdicts[Verdict.WAIT])
    if not delete_untagged:
        await reviews.park(conn, project, loose, UNTAGGED)
    if hidden:
        await links.note(conn, project, hidden, moment.run, items.NO_STEP, hidden=True)
        await links.hide(conn, project, hidden)
    count = size = 0
    if released:
        await links.note(conn, project, released, moment.run, items.NO_STEP)
        count, size = await links.release(conn, project, released)
    await reviews.settle(conn, project, sorted([*kept, *gone, *released]))
    await ledger.charge(conn, project, -size)
    collected = Collected(
        links=count,
        kept=len(kept) + len(verdicts[Verdict.WAIT]) + (0 if delete_untagged else len(loose)),
        skipped=len(digests) - len(gone) - sum(map(len, verdicts.values())),
    )
    return Outcome(collected, loose if delete_untagged else [], more=bool(hidden))


def _by_verdict(facts: Sequence[LinkFacts]) -> dict[Verdict, list[str]]:
    found: dict[Verdict, list[str]] = defaultdict(list)
    for each in sorted(facts, key=lambda facts: facts.digest):
        found[rules.of_link(each)].append(each.digest)
    return found


async def delete_manifests(conn: Conn, project: int, digests: Sequence[str], moment: Moment) -> Outcome:
    """Delete those manifests that have no tag, no index and nothing they are about.

    Their own links are let go of by the next walk, as those of the layers are.
    """
    free = await manifests.lock(conn, project, digests)
    linked = await links.lock(conn, project, digests)
    crashpoint("gc.project_locked")
    found = await manifests.loose_ones(conn, project, digests, moment)
    ids = sorted(row["id"] for row in found if row["id"] in free and row["digest"] in linked)
    crashpoint("gc.project_decided")
    if ids:
        await manifests.note(conn, ids, moment.run, items.NO_STEP)
        await manifests.remove(conn, project, ids)
    return Outcome(Collected(manifests=len(ids), skipped=len(found) - len(ids)))


async def decide_blobs(conn: Conn, digests: Sequence[str], moment: Moment, *, trash_seconds: int) -> Outcome:
    """Decide about blobs as a whole: those that no project has go to the trash."""
    free = await blobs.lock(conn, digests)
    ours = await reviews.lock(conn, ledger.EVERYWHERE, digests, moment)
    crashpoint("gc.blob_locked")
    facts = await blobs.facts(conn, sorted(ours), moment)
    decided = [each for each in facts if each.digest in free]
    gone = ours - {each.digest for each in facts}
    removed = sorted(each.digest for each in decided if not each.linked)
    if removed:
        await blobs.note(conn, removed, moment.run, items.NO_STEP)
        await blobs.remove(conn, removed, trash_seconds)
    await reviews.settle(conn, ledger.EVERYWHERE, sorted({each.digest for each in decided} | gone))
    return Outcome(
        Collected(
            freed=sum(each.size for each in decided if not each.linked),
            blobs=len(removed),
            kept=len(decided) - len(removed),
            skipped=len(digests) - len(decided) - len(gone),
        )
    )
