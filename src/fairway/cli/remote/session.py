"""`fairway session list | end`: the browsers in which one is logged in."""

from typing import Annotated

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, asking
from fairway.cli.remote.shown import All, AsJson, Column, Limit, Sort, moment, rows
from fairway.client import sessions
from fairway.client.sessions import Session

app = typer.Typer(help="Browsers in which you are logged in.", no_args_is_help=True)

Ids = Annotated[list[int], typer.Argument(help="Their numbers", metavar="SESSION…", min=1)]

_COLUMNS: list[Column[Session]] = [
    Column("session", lambda found: found.id),
    Column("from", lambda found: found.client_address),
    Column("since", lambda found: found.creation_time, moment),
    Column("used", lambda found: found.last_seen_time, moment),
    Column("until", lambda found: found.expiration_time, moment),
    Column("browser", lambda found: found.browser),
]


@app.command("list")
def list_sessions(
    limit: Limit = 100, all_: All = False, sort: Sort = "", as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List the browsers in which you are logged in, the newest first."""
    with asking(hub) as opened:
        rows(opened, sessions.listed(sort=sort), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def end(ids: Ids, hub: HubName = "") -> None:
    """Log browsers out, such as that of a lost laptop.  Change your password if somebody may know it."""
    with asking(hub) as opened:
        for each in over("ending", ids):
            opened.ask(sessions.end(each))
            say(f"Ended session {each}.")
