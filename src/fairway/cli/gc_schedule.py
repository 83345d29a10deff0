"""`fairway gc schedule`: when the collector runs by itself.  The same row that Harbor's API shows."""

import json
from functools import partial
from typing import Annotated, Any

import typer

from fairway.cli.database import with_database
from fairway.cli.jobs import AsJson, second
from fairway.cli.options import ConfigFile, DataDir, load_settings
from fairway.core.oci.errors import BadRequest
from fairway.features.gc import rules
from fairway.features.gc.model import GARBAGE_COLLECTION, CollectionOff, Switches
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import cron as crons
from fairway.frame.jobs import schedules
from fairway.frame.jobs.schedules import Schedule
from fairway.frame.settings import Settings
from fairway.frame.web.moments import moment

NO_SCHEDULE = "none: nothing is collected by itself; `fairway gc schedule --daily` has it done every night"


def schedule(
    *,
    hourly: Annotated[bool, typer.Option("--hourly", help="Every hour")] = False,
    daily: Annotated[bool, typer.Option("--daily", help="Every day at 00:00 UTC")] = False,
    weekly: Annotated[bool, typer.Option("--weekly", help="Every Sunday at 00:00 UTC")] = False,
    cron: Annotated[
        str, typer.Option(help='Six fields, seconds first, in UTC: "0 0 3 * * *" is every day at 03:00')
    ] = "",
    off: Annotated[bool, typer.Option("--off", help="No more runs by themselves")] = False,
    delete_untagged: Annotated[
        bool, typer.Option("--delete-untagged", help="Manifests without a tag, an index or a subject go, too")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Batches at a time", min=1, max=5, show_default="1")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Show when the collector runs by itself, or set it: with --hourly, --daily, --weekly, --cron or --off."""
    settings = load_settings(config, data_dir=data_dir)
    given = {
        crons.HOURLY: hourly,
        crons.DAILY: daily,
        crons.WEEKLY: weekly,
        crons.CUSTOM: bool(cron),
        crons.NONE: off,
    }
    asked = [style for style, chosen in given.items() if chosen]

    async def work(db: Database) -> Schedule | None:
        if len(asked) > 1:
            raise BadRequest("say one of --hourly, --daily, --weekly, --cron and --off")
        if (delete_untagged or workers is not None) and asked in ([], [crons.NONE]):
            raise BadRequest(
                "--delete-untagged and --workers belong to a schedule: say when, such as --daily"
            )
        if asked:
            await _arrange(db, asked[0], cron, {"delete_untagged": delete_untagged, "workers": workers})
        return await found(db)

    made = with_database(settings, work)
    if as_json:
        typer.echo(json.dumps(facts(made), indent=2))
    else:
        typer.echo(_told(made))
    _warn(settings, made)


async def found(conn: Conn) -> Schedule | None:
    """The collector's schedule."""
    return await schedules.of(conn, GARBAGE_COLLECTION)


async def _arrange(db: Database, style: str, cron: str, parameters: dict[str, Any]) -> None:
    if style == crons.NONE:
        await db.write(partial(schedules.remove, kind=GARBAGE_COLLECTION))
        return
    put = partial(
        schedules.put,
        kind=GARBAGE_COLLECTION,
        style=style,
        cron=crons.expression(style, cron),
        parameters=rules.parameters(parameters),
        asked_by="the command line",
    )
    await db.write(put)


def facts(made: Schedule | None) -> dict[str, Any] | None:
    """For a program: None without a schedule.  `next` is None for a date that comes no more."""
    if made is None:
        return None
    return {
        "type": made.style,
        "cron": made.cron,
        "next": moment(made.next_at) if made.comes else None,
        "parameters": dict(made.parameters),
    }


def line(made: Schedule | None) -> str:
    """For a person, in a line."""
    if made is None:
        return NO_SCHEDULE
    next_run = f"next run {second(made.next_at)}" if made.comes else "its date comes no more"
    return f"{made.style.lower()} ({made.cron}, UTC), {next_run}"


def _told(made: Schedule | None) -> str:
    if made is None:
        return f"schedule    {NO_SCHEDULE}"
    untagged = "are deleted" if made.parameters.get("delete_untagged") else "stay"
    text = (
        f"schedule    {line(made)}\nuntagged    {untagged}\nworkers     {made.parameters.get('workers', 1)}"
    )
    return f"{text}\ndry run     nothing is removed" if made.parameters.get("dry_run") else text


def _warn(settings: Settings, made: Schedule | None) -> None:
    try:
        rules.require_allowed(Switches(settings.gc_enabled, settings.read_only))
    except CollectionOff as error:
        if made is not None:
            typer.echo(f"These runs will fail as things are: {error.message}", err=True)
