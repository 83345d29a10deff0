"""What a client may ask of a policy, in Harbor's words, and a policy in these words again.  Pure.

```json
{"algorithm": "or", "scope": {"level": "project", "ref": 1}, "mode": "artifact",
 "trigger": {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}},
 "rules": [{"template": "latestPushedK", "params": {"latestPushedK": 10}, "action": "retain", "disabled": false,
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": "{\\"untagged\\":true}"}],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}}]}
```
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.core.oci.errors import BadRequest, PatternInvalid
from fairway.core.oci.patterns import Kind, matcher
from fairway.features.retention.model import (
    MOST_RULES,
    MOST_SELECTORS,
    Facts,
    Mode,
    RepositorySelector,
    Rule,
    TagSelector,
    Template,
    Wanted,
)
from fairway.features.retention.rules import COUNTED
from fairway.frame.jobs import cron as crons
from fairway.frame.web.errors import Conflict

MOST: Final = 32_766
"""Harbor's, for images as for days."""
USUAL_COUNT: Final = 10
USUAL_DAYS: Final = 30

_MATCHES, _EXCLUDES = "matches", "excludes"
_REPOSITORY_MATCHES, _REPOSITORY_EXCLUDES = "repoMatches", "repoExcludes"


def wanted(
    *, algorithm: str = "", mode: str = "", cron: str = "", rules: Sequence[Facts] = (), trigger: str = ""
) -> Wanted:
    """A policy as it is asked for.  Raises BadRequest, and Conflict for two rules that say the same."""
    if algorithm not in ("", "or"):
        raise BadRequest('the algorithm is "or": what any rule keeps stays')
    if mode not in ("", *Mode):
        raise BadRequest(
            'the mode is "artifact", for images with all their tags, or "tag", for each tag by itself'
        )
    if trigger not in ("", "Schedule"):
        raise BadRequest('trigger.kind is "Schedule"; leave its cron empty for no schedule')
    if len(rules) > MOST_RULES:
        raise BadRequest(f"a policy has up to {MOST_RULES} rules")
    made = tuple(_rule(rule, f"rules[{number}]") for number, rule in enumerate(rules))
    for number, rule in enumerate(made):
        if rule in made[:number]:
            raise Conflict(
                f"rules[{number}] says the same as rules[{made.index(rule)}]; leave one of them out"
            )
    return Wanted(made, Mode(mode or Mode.ARTIFACT), schedule(cron))


def schedule(cron: str) -> str:
    """A checked cron expression, or "" for none; also by the names Hourly, Daily, Weekly and None.  Raises BadRequest."""
    text = cron.strip()
    if text.title() in (crons.HOURLY, crons.DAILY, crons.WEEKLY):
        return crons.expression(text.title(), "")
    if not text or text.title() == crons.NONE:
        return ""
    return crons.expression(crons.CUSTOM, text)


def _rule(rule: Facts, where: str) -> Rule:
    template = _template(rule, where)
    if rule.get("action") not in (None, "", "retain"):
        raise BadRequest(f'{where}.action is "retain": a rule says what stays')
    scopes = _mapping(rule, "scope_selectors", where)
    if unknown := sorted(set(scopes) - {"repository"}):
        raise BadRequest(f"{where}.scope_selectors has {unknown[0][:40]!r}; it knows repository only")
    return Rule(
        template,
        _number(template, _mapping(rule, "params", where), where),
        tuple(
            _tag_selector(each, f"{where}.tag_selectors[{n}]")
            for n, each in enumerate(_some(rule.get("tag_selectors"), f"{where}.tag_selectors"))
        ),
        tuple(
            _repository_selector(each, f"{where}.scope_selectors.repository[{n}]")
            for n, each in enumerate(_some(scopes.get("repository"), f"{where}.scope_selectors.repository"))
        ),
        bool(rule.get("disabled", False)),
        int(rule.get("priority", 0)),
    )


def _template(rule: Facts, where: str) -> Template:
    try:
        return Template(str(rule.get("template", "")))
    except ValueError:
        raise BadRequest(f"{where}.template is one of {', '.join(Template)}") from None


