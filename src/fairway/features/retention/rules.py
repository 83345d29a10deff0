"""What a policy keeps.  Pure: images in, verdicts out; and in the same words for a run, a dry run and a simulation.

All images of a repository are counted first, then judged, in any order; so that nobody needs to hold a million of them:

```python
judge = Judge(wanted, now).of("app")
for image in images:
    judge.count(image)
for image in images:
    judge.verdict(image)
```

A rule keeps what its template says among the images that every one of its selectors selects.  What any rule keeps stays.
A repository that no rule is about is left alone.  What is not known never lets an image go: one whose push time is
needed and missing stays.  One that was never pulled is, as in Harbor, pulled before all others and on no day.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from fairway.core.oci.patterns import Matcher, matcher
from fairway.features.retention.model import (
    Candidate,
    Judged,
    Mark,
    Mode,
    RepositorySelector,
    Rule,
    TagSelector,
    Template,
    Verdict,
    Wanted,
)

DAY: Final = 86_400_000_000
_COUNTS: Final = (Template.LATEST_PUSHED, Template.LATEST_PULLED, Template.LATEST_ACTIVE)
COUNTED: Final = frozenset(_COUNTS)
"""Templates whose number is one of images; that of others is one of days, or there is none."""

_Key = tuple[int, int, int, str]
_NO_TAG: Final = ""


class Judge:
    """A policy, ready to judge: its patterns are compiled.  `now` is the database's.  Raises PatternInvalid."""

    def __init__(self, wanted: Wanted, now: int) -> None:
        self._mode = wanted.mode
        self._now = now
        self._rules = [
            (_Names(rule.repositories), number, rule)
            for number, rule in enumerate(wanted.rules, 1)
            if not rule.disabled
        ]

    def of(self, repository: str, latest: int | None = None) -> "Judgement | None":
        """For one repository, by its name without the project; None when no rule is about it.

        `latest`: times after it are by clocks that were ahead, and count as it; those after `now`, without it.
        """
        touching = [
            _Kept(rule, number, self._now) for of, number, rule in self._rules if of.select(repository)
        ]
        return Judgement(touching, self._mode, latest or self._now) if touching else None


class Judgement:
    """What the rules say in one repository."""

    def __init__(self, rules: "Sequence[_Kept]", mode: Mode, latest: int) -> None:
        self._rules = rules
        self._counting = [rule for rule in rules if rule.counts]
        self._mode = mode
        self._latest = latest

    @property
    def counts(self) -> bool:
        """Whether images need to be counted at all."""
        return bool(self._counting)

    def count(self, candidate: Candidate) -> None:
        """Take an image into account.  Each once, and all before the first verdict.

        One whose tags are not known stays in any case, and takes no place of another.
        """
        if self._counting and not candidate.crowded:
            for unit in self._units(candidate):
                for rule in self._counting:
                    rule.count(unit)

    def verdict(self, candidate: Candidate) -> Judged:
        """What becomes of an image."""
        if candidate.crowded:
            why = "it has more tags than are looked at: kept"
            return Judged(candidate, (Verdict(Mark.RETAIN, why, tuple(tag.name for tag in candidate.tags)),))
        return Judged(candidate, tuple(self._said(unit) for unit in self._units(candidate)))

    def _said(self, unit: "_Unit") -> Verdict:
        refused = []
        for rule in self._rules:
            kept, why = rule.keeps(unit)
            if kept:
                return Verdict(Mark.RETAIN, f"rule {rule.number} keeps it: {why}", unit.tags)
            refused.append(f"rule {rule.number}: {why}")
        return Verdict(Mark.DEL, f"no rule keeps it ({'; '.join(refused)})", unit.tags)

    def _units(self, candidate: Candidate) -> "list[_Unit]":
        """What is decided by itself: the image or, in the mode TAG, each of its tags."""
        if self._mode is Mode.TAG and candidate.tags:
            by_digest = _pulled_by_digest(candidate)
            return [
                _Unit(
                    (tag.name,),
                    candidate.id,
                    tag.name,
                    self._known(tag.pushed_at),
                    self._pulled(_latest([tag.pulled_at, by_digest])),
                )
                for tag in candidate.tags
            ]
        pushed = [candidate.pushed_at, *(tag.pushed_at for tag in candidate.tags)]
        pulled = _latest([candidate.pulled_at, *(tag.pulled_at for tag in candidate.tags)])
        # One moment that nobody knows may be the latest of them.
        latest = None if min(pushed) <= 0 else self._known(max(pushed))
        names = tuple(tag.name for tag in candidate.tags)
        return [_Unit(names, candidate.id, _NO_TAG, latest, self._pulled(pulled))]

    def _known(self, moment: int) -> int | None:
        """A time in the future, by a clock that was ahead, counts as the latest there is."""
        return min(moment, self._latest) if moment > 0 else None

    def _pulled(self, moment: int | None) -> int | None:
        return 0 if moment is None else self._known(moment)


