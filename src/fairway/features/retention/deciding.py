"""Deciding a project: every repository that a rule is about, with a verdict about each of its images.

The same for a run, a dry run and a simulation.  Small repositories are read many at once; of a large one no more than a page
is held at a time: it is read twice, to count and to judge.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fairway.core.oci.errors import FairwayError, Unavailable
from fairway.features.immutability import rules as immutability
from fairway.features.immutability.model import Rule
from fairway.features.immutability.store import rows as immutable_rules
from fairway.features.retention.model import Candidate, Judged, Part
from fairway.features.retention.rules import Judge, Judgement, spared
from fairway.features.retention.store import candidates
from fairway.frame.db import SECOND, Database
from fairway.frame.log import get_logger

_log = get_logger(__name__)

REPOSITORIES: Final = 200
"""Looked at together."""
PAGE: Final = 500
"""Images of one repository that are held at a time; one with more is large."""
_TOGETHER: Final = 1_000
_LOOKING: Final = 3600 * SECOND
"""What is pushed while a repository is looked at is in the order it was pushed in, not in the future."""


class Touched(NamedTuple):
    """A repository that a rule is about, by its name without the project."""

    id: int
    rest: str
    judgement: Judgement
    immutable: tuple[Rule, ...]
    """The rules by which tags of it stay."""

    def verdict(self, image: Candidate) -> Judged:
        """What becomes of an image, once all were counted."""
        judged = self.judgement.verdict(image)
        return spared(judged, self._keeping) if self.immutable else judged

    def _keeping(self, tags: Sequence[str]) -> Mapping[str, str]:
        frozen = immutability.frozen(self.immutable, tags)
        return {tag: f"{tag} is immutable by rule {rule.id} of the project" for tag, rule in frozen.items()}


async def decide(
    db: Database, project: int, name: str, judge: Judge, *, after: str = "", most: int | None = None
) -> AsyncGenerator[Part, None]:
    """What becomes of each repository of a project, by name, those that follow `after`.  Raises Unavailable.

    A repository that cannot be looked at, or has more than `most` images, is told as a Part with an `error`, and the
    others go on.
    """
    while some := await candidates.some_repositories(db, project, after, REPOSITORIES):
        after = some[-1][1]
        async for part in _some(db, project, name, some, judge, most):
            yield part


async def decide_one(
    db: Database, project: int, name: str, repository: tuple[int, str], judge: Judge, *, most: int
) -> AsyncIterator[Part]:
    """The same for one repository, by id and name; nothing when no rule is about it."""
    async for part in _some(db, project, name, [repository], judge, most):
        yield part


async def _some(
    db: Database, project: int, name: str, some: Sequence[tuple[int, str]], judge: Judge, most: int | None
) -> AsyncIterator[Part]:
    kept = await immutable_rules.enabled(db, project)
    latest = await candidates.now(db) + _LOOKING  # the run may have begun long ago
    touched = [
        Touched(id, rest, judgement, immutability.in_repository(kept, rest))
        for id, rest in some
        if (judgement := judge.of(rest, latest)) is not None
    ]
    counts = await candidates.counts(db, [each.id for each in touched]) if touched else {}
    for group in together(touched, counts):
        if most is not None and len(group) == 1 and counts.get(group[0].id, 0) > most:
            error = f"it has more than {most:,} images: save the policy, and have a dry run of it"
            yield Part(project, group[0].id, f"{name}/{group[0].rest}", error=error)
            continue
        async for part in _group(db, project, name, group, counts):
            yield part


def together(touched: Sequence[Touched], counts: Mapping[int, int]) -> Iterator[list[Touched]]:
    """Repositories in groups that are read at once; a large one is alone."""
    group: list[Touched] = []
    number = 0
    for each in touched:
        count = counts.get(each.id, 0)
        if group and number + count > _TOGETHER:
            yield group
            group, number = [], 0
        group.append(each)
        number += count
    if group:
        yield group


async def _group(
    db: Database, project: int, name: str, group: Sequence[Touched], counts: Mapping[int, int]
) -> AsyncIterator[Part]:
    ids = [each.id for each in group]
    if len(group) > 1 or counts.get(ids[0], 0) <= PAGE:
        try:
            found = await candidates.of_small(db, ids, 2 * _TOGETHER)
        except Unavailable:
            raise
        except FairwayError:
            found = None  # of one of them; each by itself, then
        if found is not None:
            for touched in group:
                yield _whole(project, name, touched, found.get(touched.id, ()))
            return
    for each in group:
        async for part in _large(db, project, name, each):
            yield part


def _whole(project: int, name: str, touched: Touched, images: Sequence[Candidate]) -> Part:
    for image in images:
        touched.judgement.count(image)
    judged = tuple(touched.verdict(image) for image in images)
    return Part(project, touched.id, f"{name}/{touched.rest}", judged, whole=True)


async def _large(db: Database, project: int, name: str, touched: Touched) -> AsyncIterator[Part]:
    id, full = touched.id, f"{name}/{touched.rest}"
    try:
        if touched.judgement.counts:
            async for images in _pages(db, id):
                for image in images:
                    touched.judgement.count(image)
        async for images in _pages(db, id):
            yield Part(project, id, full, tuple(touched.verdict(image) for image in images), last=False)
        yield Part(project, id, full)
    except Unavailable:
        raise
    except FairwayError as error:
        _log.warning("a repository cannot be judged", repository=full, error=error.message)
        yield Part(
            project, id, full, error=f"it could not be looked at, so nothing of it goes: {error.message}"
        )


async def _pages(db: Database, repository: int) -> AsyncIterator[list[Candidate]]:
    last: Candidate | None = None
    while images := await candidates.page(db, repository, last, PAGE):
        yield images
        last = images[-1]