def _number(template: Template, params: Facts, where: str) -> int:
    if template is Template.ALWAYS:
        return 0
    usual = USUAL_COUNT if template in COUNTED or template is Template.LAST_DAYS else USUAL_DAYS
    value = params.get(template, usual)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        what = "of images" if template in COUNTED else "of days"
        raise BadRequest(f"{where}.params.{template} is a number {what} from 1 to {MOST}")
    return value


def _mapping(rule: Facts, key: str, where: str) -> Facts:
    value = rule.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadRequest(f"{where}.{key} is an object")
    return value


def _some(value: Any, where: str) -> Sequence[Facts]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or not all(isinstance(each, Mapping) for each in value):
        raise BadRequest(f"{where} is a list of selectors")
    if len(value) > MOST_SELECTORS:
        raise BadRequest(f"{where} has up to {MOST_SELECTORS} selectors")
    return value


def _tag_selector(said: Facts, where: str) -> TagSelector:
    kind, pattern = _pattern(said, where)
    excludes = _decoration(said, where, _MATCHES, _EXCLUDES)
    return TagSelector(kind, pattern, excludes, _untagged(said.get("extras"), where, usual=not excludes))


def _repository_selector(said: Facts, where: str) -> RepositorySelector:
    kind, pattern = _pattern(said, where)
    return RepositorySelector(
        kind, pattern, _decoration(said, where, _REPOSITORY_MATCHES, _REPOSITORY_EXCLUDES)
    )


def _pattern(said: Facts, where: str) -> tuple[Kind, str]:
    try:
        kind = Kind(str(said.get("kind") or Kind.DOUBLESTAR))
    except ValueError:
        raise BadRequest(f"{where}.kind is one of {', '.join(Kind)}") from None
    pattern = str(said.get("pattern", ""))
    try:
        matcher(kind, pattern)
    except PatternInvalid as error:
        raise BadRequest(f"{where}.pattern: {error.message}") from None
    return kind, pattern


def _decoration(said: Facts, where: str, matches: str, excludes: str) -> bool:
    """Whether it excludes."""
    value = said.get("decoration") or matches
    if value not in (matches, excludes):
        raise BadRequest(f"{where}.decoration is {matches} or {excludes}")
    return bool(value == excludes)


def _untagged(extras: Any, where: str, *, usual: bool) -> bool:
    if extras in (None, ""):
        return usual
    try:
        said = json.loads(str(extras))
    except (ValueError, RecursionError):
        said = None
    value = said.get("untagged", False) if isinstance(said, dict) else None
    if not isinstance(value, bool):
        raise BadRequest(f'{where}.extras is text such as {{"untagged":true}}')
    return value


# -- and back


def rules_shown(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as clients have them; the id of a rule is its place."""
    return [
        {
            "id": number,
            "priority": rule.priority,
            "disabled": rule.disabled,
            "action": "retain",
            "template": rule.template.value,
            "params": {} if rule.template is Template.ALWAYS else {rule.template.value: rule.number},
            "tag_selectors": [
                {
                    "kind": each.kind.value,
                    "decoration": _EXCLUDES if each.excludes else _MATCHES,
                    "pattern": each.pattern,
                    "extras": json.dumps({"untagged": each.untagged}, separators=(",", ":")),
                }
                for each in rule.tags
            ],
            "scope_selectors": {
                "repository": [
                    {
                        "kind": each.kind.value,
                        "decoration": _REPOSITORY_EXCLUDES if each.excludes else _REPOSITORY_MATCHES,
                        "pattern": each.pattern,
                    }
                    for each in rule.repositories
                ]
            },
        }
        for number, rule in enumerate(rules, 1)
    ]


def kept(policy: Wanted) -> str:
    """A policy as a row keeps it."""
    return json.dumps(
        {"mode": policy.mode, "rules": rules_shown(policy.rules)}, separators=(",", ":"), ensure_ascii=False
    )


def read(text: str, cron: str = "") -> Wanted:
    """And from there.  Raises BadRequest for what another version has written."""
    said = json.loads(text)
    return wanted(mode=said["mode"], rules=said["rules"], cron=cron)