def spared(judged: Judged, immutable: Callable[[Sequence[str]], Mapping[str, str]]) -> Judged:
    """The same, but what immutable tags keep stays; `immutable` tells which of some tags are, and by what."""
    if all(each.mark is not Mark.DEL for each in judged.verdicts):
        return judged
    keeping = immutable([tag.name for tag in judged.candidate.tags])
    verdicts = []
    for each in judged.verdicts:
        by = next((keeping[tag] for tag in each.tags if tag in keeping), None)
        stays = each.mark is Mark.DEL and by is not None
        verdicts.append(replace(each, mark=Mark.IMMUTABLE, reason=f"{by}; {each.reason}") if stays else each)
    return replace(judged, verdicts=tuple(verdicts))


def _latest(moments: Sequence[int | None]) -> int | None:
    """The latest pull, None for none; not positive when that of one is unknown."""
    known = [each for each in moments if each is not None]
    if not known:
        return None
    return max(known) if min(known) > 0 else 0


def _pulled_by_digest(candidate: Candidate) -> int | None:
    """When an image was pulled later than by any of its tags, it was by its digest: that counts for each of them."""
    by_tag = max((tag.pulled_at or 0 for tag in candidate.tags), default=0)
    at = candidate.pulled_at
    return at if at is not None and (at <= 0 or at > by_tag) else None


class _Unit:
    """What is decided by itself.  Times: None for unknown; `pulled` is 0 for what never was."""

    __slots__ = ("artifact", "name", "pulled", "pushed", "tags")

    def __init__(
        self, tags: tuple[str, ...], artifact: int, name: str, pushed: int | None, pulled: int | None
    ) -> None:
        self.tags = tags
        self.artifact = artifact
        self.name = name
        self.pushed = pushed
        self.pulled = pulled

    def time(self, template: Template) -> int | None:
        """The time that a template is about; None when it is not known."""
        if template in (Template.LATEST_PULLED, Template.PULLED_WITHIN):
            return self.pulled
        if template is Template.LATEST_ACTIVE:
            return None if self.pushed is None or self.pulled is None else max(self.pushed, self.pulled)
        return self.pushed

    def key(self, at: int) -> _Key:
        """The order of units by a time; of the same time the one pushed last is the latest."""
        return at, self.pushed or 0, self.artifact, self.name


class _Kept:
    """What one rule keeps in one repository.  Patterns are asked last: they take longest."""

    def __init__(self, rule: Rule, number: int, now: int) -> None:
        self.number = number
        self.counts = rule.template in COUNTED
        self._template = rule.template
        self._most = rule.number
        self._after = now - rule.number * DAY
        self._tags = _Tags(rule.tags)
        self._latest: list[_Key] = []

    def count(self, unit: _Unit) -> None:
        """Take a unit into account."""
        at = unit.time(self._template)
        if at is None:
            return  # it stays in any case
        key = unit.key(at)
        if len(self._latest) < self._most:
            if self._tags.select(unit.tags):
                heapq.heappush(self._latest, key)
        elif key > self._latest[0] and self._tags.select(unit.tags):
            heapq.heapreplace(self._latest, key)

    def keeps(self, unit: _Unit) -> tuple[bool, str]:
        """Whether, and why or why not."""
        kept, why = self._by_time(unit)
        if kept and not self._tags.select(unit.tags):
            return False, "its selectors do not select it"
        return kept, why

    def _by_time(self, unit: _Unit) -> tuple[bool, str]:
        """Whether it would be kept if it is selected."""
        if self._template is Template.ALWAYS:
            return True, "always"
        at = unit.time(self._template)
        if at is None:
            return True, "time unknown: kept"
        if self.counts:
            kept = len(self._latest) < self._most or unit.key(at) >= self._latest[0]
        else:
            # Pulled at no time is 0, on no day.
            kept = at >= self._after and at > 0
        return kept, f"{'' if kept else 'not '}{_WORDS[self._template].format(self._most)}"


_WORDS: Final = {
    Template.LATEST_PUSHED: "among the {} pushed last",
    Template.LATEST_PULLED: "among the {} pulled last",
    Template.LATEST_ACTIVE: "among the {} pushed or pulled last",
    Template.PUSHED_WITHIN: "pushed within {} days",
    Template.PULLED_WITHIN: "pulled within {} days",
    Template.LAST_DAYS: "pushed within {} days",
}


class _Names:
    """Selectors of repositories: all of them must select a name."""

    def __init__(self, selectors: Sequence[RepositorySelector]) -> None:
        self._all: list[tuple[Matcher, bool]] = [
            (matcher(one.kind, one.pattern), one.excludes) for one in selectors
        ]

    def select(self, name: str) -> bool:
        return all(matches(name) is not excludes for matches, excludes in self._all)


class _Tags:
    """Selectors of tags: all of them must select an image.  Without any, it is about every image.

    One that matches selects what has a tag that its pattern matches; one that excludes, what has a tag that it does not.
    """

    def __init__(self, selectors: Sequence[TagSelector]) -> None:
        self._all: list[tuple[Callable[[str], bool], bool, bool]] = [
            (matcher(one.kind, one.pattern), one.excludes, one.untagged) for one in selectors
        ]

    def select(self, tags: Sequence[str]) -> bool:
        for matches, excludes, untagged in self._all:
            if not tags:
                if untagged is excludes:
                    return False
            elif not any(matches(tag) is not excludes for tag in tags):
                return False
        return True
