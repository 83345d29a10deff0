"""Selectors of tags and repositories in the words of Harbor's rules, and as they are kept.  Pure.

```json
{"tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
 "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "web/**"}]}}
```
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.errors import BadRequest, PatternInvalid
from fairway.core.oci.patterns import Kind, Selector, matcher

MOST: Final = 20
"""Selectors of tags, and of repositories, that a policy has."""

OF_TAGS: Final = ("matches", "excludes")
OF_REPOSITORIES: Final = ("repoMatches", "repoExcludes")
REPOSITORY: Final = "repository"

Facts = Mapping[str, Any]


def read(given: Sequence[Facts], words: tuple[str, str], where: str) -> tuple[Selector, ...]:
    """From what a client says; `words` are its decorations.  Raises BadRequest."""
    if len(given) > MOST:
        raise BadRequest(f"{where} has up to {MOST} selectors")
    return tuple(_read(each, words, f"{where}[{number}]") for number, each in enumerate(given))


def _read(given: Facts, words: tuple[str, str], where: str) -> Selector:
    matches, excludes = words
    decoration = given.get("decoration") or matches
    if decoration not in words:
        raise BadRequest(f"{where}.decoration is {matches} or {excludes}")
    try:
        kind = Kind(given.get("kind") or Kind.DOUBLESTAR)
    except ValueError:
        raise BadRequest(f"{where}.kind is one of {', '.join(Kind)}") from None
    pattern = str(given.get("pattern") or "")
    try:
        matcher(kind, pattern)
    except PatternInvalid as wrong:
        raise BadRequest(f"{where}.pattern: {wrong}") from None
    return Selector(kind, pattern, excludes=decoration == excludes)


def shown(selectors: Sequence[Selector], words: tuple[str, str]) -> list[dict[str, str]]:
    """In the words that `read` takes."""
    return [
        {"kind": each.kind.value, "decoration": words[each.excludes], "pattern": each.pattern}
        for each in selectors
    ]


def kept(selectors: Sequence[Selector], words: tuple[str, str]) -> str:
    """As a column has them."""
    return json.dumps(shown(selectors, words), ensure_ascii=False)


def opened(text: str, words: tuple[str, str]) -> tuple[Selector, ...]:
    """What `kept` was given."""
    return tuple(
        Selector(Kind(each["kind"]), each["pattern"], excludes=each["decoration"] == words[1])
        for each in json.loads(text)
    )
