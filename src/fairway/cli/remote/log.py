"""`fairway log`: the audit log."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, asking
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import All, AsJson, Column, Filter, Limit, moment, rows, yes_no
from fairway.client import logs
from fairway.client.call import matching
from fairway.client.logs import Entry

_COLUMNS: list[Column[Entry]] = [
    Column("when", lambda found: found.op_time, moment),
    Column("user", lambda found: found.username),
    Column("did", lambda found: found.operation),
    Column("what", lambda found: found.resource_type),
    Column("which", lambda found: found.resource),
    Column("done", lambda found: found.operation_result, yes_no),
]


def log(
    project: Annotated[
        str,
        typer.Argument(
            help="Only what happened in this project", metavar="[PROJECT]", autocompletion=project_names
        ),
    ] = "",
    *,
    user: Annotated[str, typer.Option(help="Only what this user did")] = "",
    operation: Annotated[str, typer.Option(help="Only this, such as create, delete or pull")] = "",
    what: Annotated[str, typer.Option(help="Only with these, such as artifact, tag or member")] = "",
    since: Annotated[
        datetime | None,
        typer.Option(help="Only from then on, in UTC, such as 2026-01-31T12:00:00", show_default=False),
    ] = None,
    limit: Limit = 100,
    all_: All = False,
    q: Filter = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """Show who did what, the last first."""
    terms = [matching(username=user, operation=operation, resource_type=what), q]
    if since is not None:
        terms.append(f"op_time=[{since.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%S}~]")
    with asking(hub) as opened:
        listing = logs.listed(project, q=",".join(filter(None, terms)))
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)
