"""Which tags are immutable, and which rules can be had.

An immutable tag that is there stays where it is: it is not moved and not deleted, and so what it names is not deleted
either.  One that is not there can be made, once.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fairway.core.oci.errors import BadRequest, PatternInvalid, PreconditionFailed
from fairway.core.oci.patterns import Kind, Selector, any_of, matcher
from fairway.features.immutability.model import Rule, Wanted

MAX_RULES: Final = 100
"""Rules of one project: every push asks them all."""

MATCHES: Final = "matches"
EXCLUDES: Final = "excludes"
REPO_MATCHES: Final = "repoMatches"
REPO_EXCLUDES: Final = "repoExcludes"

# Cosign adds signatures by moving the tag that it has for each image.
_COSIGN_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}\.(?:sig|att|sbom)", re.ASCII)


def in_repository(rules: Iterable[Rule], repository: str) -> tuple[Rule, ...]:
    """Those of the rules that are in force in a repository, which is named without its project."""
    return tuple(
        rule for rule in rules if not rule.says.disabled and rule.says.repository.selects(repository)
    )


def freezing(rules: Sequence[Rule], tag: str) -> Rule | None:
    """The first of a repository's rules that makes this tag immutable."""
    if not rules or _COSIGN_TAG.fullmatch(tag):
        return None
    return next((rule for rule in rules if rule.says.tag.selects(tag)), None)


def frozen(rules: Sequence[Rule], tags: Iterable[str]) -> Mapping[str, Rule]:
    """Those of the tags that are immutable by a repository's rules, each with one."""
    if not rules:
        return {}
    # Most tags of very many are immutable by none of very many rules.
    by_any = any_of(tuple(rule.says.tag for rule in rules))
    found = {tag: freezing(rules, tag) for tag in tags if by_any(tag)}
    return {tag: rule for tag, rule in found.items() if rule is not None}


def refusal(rule: Rule, repository: str, tag: str) -> PreconditionFailed:
    """Why a tag of a repository, which is named with its project, stays where it is, and what to do."""
    project = repository.partition("/")[0]
    return PreconditionFailed(
        f"the tag {tag} of {repository} is immutable by rule {rule.id} ({rule.says}) of the project: "
        f"use another tag, or let somebody disable the rule: fairway immutable disable {project} {rule.id}"
    )


def selector(kind: str, decoration: str, pattern: str, *, of_tags: bool) -> Selector:
    """A selector in Harbor's words.  Raises BadRequest, and PatternInvalid that says what is wrong with the pattern."""
    what = "tag_selectors" if of_tags else "scope_selectors"
    matches, excludes = (MATCHES, EXCLUDES) if of_tags else (REPO_MATCHES, REPO_EXCLUDES)
    if kind not in set(Kind):
        raise BadRequest(f"{what}: kind is one of {', '.join(Kind)}, not {kind[:40]!r}")
    if decoration not in (matches, excludes):
        raise BadRequest(f"{what}: decoration is {matches} or {excludes}, not {decoration[:40]!r}")
    try:
        matcher(Kind(kind), pattern)
    except PatternInvalid as wrong:
        raise PatternInvalid(f"{what}: {wrong.message}") from None
    return Selector(Kind(kind), pattern, excludes=decoration == excludes)


def decoration(selector: Selector, *, of_tags: bool) -> str:
    """Harbor's word for whether a selector is meant the other way round."""
    if of_tags:
        return EXCLUDES if selector.excludes else MATCHES
    return REPO_EXCLUDES if selector.excludes else REPO_MATCHES


def fingerprint(wanted: Wanted) -> str:
    """The same for rules that say the same about the same tags, whether they are in force or not."""
    said = [
        [each.kind, each.pattern or "**", each.excludes]
        if each.kind is Kind.DOUBLESTAR
        else [each.kind, each.pattern, each.excludes]
        for each in (wanted.tag, wanted.repository)
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
