"""How what a hub answers is shown: a table at a terminal, JSON on demand, else lines for other programs.

Lines have a tab between values, no heading, sizes in bytes and times in full, and their columns stay as they are; further
ones may follow at the end.  JSON has the names of the API.  A list is written as its pages come, where it is no table.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import Annotated, Any, Generic, TypeVar

import typer

from fairway.client.call import MOST_ON_A_PAGE, Listing, Page
from fairway.client.sync import Hub

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
All = Annotated[bool, typer.Option("--all", help="All of them, however many")]
Limit = Annotated[int, typer.Option("--limit", help="How many at most", min=1, max=100_000)]
Filter = Annotated[
    str, typer.Option("--q", help="Filters as the API has them: name=~part,other=value", metavar="FILTERS")
]
Sort = Annotated[str, typer.Option("--sort", help="Fields to sort by; -field falls", metavar="FIELDS")]

_MANY = 3 * MOST_ON_A_PAGE
"""From so many on a list takes long enough to show how far it is."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A heading, the value for programs, and how people read it."""

    head: str
    value: Callable[[T], object]
    shown: Callable[[Any], str] = str


def rows(
    hub: Hub, listing: Listing[T], columns: Sequence[Column[T]], *, as_json: bool, all_: bool, limit: int
) -> None:
    """Print a list, or its first `limit`."""
    most = None if all_ else limit
    pages = hub.pages(listing, MOST_ON_A_PAGE if most is None else most)
    first = next(pages)
    total = first.total or 0
    found = islice(_items(first, pages, total if most is None else min(total, most)), most)
    if as_json:
        print_json_list(found)
    elif sys.stdout.isatty():
        print_table(columns, list(found))
    else:
        for each in found:
            print_line(columns, each)
    if most is not None and total > most:
        typer.echo(f"These are the first {most:,} of {total:,}; --all shows all.", err=True)


def _items(first: Page[T], others: Iterator[Page[T]], expected: int) -> Iterator[T]:
    with _bar(expected) as advance:
        for page in chain((first,), others):
            yield from page.items
            advance(len(page.items))


def _bar(expected: int) -> AbstractContextManager[Callable[[int], None]]:
    """How far a long list is, where somebody watches."""
    if expected < _MANY or not sys.stderr.isatty():
        return nullcontext(lambda _amount: None)
    from fairway.cli.progress import bar

    return bar("reading", expected)


def one(found: T, columns: Sequence[Column[T]], *, as_json: bool) -> None:
    """Print one thing with all that is known of it."""
    if as_json:
        typer.echo(json.dumps(plain(found), indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        width = max(len(column.head) for column in columns)
        for column in columns:
            typer.echo(f"{column.head:<{width}}  {printable(column.shown(column.value(found)))}")
    else:
        for column in columns:
            typer.echo(f"{column.head}\t{_cell(column.value(found))}")


def print_json_list(found: Iterable[object]) -> None:
    """A JSON array, an item a line."""
    before = "["
    for each in found:
        typer.echo(before)
        typer.echo(json.dumps(plain(each), ensure_ascii=False), nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def plain(found: Any) -> Any:
    """A value of the client as JSON has it."""
    return asdict(found)


def print_line(columns: Sequence[Column[T]], found: T) -> None:
    """A line for another program."""
    typer.echo("\t".join(_cell(column.value(found)) for column in columns))


def print_table(columns: Sequence[Column[T]], found: Sequence[T]) -> None:
    """Columns that line up, for a person."""
    if not found:
        typer.echo("None.", err=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(column.head for column in columns), box=None, pad_edge=False)
    for each in found:
        table.add_row(*(Text(printable(column.shown(column.value(each)))) for column in columns))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_cell, value))
    return "" if value is None else printable(str(value))


def printable(text: str) -> str:
    """Without what a terminal would act on, and without tabs and line ends: much of it was written by others."""
    return "".join(each if each.isprintable() else "�" for each in text)


def moment(text: str) -> str:
    """A time of the API for people, to the second; nothing for never."""
    return "" if text.startswith("0001-") or not text else f"{text[:19].replace('T', ' ')}"


def yes_no(value: object) -> str:
    """A truth for people."""
    return "yes" if value else "no"


def joined(values: Sequence[str]) -> str:
    """Some of many names."""
    more = f" +{len(values) - 5}" if len(values) > 5 else ""
    return ", ".join(values[:5]) + more


def number(value: int) -> str:
    """A count."""
    return f"{value:,}"
