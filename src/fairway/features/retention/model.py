"""What retention speaks of: rules, what they are asked about, and what they say.

Times are microseconds since the epoch.  A time that is not positive is one that nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fairway.core.oci.patterns import Kind

RETENTION: Final = "RETENTION"
"""The kind of its jobs, as Harbor calls it."""

MOST_RULES: Final = 15
MOST_SELECTORS: Final = 10
"""Of one kind in one rule."""


class Template(StrEnum):
    """What a rule keeps of what it selects; the words are Harbor's."""

    LATEST_PUSHED = "latestPushedK"
    LATEST_PULLED = "latestPulledN"
    LATEST_ACTIVE = "latestActiveK"
    PUSHED_WITHIN = "nDaysSinceLastPush"
    PULLED_WITHIN = "nDaysSinceLastPull"
    LAST_DAYS = "lastXDays"
    ALWAYS = "always"


class Mode(StrEnum):
    """What is kept or goes as one: an image with all its tags, as in Harbor, or each tag by itself."""

    ARTIFACT = "artifact"
    TAG = "tag"


class Mark(StrEnum):
    """What becomes of an image, in the words of Harbor's log."""

    RETAIN = "RETAIN"
    DEL = "DEL"
    ERR = "ERR"
    IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class TagSelector:
    """Which images a rule is about, by their tags; `untagged`: whether the pattern stands for no tag, too."""

    kind: Kind
    pattern: str
    excludes: bool
    untagged: bool


@dataclass(frozen=True, slots=True)
class RepositorySelector:
    """Which repositories a rule is about, by their names without the project."""

    kind: Kind
    pattern: str
    excludes: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Keep what `template` says of what all selectors select.  `number`: how many images, or days."""

    template: Template
    number: int = 0
    tags: tuple[TagSelector, ...] = ()
    repositories: tuple[RepositorySelector, ...] = ()
    disabled: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as somebody wants it: what any of its rules keeps stays.  `cron` is "" for no schedule."""

    rules: tuple[Rule, ...]
    mode: Mode = Mode.ARTIFACT
    cron: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that is kept.  `project` is None for the one of the server, for projects that have none of their own."""

    id: int
    project: int | None
    wanted: Wanted
    created_at: int
    updated_at: int
    version: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag of an image; `pulled_at` is None when it never was."""

    name: str
    pushed_at: int
    pulled_at: int | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that lists show, with all its tags: what a decision is about.

    `crowded`: it has more tags than were read; then it stays.
    """

    id: int
    digest: str
    pushed_at: int
    pulled_at: int | None = None
    tags: tuple[Tagged, ...] = ()
    kind: str = ""
    labels: tuple[str, ...] = ()
    created_at: int = 0
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an image, or in the mode TAG of one tag of it, and why.

    `tags`: those this is said of; one, unless it is about an image as a whole.
    """

    mark: Mark
    reason: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """An image with what is said of it: one verdict, or in the mode TAG one of each tag."""

    candidate: Candidate
    verdicts: tuple[Verdict, ...]

    @property
    def goes(self) -> bool:
        """The image goes, with all its tags."""
        return all(each.mark is Mark.DEL for each in self.verdicts)

    @property
    def tags_that_go(self) -> tuple[str, ...]:
        """Tags that go although the image stays."""
        if self.goes:
            return ()
        return tuple(tag for each in self.verdicts if each.mark is Mark.DEL for tag in each.tags)


Line = list[Any]
"""A verdict as the log keeps it: digest, tags, kind, labels, times of push, pull and creation, mark and reason."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the images of a repository with what becomes of them; `last` when there are no more.

    `whole`: it is all there is of the repository.  `error`: why the repository could not be looked at; then nothing goes,
    of what came before either.
    """

    project: int
    repository: int
    name: str
    """Its full name."""
    judged: tuple[Judged, ...] = ()
    last: bool = True
    error: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Doomed:
    """An image that is to be deleted, or (`tags`) some of its tags, if it is as it was seen."""

    id: int
    seen: Candidate
    tags: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run made of one repository."""

    id: int
    execution: int
    project: int
    repository_id: int
    repository: str
    status: str
    message: str
    total: int
    retained: int
    gone: int
    started_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some that were to go: how many verdicts are carried out, how many are not, and all of them."""

    gone: int = 0
    stayed: int = 0
    lines: tuple[Line, ...] = ()
