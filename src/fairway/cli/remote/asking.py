"""Whom a command asks, as whom, and how what goes wrong is told: in a line, with status 1."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from fairway.cli.remote import credentials
from fairway.client.address import Address, Login, parse_address
from fairway.client.call import Listing
from fairway.client.errors import ApiError, ClientError
from fairway.client.sync import Hub
from fairway.core.oci.errors import FairwayError

T = TypeVar("T")

HubName = Annotated[
    str,
    typer.Option(
        "--hub",
        metavar="HUB",
        help="Ask this hub.  Default: FAIRWAY_HUB, else the one logged in to last",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant")]


class NotLoggedIn(ClientError):
    """No hub is known, or half a login."""


@dataclass(frozen=True, slots=True)
class Target:
    """A hub, the login for it (None: nobody), and certificates to trust."""

    address: Address
    login: Login | None
    ca_file: Path | None = None

    def open(self, *, seconds: float = 60.0, patient: bool = True) -> Hub:
        """The hub, to ask."""
        return Hub(self.address, self.login, ca_file=self.ca_file, seconds=seconds, patient=patient)


def target(named: str) -> Target:
    """The hub that is meant and the login for it.  Raises ClientError.

    The login is that of FAIRWAY_USERNAME and FAIRWAY_PASSWORD, else the one that `fairway login` kept, else docker's.
    """
    usual = os.environ.get("FAIRWAY_HUB", "")
    hubs = credentials.load()
    text = named or usual or hubs.default
    if not text:
        raise NotLoggedIn("which hub?  Do `fairway login HUB` first, or name one with --hub or FAIRWAY_HUB")
    address = parse_address(text)
    known = hubs.known.get(str(address))
    login = _of_environment(address, usual)
    if login is None:
        login = known.login if known else credentials.of_docker(address)
    return Target(address, login, Path(known.ca_file) if known and known.ca_file else None)


def _of_environment(address: Address, usual: str) -> Login | None:
    username, secret = os.environ.get("FAIRWAY_USERNAME", ""), os.environ.get("FAIRWAY_PASSWORD", "")
    if bool(username) != bool(secret):
        raise NotLoggedIn("set both FAIRWAY_USERNAME and FAIRWAY_PASSWORD, or neither")
    if not username or (usual and parse_address(usual) != address):
        return None  # that login is for another hub
    return Login(username, secret)


@contextmanager
def asking(named: str) -> Iterator[Hub]:
    """The hub that is meant.  What goes wrong inside ends the command."""
    found: Target | None = None
    try:
        found = target(named)
        with found.open() as hub:
            yield hub
    except FairwayError as error:
        fail(error, found)


def fail(error: FairwayError, asked: Target | None = None) -> NoReturn:
    """Say what is wrong and what to do, and end with status 1."""
    sys.stderr.write(f"fairway: {_printable(told(error, asked))}\n")
    raise typer.Exit(1)


def told(error: FairwayError, asked: Target | None) -> str:
    """An error in words for somebody at a terminal."""
    if not isinstance(error, ApiError):
        return error.message
    if error.status == 401 and asked is not None:
        if asked.login is None:
            return f"{asked.address} wants to know who you are; do: fairway login {asked.address}"
        who = asked.login.username
        return f"{asked.address} does not accept this password of {who}; do: fairway login {asked.address}"
    advice = error.advice
    if error.status == 403 and asked is not None:
        who = "whoever is not logged in" if asked.login is None else asked.login.username
        advice = f"{who} lacks the role for this; `fairway member list` shows who may give it"
    if error.status == 404 and error.code == "NOT_FOUND" and "nothing is served" in error.message:
        return "this hub does not offer that; is it an older version, and is this its address?"
    return f"{error.message}; {advice}" if advice else error.message


def _printable(text: str) -> str:
    """Without what a terminal would act on: the words are the hub's."""
    return "".join(each if each.isprintable() else "�" for each in text)


def sure(question: str, *, yes: bool) -> None:
    """Ask whether it is meant; without a terminal to ask at, `--yes` must say so."""
    if yes:
        return
    if not sys.stdin.isatty():
        sys.stderr.write("fairway: nothing was changed; say that you mean it with --yes\n")
        raise typer.Exit(1)
    if not typer.confirm(question, err=True):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(1)


def parsed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of arguments whose complaints are told as those of the command line, with status 2."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except FairwayError as error:
            raise typer.BadParameter(error.message) from None

    convert.__name__ = parse.__name__
    return convert


def secret(what: str, *, from_stdin: bool, confirm: bool = False) -> str:
    """A password: asked for at the terminal, or the first line of standard input.  Never an argument."""
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        found = typer.prompt(what, hide_input=True, confirmation_prompt=confirm)
    else:
        sys.stderr.write("fairway: there is no terminal to ask for a password; use --password-stdin\n")
        raise typer.Exit(1)
    if not found:
        sys.stderr.write("fairway: the password is empty\n")
        raise typer.Exit(1)
    return found


def only(hub: Hub, listing: Listing[T], missing: str) -> T:
    """The one thing on a list.  Raises ClientError with `missing` when there is none."""
    for found in hub.each(listing):
        return found
    raise NotThere(missing)


class NotThere(ClientError):
    """What was named by a name of which the API knows only ids is not there."""
