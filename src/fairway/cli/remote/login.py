"""`fairway login | logout | whoami`: which hub is asked, and as whom."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fairway.cli.remote import credentials
from fairway.cli.remote.asking import HubName, Target, asking, fail, secret, target
from fairway.cli.remote.credentials import Known
from fairway.cli.remote.shown import AsJson, Column, one, yes_no
from fairway.client import users
from fairway.client.address import Address, Login, parse_address
from fairway.client.errors import ApiError
from fairway.client.sync import Hub
from fairway.client.users import User
from fairway.core.oci.errors import FairwayError

_ROBOTS = 412
"""What a hub answers a robot that asks which person it is."""


def login(
    hub: Annotated[
        str, typer.Argument(help="The hub's address, such as hub.example; default: FAIRWAY_HUB")
    ] = "",
    username: Annotated[
        str, typer.Option("--username", "-u", help="Who you are; asked for if not given")
    ] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file",
            help="Certificates to trust instead of this machine's",
            show_default=False,
            readable=False,
        ),
    ] = None,
) -> None:
    """Log in to a hub and remember it.

    The password is asked for.  Other commands ask this hub from now on.
    """
    text = hub or os.environ.get("FAIRWAY_HUB", "")
    if not text:
        raise typer.BadParameter("say which hub: its address, or FAIRWAY_HUB", param_hint="HUB")
    asked: Target | None = None
    try:
        address = parse_address(text)
        if not address.secure:
            typer.echo(f"Anybody on the way to {address} can read the password: use https.", err=True)
        name = username or os.environ.get("FAIRWAY_USERNAME", "") or _ask_for_name()
        chosen = os.environ.get("FAIRWAY_PASSWORD", "") if not (username or password_stdin) else ""
        who = Login(name, chosen or secret("Password", from_stdin=password_stdin))
        asked = Target(address, who, ca_file.absolute() if ca_file else None)
        with asked.open() as opened:
            _check(opened)
        known = Known(who, str(asked.ca_file or ""))
        credentials.save(credentials.load().with_hub(address, known))
    except FairwayError as error:
        _refused(error, asked)
    typer.echo(f"Logged in to {address} as {name}.")


def _ask_for_name() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("say who you are with --username", param_hint="--username")
    found: str = typer.prompt("User name")
    return found


def _refused(error: FairwayError, asked: Target | None) -> NoReturn:
    if isinstance(error, ApiError) and error.status == 401 and asked is not None and asked.login is not None:
        error = type(error)(
            0, error.code, f"{asked.address} does not accept this password of {asked.login.username}"
        )
    fail(error, asked)


def _check(hub: Hub) -> User | None:
    """Who the login belongs to; None for a robot.  Raises ClientError."""
    try:
        return hub.ask(users.current())
    except ApiError as error:
        if error.status == _ROBOTS:
            return None
        raise


def logout(
    hub: Annotated[str, typer.Argument(help="The hub's address; default: the one that is asked")] = "",
) -> None:
    """Forget a hub and the login to it."""
    try:
        hubs = credentials.load()
        text = hub or hubs.default
        if not text:
            typer.echo("You are not logged in anywhere.")
            return
        address = parse_address(text)
        if str(address) not in hubs.known:
            typer.echo(f"You are not logged in to {address}.")
            return
        left = hubs.without(str(address))
        credentials.save(left)
    except FairwayError as error:
        fail(error)
    typer.echo(f"Forgot {address}." + (f"  Commands ask {left.default} now." if left.default else ""))


def whoami(hub: HubName = "", as_json: AsJson = False) -> None:
    """Show which hub is asked, and as whom."""
    with asking(hub) as opened:
        found = _check(opened)
        if found is None:
            known = target(hub)
            found = User(0, known.login.username if known.login else "")
        one(found, _columns(opened.address), as_json=as_json)


def _columns(address: Address) -> list[Column[User]]:
    return [
        Column("user", lambda found: found.username),
        Column("hub", lambda _found: str(address)),
        Column("administrator", lambda found: found.sysadmin_flag, yes_no),
    ]
