"""Rules of retention as options of a command, or from a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fairway.client.errors import ClientError, Unreadable
from fairway.client.fields import read
from fairway.client.retention import Policy, Rule, Selector, Trigger, Wanted

KeepPushed = Annotated[
    int | None,
    typer.Option("--keep-latest-pushed", min=1, metavar="N", help="The N pushed last", show_default=False),
]
KeepPulled = Annotated[
    int | None,
    typer.Option("--keep-latest-pulled", min=1, metavar="N", help="The N pulled last", show_default=False),
]
KeepActive = Annotated[
    int | None,
    typer.Option(
        "--keep-latest-active", min=1, metavar="N", help="The N pushed or pulled last", show_default=False
    ),
]
PushedWithin = Annotated[
    int | None,
    typer.Option(
        "--keep-pushed-within", min=1, metavar="DAYS", help="Pushed in the last days", show_default=False
    ),
]
PulledWithin = Annotated[
    int | None,
    typer.Option(
        "--keep-pulled-within", min=1, metavar="DAYS", help="Pulled in the last days", show_default=False
    ),
]
Always = Annotated[bool, typer.Option("--keep-always", help="All that the selectors select")]
Tags = Annotated[str, typer.Option(help="About images with tags like this", metavar="PATTERN")]
ExcludeTags = Annotated[
    str, typer.Option("--exclude-tags", help="And not those like this", metavar="PATTERN", show_default=False)
]
Untagged = Annotated[bool, typer.Option("--untagged/--no-untagged", help="About images without a tag, too")]
Repositories = Annotated[str, typer.Option(help="In repositories like this", metavar="PATTERN")]
ExcludeRepositories = Annotated[
    str,
    typer.Option(
        "--exclude-repositories", help="And not in those like this", metavar="PATTERN", show_default=False
    ),
]
KindOf = Annotated[str, typer.Option("--kind", help="Of the patterns of tags: doublestar, regex or semver")]
Mode = Annotated[
    str | None,
    typer.Option(
        help="What goes as one: artifact, with all its tags, or tag", metavar="MODE", show_default=False
    ),
]
File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The policy as JSON, as `show --json` prints it", show_default=False),
]

_TEMPLATES: Final = (
    "latestPushedK",
    "latestPulledN",
    "latestActiveK",
    "nDaysSinceLastPush",
    "nDaysSinceLastPull",
)
_WORDS: Final = {
    "latestPushedK": "the {} pushed last",
    "latestPulledN": "the {} pulled last",
    "latestActiveK": "the {} pushed or pulled last",
    "nDaysSinceLastPush": "pushed within {} days",
    "nDaysSinceLastPull": "pulled within {} days",
    "lastXDays": "pushed within {} days",
    "always": "always",
}


class BadFile(ClientError):
    """A file with a policy that is none."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What the rules of a command are about."""

    tags: str
    exclude_tags: str
    untagged: bool
    repositories: str
    exclude_repositories: str
    kind: str

    def rule(self, template: str, number: int | None = None) -> Rule:
        """A rule about it."""
        extras = json.dumps({"untagged": self.untagged})
        found = [Selector(self.kind, "matches", self.tags, extras)]
        if self.exclude_tags:
            without = json.dumps({"untagged": not self.untagged})
            found.append(Selector(self.kind, "excludes", self.exclude_tags, without))
        places = [Selector("doublestar", "repoMatches", self.repositories)]
        if self.exclude_repositories:
            places.append(Selector("doublestar", "repoExcludes", self.exclude_repositories))
        params = {} if number is None else {template: number}
        return Rule(template, params, tuple(found), {"repository": tuple(places)})


def rules(selected: Selected, numbers: tuple[int | None, ...], *, always: bool) -> list[Rule]:
    """One rule for each number that was given, in the order of the options."""
    found = [
        selected.rule(template, number)
        for template, number in zip(_TEMPLATES, numbers, strict=True)
        if number is not None
    ]
    return [*found, selected.rule("always")] if always else found


def from_file(path: Path) -> Wanted:
    """The policy in a file.  Raises BadFile."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found: Mapping[str, Any] = told.get("policy", told) if isinstance(told, dict) else {}
        policy = read(Policy, {"id": 0, **found})
    except (OSError, ValueError, RecursionError, Unreadable) as error:
        why = error.message if isinstance(error, Unreadable) else str(error)
        raise BadFile(f"{path} holds no policy of retention: {why}") from None
    return wanted(policy)


def wanted(policy: Policy) -> Wanted:
    """A policy as it would be sent to be what it is."""
    return Wanted(policy.rules, policy.mode, cron_of(policy.trigger))


def cron_of(trigger: Trigger) -> str:
    """When it runs; empty for never."""
    return trigger.settings.get("cron", "")


def told(rule: Rule) -> str:
    """A rule in words."""
    text = _WORDS.get(rule.template, rule.template).format(rule.params.get(rule.template, ""))
    of_tags = " and ".join(map(_selector, rule.tag_selectors)) or "all"
    places = " and ".join(map(_selector, rule.scope_selectors.get("repository", ()))) or "all"
    off = " (switched off)" if rule.disabled else ""
    return f"keep {text}: tags {of_tags} in repositories {places}{off}"


def _selector(selector: Selector) -> str:
    kind = "" if selector.kind == "doublestar" else f"{selector.kind} "
    return f"{'not ' if 'xcludes' in selector.decoration else ''}{kind}{selector.pattern or '**'}"
