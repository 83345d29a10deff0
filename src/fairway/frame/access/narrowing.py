"""Patterns of repository names, by which rights in a project are narrowed to some of its repositories.  Pure.

Four kinds, all relative to the project, and no others, since each of them is a range of names that an index has together:

```text
team-a/app    this repository
team-a/**     all below team-a/, however deep
team-a/web*   what begins so, without a further slash
**            every repository
```
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from fairway.frame.access.catalogue import PROJECT_READ, REPOSITORY_LIST, Permission

MOST: Final = 20
"""Patterns of one grant, or of one membership."""

LONGEST: Final = 255

WRITTEN: Final = (
    "a pattern is a repository such as team-a/app, all below one such as team-a/**, what begins alike such as "
    "team-a/web*, or ** for every one; relative to the project, in lower-case letters and digits"
)
"""What to say of others."""

RESOURCES: Final = frozenset(
    {"repository", "artifact", "artifact-addition", "artifact-label", "accessory", "tag"}
)
"""What belongs to a repository."""

OF_PROJECT: Final = frozenset({PROJECT_READ, REPOSITORY_LIST})
"""What a narrowed grant gives without the name of a repository; the list has only those that match."""

_START: Final = re.compile(r"(?:[a-z0-9][a-z0-9._/-]*)?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*", re.ASCII)


class Span(NamedTuple):
    """Names that begin with `start`; `whole`: that are it; `flat`: that have no slash after it."""

    start: str
    whole: bool = False
    flat: bool = False

    def holds(self, name: str) -> bool:
        """Whether this is one of the names."""
        if self.whole:
            return name == self.start
        return name.startswith(self.start) and not (self.flat and "/" in name[len(self.start) :])


def is_narrowable(permission: Permission) -> bool:
    """Whether it can be granted for some repositories of a project only."""
    return permission == PROJECT_READ or permission.resource in RESOURCES


@lru_cache(maxsize=4096)
def span(pattern: str) -> Span:
    """The names that a pattern means.  Raises ValueError."""
    if len(pattern) <= LONGEST:
        if pattern == "**":
            return Span("")
        if pattern.endswith("/**") and _NAME.fullmatch(pattern[:-3]):
            return Span(pattern[:-2])
        if pattern.endswith("*") and _START.fullmatch(pattern[:-1]):
            return Span(pattern[:-1], flat=True)
        if _NAME.fullmatch(pattern):
            return Span(pattern, whole=True)
    raise ValueError(f"{pattern[:80]!r} is no pattern of repositories: {WRITTEN}")


def checked(patterns: Collection[str]) -> tuple[str, ...]:
    """Patterns as they are kept, each once.  Raises ValueError for too many, and for what is none."""
    if len(patterns) > MOST:
        raise ValueError(f"up to {MOST} patterns of repositories can be given")
    for each in patterns:
        span(each)
    return tuple(sorted(set(patterns)))


def match(patterns: Iterable[str], name: str) -> bool:
    """Whether the repository `name`, relative to its project, is one of those that the patterns mean."""
    return any(span(each).holds(name) for each in patterns)


def kept(patterns: Iterable[str]) -> str:
    """Patterns as a row keeps them; they have no spaces."""
    return " ".join(patterns)


@lru_cache(maxsize=1024)
def read(text: str | None) -> tuple[str, ...]:
    """What `kept` made, or with None none."""
    return () if text is None else tuple(text.split())
