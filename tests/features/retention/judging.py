"""Images and rules in few words, for tests of what retention decides."""

from collections.abc import Iterable, Sequence
from typing import Any

from fairway.core.oci.patterns import Kind
from fairway.features.retention.model import (
    Candidate,
    Judged,
    Mode,
    RepositorySelector,
    Rule,
    Tagged,
    TagSelector,
    Template,
    Wanted,
)
from fairway.features.retention.rules import DAY, Judge

NOW = 20_000 * DAY
"""Some day in 2024."""


def ago(days: float) -> int:
    return NOW - round(days * DAY)


def tag(name: str, pushed: float | None = 1, pulled: float | None = None) -> Tagged:
    """A tag, pushed and pulled so many days ago; never pulled for None, pushed at an unknown time for None."""
    return Tagged(name, 0 if pushed is None else ago(pushed), None if pulled is None else ago(pulled))


def image(
    number: int, *tags: Tagged | str, pushed: float | None = 1, pulled: float | None = None
) -> Candidate:
    """An image; tags given by name were pushed with it."""
    at = 0 if pushed is None else ago(pushed)
    return Candidate(
        number,
        f"sha256:{number:064x}",
        at,
        None if pulled is None else ago(pulled),
        tuple(each if isinstance(each, Tagged) else Tagged(each, at) for each in tags),
    )


def matches(pattern: str = "**", *, kind: Kind = Kind.DOUBLESTAR, untagged: bool = True) -> TagSelector:
    return TagSelector(kind, pattern, excludes=False, untagged=untagged)


def excludes(pattern: str, *, kind: Kind = Kind.DOUBLESTAR, untagged: bool = False) -> TagSelector:
    return TagSelector(kind, pattern, excludes=True, untagged=untagged)


def within(pattern: str) -> RepositorySelector:
    return RepositorySelector(Kind.DOUBLESTAR, pattern, excludes=False)


def outside(pattern: str) -> RepositorySelector:
    return RepositorySelector(Kind.DOUBLESTAR, pattern, excludes=True)


def rule(
    template: Template,
    number: int = 0,
    *tags: TagSelector,
    repositories: Sequence[RepositorySelector] = (),
    **more: Any,
) -> Rule:
    return Rule(template, number, tags or (matches(),), tuple(repositories), **more)


def judged(
    rules: Sequence[Rule], images: Iterable[Candidate], *, mode: Mode = Mode.ARTIFACT, repository: str = "app"
) -> list[Judged]:
    """What becomes of the images of a repository that some rule is about."""
    judge = Judge(Wanted(tuple(rules), mode), NOW).of(repository)
    assert judge is not None
    all_of_them = list(images)
    for each in all_of_them:
        judge.count(each)
    return [judge.verdict(each) for each in all_of_them]


def kept(rules: Sequence[Rule], images: Iterable[Candidate]) -> set[int]:
    """The numbers of images that stay."""
    return {each.candidate.id for each in judged(rules, images) if not each.goes}


def kept_tags(rules: Sequence[Rule], images: Iterable[Candidate]) -> set[str]:
    """The tags that stay, when each is decided by itself."""
    return {
        name
        for each in judged(rules, images, mode=Mode.TAG)
        for verdict in each.verdicts
        if verdict.mark != "DEL"
        for name in verdict.tags
    }
