"""`fairway jobs list | show | stop | logs`: background work, straight in the database."""

import asyncio
import json
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from fairway.cli.database import with_database
from fairway.cli.options import ConfigFile, DataDir, load_settings
from fairway.frame.db import Database, Row
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import ERROR, OPEN, RUNNING, STOPPED, SUCCESS, Facts
from fairway.frame.jobs.records import Execution, TaskRecord
from fairway.frame.web.errors import NotFound
from fairway.frame.web.moments import moment

app = typer.Typer(help="Background work: what ran, what runs, what waits.", no_args_is_help=True)

Id = Annotated[int, typer.Argument(help="The run's number, as `list` shows it", min=1, max=2**63 - 1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


class Status(StrEnum):
    """What a run can be."""

    RUNNING = RUNNING
    SUCCESS = SUCCESS
    ERROR = ERROR
    STOPPED = STOPPED


_LOOK_AGAIN_SECONDS = 1.0
_LINES_AT_A_TIME = 500


@app.command("list")
def list_runs(
    kind: Annotated[str, typer.Option(help="Only this kind, such as GARBAGE_COLLECTION")] = "",
    status: Annotated[Status | None, typer.Option(help="Only these", case_sensitive=False)] = None,
    limit: Annotated[int, typer.Option(help="How many at most", min=1, max=1000)] = 20,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """List runs, the newest first."""
    settings = load_settings(config, data_dir=data_dir)
    read = partial(
        records.listed,
        kind=kind.upper() or None,
        statuses=[status] if status else (),
        offset=0,
        limit=limit,
    )
    found, _ = with_database(settings, lambda db: db.read(read))
    if as_json:
        typer.echo(json.dumps([_facts(each) for each in found], indent=2))
        return
    if not found:
        typer.echo("No such runs." if kind or status else "No runs yet.")
        return
    heads = ("id", "kind", "status", "asked for by", "began", "ended")
    print_table(heads, [_cells(each) for each in found])


@app.command()
def show(id: Id, as_json: AsJson = False, data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Show a run and its tasks."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> tuple[Execution, list[TaskRecord]]:
        return await _found(db, id), await records.tasks_of(db, id)

    found, tasks = with_database(settings, work)
    if as_json:
        typer.echo(json.dumps(_facts(found) | {"tasks": [_task_facts(each) for each in tasks]}, indent=2))
        return
    for name, value in _facts(found).items():
        typer.echo(f"{name:<12} {_printable(_text(value))}")
    heads = ("task", "status", "tries", "progress", "message", "result")
    print_table(heads, [_task_cells(each) for each in tasks])


@app.command()
def stop(id: Id, data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Stop a run: at once what waits, within seconds what is being done."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> bool:
        found = await _found(db, id)
        await db.write(partial(queue.stop, execution=id))
        return found.status in OPEN

    typer.echo(f"Stopping {id}." if with_database(settings, work) else f"{id} was over already.")


@app.command()
def logs(
    id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over")] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Print the log of a run."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> None:
        printed: dict[int, int] = {}
        while True:
            over = (await _found(db, id)).status not in OPEN  # asked first: nothing is added after it
            for task in await records.tasks_of(db, id):
                printed[task.id] = await _print_lines(db, task.id, printed.get(task.id, 0))
            if over or not follow:
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    with_database(settings, work)


async def _print_lines(db: Database, task: int, after: int) -> int:
    """Print what follows the first `after` lines; how many there are now."""
    while rows := await records.lines(db, task, after=after, limit=_LINES_AT_A_TIME):
        for row in rows:
            typer.echo(_line(row))
        after += len(rows)
    return after


async def _found(db: Database, id: int) -> Execution:
    found = await records.execution(db, id)
    if found is None:
        raise NotFound(f"there is no run {id}, or none any more")
    return found


def _facts(run: Execution) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "owner": run.owner,
        "status": run.status,
        "trigger": run.trigger,
        "asked_by": run.asked_by,
        "parameters": run.parameters,
        "created_at": moment(run.created_at),
        "ended_at": _moment(run.ended_at),
    }


def _task_facts(task: TaskRecord) -> dict[str, Any]:
    return {
        "id": task.id,
        "status": task.status,
        "stopping": task.stopping,
        "tries": task.tries,
        "message": task.message,
        "worker": task.worker,
        "progress": task.progress,
        "result": task.result,
        "created_at": moment(task.created_at),
        "started_at": _moment(task.started_at),
        "ended_at": _moment(task.ended_at),
    }


def _cells(run: Execution) -> list[str]:
    by = run.asked_by or run.trigger.lower()
    return [str(run.id), run.kind, run.status, by, second(run.created_at), second(run.ended_at)]


def _task_cells(task: TaskRecord) -> list[str]:
    result = json.dumps(dict(task.result)) if task.result else ""
    return [str(task.id), task.status, str(task.tries), _progress(task.progress), task.message, result]


def _progress(facts: Facts) -> str:
    if not facts:
        return ""
    of = f"/{facts['total']}" if facts["total"] else ""  # not every job knows how much there is
    return f"{facts['done']}{of} {facts['what']}"


def _line(row: Row) -> str:
    return f"{second(row['at'])} {_printable(row['line'])}"


def second(micros: int | None) -> str:
    """A time for people, to the second; "" for none."""
    return "" if micros is None else f"{moment(micros)[:19]}Z"


def _moment(micros: int | None) -> str | None:
    return None if micros is None else moment(micros)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return "" if value is None else str(value)


def _printable(text: str) -> str:
    """Without what a terminal would act on: some of the text comes from other servers."""
    return "".join(each if each.isprintable() else "�" for each in text)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns that line up; nothing in them can act on the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    Console().print(table)
