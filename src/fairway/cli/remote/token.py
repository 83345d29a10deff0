"""`fairway token create | list | revoke`: personal access tokens."""

from typing import Annotated

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, only, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import All, AsJson, Column, Limit, joined, moment, one, rows, yes_no
from fairway.client import tokens, users
from fairway.client.sync import Hub
from fairway.client.tokens import Made, Token

app = typer.Typer(
    help="Personal access tokens: to log in as yourself with no more rights than are needed.",
    no_args_is_help=True,
)

Whose = Annotated[
    str,
    typer.Option("--user", help="Those of this user; for system administrators", show_default=False),
]


def _places(found: Token | Made) -> list[str]:
    return ["*"] if found.projects is None else [each.name for each in found.projects]


_COLUMNS: list[Column[Token]] = [
    Column("number", lambda found: found.id),
    Column("name", lambda found: found.name),
    Column("may", lambda found: found.access, joined),
    Column("projects", _places, joined),
    Column("administers", lambda found: found.sysadmin, yes_no),
    Column("until", lambda found: found.expires_at, moment),
    Column("expired", lambda found: found.expired, yes_no),
    Column("used", lambda found: found.last_used, moment),
    Column("description", lambda found: found.description),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call it, such as laptop")],
    *,
    allow: Annotated[
        list[str],
        typer.Option(
            help="all that you may, read, or pull, push and delete; can be given several times",
            show_default=False,
        ),
    ],
    project: Annotated[
        list[str] | None,
        typer.Option(
            help="Only in this project; can be given several times.  Default: in all",
            show_default=False,
            autocompletion=project_names,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            help="How long it is good for.  Default: as long as is usual here", min=1, show_default=False
        ),
    ] = None,
    for_ever: Annotated[
        bool, typer.Option("--for-ever", help="It does not end by itself, where the hub allows that")
    ] = False,
    administer: Annotated[
        bool, typer.Option("--administer", help="Include administering the hub, if you do")
    ] = False,
    description: Annotated[str, typer.Option(help="What it is for")] = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """Make a token, and print it: once, nobody can see it again.

    It is good wherever your password is: for `docker login`, for the API, and for `fairway login`.
    """
    made = tokens.create(
        name,
        access=allow,
        projects=project or (),
        days=-1 if for_ever else days,
        sysadmin=administer,
        description=description,
    )
    columns: list[Column[Made]] = [
        Column("name", lambda found: found.name),
        Column("token", lambda found: found.token),
        Column("until", lambda found: found.expires_at, moment),
        Column("number", lambda found: found.id),
    ]
    with asking(hub) as opened:
        one(opened.ask(made), columns, as_json=as_json)
        typer.echo("Keep the token now: it is not shown again.", err=True)


@app.command("list")
def list_tokens(
    user: Whose = "",
    limit: Limit = 100,
    all_: All = False,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List your tokens."""
    with asking(hub) as opened:
        listing = tokens.listed(_id(opened, user))
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def revoke(
    several: Annotated[list[str], typer.Argument(help="Their numbers or names", metavar="TOKEN…")],
    user: Whose = "",
    yes: Yes = False,
    hub: HubName = "",
) -> None:
    """End tokens; whatever logs in with them cannot any more."""
    sure(f"Revoke {', '.join(several)}?", yes=yes)
    with asking(hub) as opened:
        owner = _id(opened, user)
        for each in over("revoking", several):
            opened.ask(tokens.revoke(_found(opened, each, owner), owner))
            say(f"Revoked {each}.")


def _id(hub: Hub, username: str) -> int | None:
    if not username:
        return None
    return only(hub, users.called(username), f"there is no user {username}").user_id


def _found(hub: Hub, text: str, owner: int | None) -> int:
    """A name counts before a number, for it may look like one."""
    known = list(hub.each(tokens.listed(owner)))  # a person has a few
    for each in (*(each for each in known if each.name == text), *known):
        if text in (each.name, str(each.id)):
            return each.id
    raise NotThere(f"there is no token {text}; `fairway token list` shows them")
