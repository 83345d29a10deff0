"""`fairway search`: projects and repositories by a part of their names."""

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, asking
from fairway.cli.remote.shown import AsJson, Column, number, plain, print_line, print_table
from fairway.client.search import Found, search

Text = Annotated[str, typer.Argument(help="A part of their names", metavar="TEXT")]


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    name: str
    inside: int


_COLUMNS: list[Column[_Row]] = [
    Column("kind", lambda found: found.kind),
    Column("name", lambda found: found.name),
    Column("has", lambda found: found.inside, number),
]


def find(text: Text, as_json: AsJson = False, hub: HubName = "") -> None:
    """Look for projects and repositories by a part of their names.

    Of projects it tells how many repositories they have, of repositories how many artifacts.
    """
    with asking(hub) as opened:
        found = opened.ask(search(text))
        if as_json:
            typer.echo(json.dumps(plain(found), indent=2, ensure_ascii=False))
        elif sys.stdout.isatty():
            print_table(_COLUMNS, _rows(found))
        else:
            for each in _rows(found):
                print_line(_COLUMNS, each)


def _rows(found: Found) -> list[_Row]:
    return [
        *(_Row("project", each.name, each.repo_count) for each in found.project),
        *(_Row("repository", each.repository_name, each.artifact_count) for each in found.repository),
    ]
