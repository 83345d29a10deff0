"""`fairway config list | get | set`: what administrators choose while the hub runs."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, NotThere, asking
from fairway.cli.remote.shown import AsJson, Column, plain, print_line, print_table, printable, yes_no
from fairway.client import configuration
from fairway.client.configuration import Choice
from fairway.client.errors import ClientError

app = typer.Typer(help="What is chosen while the hub runs.", no_args_is_help=True)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_Row = tuple[str, Choice]

_COLUMNS: list[Column[_Row]] = [
    Column("name", lambda found: found[0]),
    Column("value", lambda found: found[1].value, _text),
    Column("editable", lambda found: found[1].editable, yes_no),
]


@app.command("list")
def list_choices(as_json: AsJson = False, hub: HubName = "") -> None:
    """List everything that can be chosen, but for secrets."""
    with asking(hub) as opened:
        found = opened.ask(configuration.get())
        if as_json:
            told = {name: plain(each) for name, each in found.items()}
            typer.echo(json.dumps(told, indent=2))
        elif sys.stdout.isatty():
            print_table(_COLUMNS, sorted(found.items(), key=_by_name))
        else:
            for each in sorted(found.items(), key=_by_name):
                print_line(_COLUMNS, each)


def _by_name(row: _Row) -> str:
    return row[0]


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Such as read_only", metavar="NAME")], hub: HubName = ""
) -> None:
    """Print the value of one of them."""
    with asking(hub) as opened:
        typer.echo(printable(_text(_known(opened.ask(configuration.get()), name).value)))


@app.command("set")
def change(
    values: Annotated[list[str], typer.Argument(help="Such as read_only=true", metavar="NAME=VALUE…")],
    hub: HubName = "",
) -> None:
    """Choose some; the others stay."""
    pairs = [_pair(each) for each in values]
    with asking(hub) as opened:
        known = opened.ask(configuration.get())
        wanted = {name: _value(name, _known(known, name).value, text) for name, text in pairs}
        opened.ask(configuration.change(wanted))
        typer.echo(f"Chosen: {', '.join(f'{name} is {_text(value)}' for name, value in wanted.items())}.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is no choice; write NAME=VALUE", param_hint="NAME=VALUE")
    return name, value


def _known(found: Mapping[str, Choice], name: str) -> Choice:
    if name not in found:
        raise NotThere(f"there is no {name} to choose; `fairway config list` shows what there is")
    return found[name]


def _value(name: str, now: object, text: str) -> bool | int | str:
    """A text as the kind of value that is there now."""
    if isinstance(now, bool):
        if text not in ("true", "false"):
            raise ClientError(f"{name} is true or false")
        return text == "true"
    if isinstance(now, int):
        try:
            return int(text)
        except ValueError:
            raise ClientError(f"{name} is a whole number") from None
    return text
