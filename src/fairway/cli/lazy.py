"""Commands that are loaded when they are called.

`fairway --help`, a mistyped name and completion in the shell need the names and a line about each, which stand in tables;
the code behind a command, and the libraries behind that, are for whoever calls it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: `module:attribute` of its function or of its group, what it does in a line, its heading in the help."""

    where: str
    help: str
    panel: str | None = None


Table = Mapping[str, Entry]


def load(name: str, entry: Entry) -> Any:
    """The command behind an entry, as what runs it."""
    module, _, attribute = entry.where.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        made: Any = get_group(found)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        made = get_command(alone)
    made.name = name
    made.rich_help_panel = entry.panel
    return made


def group(table: Table) -> type[TyperGroup]:
    """A kind of group that has the commands of a table besides those that are given to it."""

    class Lazy(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self._waiting = dict(table)
            for name, entry in table.items():
                self.add_command(TyperCommand(name, help=entry.help, rich_help_panel=entry.panel))

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and (entry := self._waiting.pop(args[0], None)) is not None:
                self.add_command(load(args[0], entry))
            return super().resolve_command(ctx, args)

    return Lazy
