"""Immutable tag rules: which tags of a project stay what they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from fairway.client.call import API, BY_NAME, Call, Listing, changing, making, reader, segment


@dataclass(frozen=True, slots=True)
class Selector:
    """Harbor's ImmutableSelector: `kind` is doublestar, regex or semver."""

    kind: str
    decoration: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Harbor's ImmutableRule."""

    id: int
    priority: int = 0
    disabled: bool = False
    tag_selectors: tuple[Selector, ...] = ()
    scope_selectors: Mapping[str, tuple[Selector, ...]] = field(default_factory=dict)


def listed(project: str, *, sort: str = "") -> Listing[Rule]:
    """The rules of a project."""
    return Listing(_path(project), reader(Rule), {"sort": sort}, headers=BY_NAME)


def create(project: str, *, tags: Selector, repositories: Selector) -> Call[int]:
    """Make a rule; its id."""
    body = {
        "tag_selectors": [asdict(tags)],
        "scope_selectors": {"repository": [asdict(repositories)]},
    }
    return making(_path(project), body, headers=BY_NAME)


def switch(project: str, rule: int, *, disabled: bool) -> Call[None]:
    """Let a rule be in force, or not; what it says stays."""
    return changing("PUT", f"{_path(project)}/{rule}", {"disabled": disabled}, headers=BY_NAME)


def delete(project: str, rule: int) -> Call[None]:
    """Delete a rule."""
    return changing("DELETE", f"{_path(project)}/{rule}", headers=BY_NAME)


def _path(project: str) -> str:
    return f"{API}/projects/{segment(project)}/immutabletagrules"
