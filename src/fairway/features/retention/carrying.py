"""Deleting what was decided, each image only while it is as it was seen.

In the transaction that deletes it, an image and its tags are locked and read once more: one that was pushed, tagged, signed or
pulled since stays, whatever the rules would say of it now; the next run will.  It is deleted as people delete: what can be had back
can be had back, what nobody may delete stays.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Repository, Tag
from fairway.features.artifacts import changing
from fairway.features.artifacts.changing import Place
from fairway.features.immutability import rules as immutability
from fairway.features.immutability.model import Rule
from fairway.features.retention.model import (
    Candidate,
    Doomed,
    Line,
    Mark,
    Mode,
    Outcome,
    Policy,
    Result,
    Verdict,
)
from fairway.features.retention.store import candidates, lines, policies, results
from fairway.frame.db import Conn

MOST_TAGS: Final = 2_000
"""Tags that go in one transaction with their images, if these are more than one: everybody else's writes wait for it."""
CHANGED: Final = "CHANGED: it was pushed, tagged, signed or pulled since this was decided"
PROMISED: Final = "it has no tag, and somebody may be about to push an index of it"
NAMED: Final = "an index names it"
IMMUTABLE: Final = "an immutable tag keeps it"


class NotInForce(Exception):
    """The policy was changed or deleted, or is not for this project any more."""


class TooFewLeft(Exception):
    """Images that were to stay are gone: the rest would be fewer than the rules keep."""


async def carry_out(
    conn: Conn, place: Place, policy: Policy, result: Result, some: Sequence[Doomed]
) -> Outcome:
    """Delete some of what is doomed in a repository, and note what became of it.

    Needs a transaction.  Raises NotInForce, TooFewLeft, and PreconditionFailed for what must not be deleted: then `spare` says so.
    """
    repo = Repository(result.repository)
    frozen_by = await place.rules(conn, repo)  # before any lock
    if not await policies.in_force(conn, policy, place.project):
        raise NotInForce
    if some[0].tags:
        some = some[:1]
        outcome = await _delete_tags(conn, place, result, some[0], frozen_by)
    else:
        some = _bounded(some)
        some, outcome = await _delete_images(conn, place, result, some, frozen_by)
        if outcome.gone and await candidates.standing(conn, result.repository_id) < _least(policy, result):
            raise TooFewLeft
    await results.carried_out(conn, result.id, some, outcome)
    return outcome


def _least(policy: Policy, result: Result) -> int:
    """Images that stay in any case: as many as were to stay, or one where it was decided about tags."""
    return result.retained if policy.wanted.mode is Mode.ARTIFACT else min(result.retained, 1)


def _bounded(some: Sequence[Doomed]) -> Sequence[Doomed]:
    """The first of these: images that go as a whole, and that have MOST_TAGS together, or one."""
    total = 0
    for n, each in enumerate(some):
        total += len(each.seen.tags)
        if each.tags or (n and total > MOST_TAGS):
            return some[:n]
    return some


async def spare(conn: Conn, result: Result, one: Doomed, mark: Mark, why: str) -> Outcome:
    """Note that one of them stays.  Needs a transaction."""
    outcome = _stays(one, mark, why)
    await results.carried_out(conn, result.id, [one], outcome)
    return outcome


async def _delete_images(
    conn: Conn, place: Place, result: Result, some: Sequence[Doomed], frozen_by: Sequence[Rule]
) -> tuple[Sequence[Doomed], Outcome]:
    seen = {each.seen.id: each.seen for each in some}
    changed: set[int] = set()
    promised: set[int] = set()

    async def unchanged(conn: Conn, artifacts: Collection[int]) -> Collection[int]:
        now = await candidates.as_they_are(conn, artifacts)
        named = {Digest(each.digest) for each in now.values()}
        signed = await candidates.signed_since(conn, result.repository_id, named, result.execution)
        same = {id for id, image in now.items() if _same(image, seen.get(id)) and image.digest not in signed}
        changed.update(seen.keys() - same)
        promised.update(await candidates.promised(conn, {id for id in same if not now[id].tags}))
        return same - promised

    repo = Repository(result.repository)
    digests = [Digest(each.seen.digest) for each in some]
    first, gone = await changing.delete_unchanged(conn, place, repo, result.repository_id, digests, unchanged)
    some = some[: len(first)]
    outcomes = []
    for each in some:
        if each.seen.digest in gone:
            outcomes.append(_went(each))
        elif each.seen.id in changed:
            outcomes.append(_stays(each, Mark.RETAIN, CHANGED))
        elif each.seen.id in promised:
            outcomes.append(_stays(each, Mark.RETAIN, PROMISED))
        elif immutability.frozen(frozen_by, [tag.name for tag in each.seen.tags]):
            outcomes.append(_stays(each, Mark.IMMUTABLE, IMMUTABLE))
        else:
            outcomes.append(_stays(each, Mark.RETAIN, NAMED))
    return some, _sum(outcomes)


async def _delete_tags(
    conn: Conn, place: Place, result: Result, one: Doomed, frozen_by: Sequence[Rule]
) -> Outcome:
    """Of an image that stays."""
    repo = Repository(result.repository)
    await changing.hold_tags(conn, result.repository_id, [Digest(one.seen.digest)])
    now = (await candidates.as_they_are(conn, [one.seen.id])).get(one.seen.id)
    if now is None or now.crowded or now.pulled_at != one.seen.pulled_at:
        return _stays(one, Mark.RETAIN, CHANGED)
    are = {tag.name: tag for tag in now.tags}
    same = {tag.name for tag in one.seen.tags if are.get(tag.name) == tag}
    if same >= are.keys():
        same = set()  # what was to stay is gone, so that nothing would be left
    frozen = immutability.frozen(frozen_by, one.tags)
    outcomes = []
    for verdict in sorted(one.verdicts, key=lambda each: each.tags):
        part = replace(one, verdicts=(verdict,))
        [name] = verdict.tags
        if name not in same:
            outcomes.append(_stays(part, Mark.RETAIN, CHANGED))
        elif name in frozen:
            outcomes.append(_stays(part, Mark.IMMUTABLE, IMMUTABLE))
        else:
            await changing.delete_tag(conn, place, repo, Tag(name))
            outcomes.append(_went(part))
    return _sum(outcomes)


def _same(now: Candidate, seen: Candidate | None) -> bool:
    """As far as a decision is about it."""
    if seen is None or now.crowded:
        return False
    return (now.pushed_at, now.pulled_at, now.tags) == (seen.pushed_at, seen.pulled_at, seen.tags)


def _went(one: Doomed) -> Outcome:
    return Outcome(gone=len(one.verdicts), lines=_lines(one.seen, one.verdicts))


def _stays(one: Doomed, mark: Mark, why: str) -> Outcome:
    verdicts = [Verdict(mark, f"{why}; {each.reason}", each.tags) for each in one.verdicts]
    return Outcome(stayed=len(verdicts), lines=_lines(one.seen, verdicts))


def _lines(image: Candidate, verdicts: Sequence[Verdict]) -> tuple[Line, ...]:
    return tuple(lines.line(image, each) for each in verdicts)


def _sum(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(
        sum(each.gone for each in outcomes),
        sum(each.stayed for each in outcomes),
        tuple(line for each in outcomes for line in each.lines),
    )
