"""`fairway retention simulate`: what a policy would do that nobody has saved."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, TypeVar

import typer

from fairway.cli.progress import working
from fairway.cli.remote import retention_rules as options
from fairway.cli.remote.asking import HubName, NotThere, asking
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import AsJson, Column, moment, number, print_json_list, print_line, print_table
from fairway.client import retention
from fairway.client.retention import Counts, Decision, Policy, Wanted
from fairway.client.sync import Hub

T = TypeVar("T")

Repository = Annotated[
    str, typer.Option("--repository", help="What is decided in this one, and why", show_default=False)
]

_COUNTS: list[Column[Counts]] = [
    Column("repository", lambda found: found.repository),
    Column("total", lambda found: found.total, number),
    Column("retained", lambda found: found.retained, number),
    Column("deleted", lambda found: found.deleted, number),
    Column("error", lambda found: found.error),
]
DECISIONS: list[Column[Decision]] = [
    Column("tags", lambda found: ",".join(found.tags)),
    Column("retention", lambda found: found.retention),
    Column("reason", lambda found: found.reason),
    Column("pushed", lambda found: found.push_time, moment),
    Column("pulled", lambda found: found.pull_time, moment),
    Column("digest", lambda found: found.digest, lambda digest: str(digest)[:19]),
]


def simulate(
    project: Annotated[
        str, typer.Argument(help="The project's name", metavar="PROJECT", autocompletion=project_names)
    ],
    *,
    repository: Repository = "",
    pushed: options.KeepPushed = None,
    pulled: options.KeepPulled = None,
    active: options.KeepActive = None,
    pushed_within: options.PushedWithin = None,
    pulled_within: options.PulledWithin = None,
    always: options.Always = False,
    tags: options.Tags = "**",
    exclude_tags: options.ExcludeTags = "",
    untagged: options.Untagged = True,
    repositories: options.Repositories = "**",
    exclude_repositories: options.ExcludeRepositories = "",
    kind: options.KindOf = "doublestar",
    mode: options.Mode = None,
    file: options.File = None,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """Say what a policy would do, without saving it; without options, the one in force."""
    selected = options.Selected(tags, exclude_tags, untagged, repositories, exclude_repositories, kind)
    numbers = (pushed, pulled, active, pushed_within, pulled_within)
    rules = options.rules(selected, numbers, always=always)
    with asking(hub) as opened:
        base = options.from_file(file) if file else None
        if base is None and not rules:
            base = options.wanted(_in_force(opened, project))
        wanted = Wanted([*(base.rules if base else ()), *rules], mode or (base.mode if base else "artifact"))
        if repository:
            _print(DECISIONS, _decisions(opened, project, wanted, repository), as_json=as_json)
        else:
            _print(_COUNTS, _counts(opened, project, wanted), as_json=as_json)


def _print(columns: Sequence[Column[T]], asked: Iterator[T], *, as_json: bool) -> None:
    with working("simulating"):
        found = list(asked)
    if as_json:
        print_json_list(found)
    elif sys.stdout.isatty():
        print_table(columns, found)
    else:
        for each in found:
            print_line(columns, each)


def _counts(hub: Hub, project: str, wanted: Wanted) -> Iterator[Counts]:
    after = ""
    while True:
        found = hub.ask(retention.simulate(project, wanted, after=after))
        yield from found.repositories
        after = found.next
        if not after:
            return


def _decisions(hub: Hub, project: str, wanted: Wanted, repository: str) -> Iterator[Decision]:
    page = 1
    while found := hub.ask(retention.simulate(project, wanted, repository=repository, page=page)).decisions:
        yield from found
        page += 1


def _in_force(hub: Hub, project: str) -> Policy:
    found = hub.ask(retention.in_force(project)).policy
    if found is None:
        raise NotThere(f"no retention policy is in force in {project}; say what to keep")
    return found
