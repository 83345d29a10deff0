"""Patterns that people write in rules for the names of tags and repositories.

Three kinds: path patterns as Harbor has them (`doublestar`), regular expressions of RE2 that match the whole name
(`regex`), and ranges of versions as npm writes them (`semver`).  Every kind takes time linear in the name, whatever
the pattern: who may write a rule must not be able to hold a process.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, cast

from fairway.core.oci.doublestar import to_regex
from fairway.core.oci.errors import PatternInvalid

MAX_PATTERN = 1024  # characters
_MAX_VERSION = 255  # no longer than any name is
_MEMORY = 1 << 20  # bytes that one compiled expression may take
_KEPT = 128  # compiled patterns
_ALL = frozenset({"", "**"})  # path patterns that match every name
_NONE = r"[^\x{0}-\x{10FFFF}]"  # matches none

_SPACE_AFTER_OPERATOR = re.compile(r"(?<=[<>=^~])\s+")


class Kind(StrEnum):
    """How a pattern is to be read."""

    DOUBLESTAR = "doublestar"
    REGEX = "regex"
    SEMVER = "semver"


Matcher = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which names one pattern selects: those it matches or, with `excludes`, all the others."""

    kind: Kind
    pattern: str
    excludes: bool = False

    def selects(self, name: str) -> bool:
        """Whether `name` is among them.  Raises PatternInvalid."""
        return matcher(self.kind, self.pattern)(name) is not self.excludes


@lru_cache(maxsize=_KEPT)
def matcher(kind: Kind, pattern: str) -> Matcher:
    """What tells whether a name matches.  Raises PatternInvalid, which says what is wrong with the pattern."""
    if len(pattern) > MAX_PATTERN:
        raise PatternInvalid(f"The pattern has {len(pattern)} characters; {MAX_PATTERN} are the most")
    if not pattern.isprintable():
        raise PatternInvalid("The pattern has control characters; names have none, so leave them out")
    match kind:
        case Kind.DOUBLESTAR:
            return _doublestar(pattern)
        case Kind.REGEX:
            return _regex(pattern)
        case Kind.SEMVER:
            return _semver(pattern)


@lru_cache(maxsize=_KEPT)
def any_of(selectors: tuple[Selector, ...]) -> Matcher:
    """What tells whether any of these selects a name; path patterns, however many, at the price of one.

    Raises PatternInvalid.
    """
    paths = tuple(each for each in selectors if each.kind is Kind.DOUBLESTAR and not each.excludes)
    others = [each for each in selectors if each not in paths]
    if any(each.pattern in _ALL for each in paths):
        return _everything
    joined = "|".join(f"(?:{to_regex(each.pattern)})" for each in paths)
    try:
        of_paths = _compiled(joined or _NONE)
    except PatternInvalid:  # too much together
        others, of_paths = list(selectors), _compiled(_NONE)
    return lambda name: of_paths(name) or any(each.selects(name) for each in others)


def _doublestar(pattern: str) -> Matcher:
    if pattern in _ALL:
        return _everything
    return _compiled(to_regex(pattern))


def _regex(pattern: str) -> Matcher:
    if not pattern:
        raise PatternInvalid("An empty regular expression matches no name; write .* for all of them")
    return _compiled(pattern)


class _Compiled(Protocol):
    """The part of a compiled expression of RE2 that is used here."""

    def fullmatch(self, text: str) -> object | None: ...


def _compiled(expression: str) -> Matcher:
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.max_mem = _MEMORY
    options.never_capture = True  # groups would cost a second pass
    options.log_errors = False
    try:
        compiled = cast("_Compiled", re2.compile(expression, options))
    except re2.error as wrong:
        raise PatternInvalid(
            f"The pattern cannot be read: {_words(wrong)}. Look-around and back references are not supported; "
            "the syntax is that of RE2"
        ) from None

    def matches(name: str) -> bool:
        return compiled.fullmatch(name) is not None

    return matches


def _words(wrong: Exception) -> str:
    said = wrong.args[0] if wrong.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _semver(pattern: str) -> Matcher:
    from semantic_version import NpmSpec, Version  # type: ignore[import-untyped]

    spec = " ".join(_SPACE_AFTER_OPERATOR.sub("", pattern).split())
    try:
        wanted = NpmSpec(spec)
    except (ValueError, AttributeError, AssertionError):  # its parser fails in all of these ways
        raise PatternInvalid(
            f"{pattern[:80]!r} is no range of versions; write them as npm does, such as '>=1.2 <2 || ^3.1'"
        ) from None

    def matches(name: str) -> bool:
        if len(name) > _MAX_VERSION:
            return False
        # Tags cannot hold a plus; Helm writes `_` where a version has one.
        text = name.removeprefix("v").replace("_", "+", 1)
        try:
            return bool(wanted.match(Version(text)))
        except ValueError:
            return False

    return matches


def _everything(name: str) -> bool:  # noqa: ARG001 - the answer depends on nothing
    return True
