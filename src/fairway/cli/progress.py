"""A progress bar on standard error, for work that takes long."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

_FEW = 3


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows `what` and how much of `total` is done; call it with each further amount."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total)
        yield lambda amount: progress.advance(task, amount)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Shows that something is going on for which nobody knows the end; call it with how far it is, in words.

    It is gone when the work is done, and where nobody watches (a file, a mail of cron's) it is not there at all.
    """
    columns = (
        SpinnerColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda text: progress.update(task, description=text)


def over(what: str, things: Sequence[T]) -> Iterator[T]:
    """One thing after the other, with a bar where there are more than a few and somebody watches."""
    if len(things) <= _FEW or not sys.stderr.isatty():
        yield from things
        return
    with bar(what, len(things)) as advance:
        for thing in things:
            yield thing
            advance(1)
