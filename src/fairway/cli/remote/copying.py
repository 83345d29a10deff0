"""`fairway artifact copy`."""

from typing import Annotated, Any

import typer

from fairway.cli.remote.asking import HubName, asking, parsed
from fairway.cli.remote.complete import repository_names
from fairway.client import artifacts
from fairway.client.artifacts import parse_named, parse_repository


def copy(
    artifact: Annotated[
        Any,
        typer.Argument(
            help="Such as team/app:v1 or team/app@sha256:…", metavar="ARTIFACT", parser=parsed(parse_named)
        ),
    ],
    to: Annotated[
        Any,
        typer.Argument(
            help="The repository to put it into, such as shop/app",
            metavar="REPOSITORY",
            parser=parsed(parse_repository),
            autocompletion=repository_names,
        ),
    ],
    hub: HubName = "",
) -> None:
    """Copy an artifact into another repository, inside the hub: nothing goes through this machine."""
    with asking(hub) as opened:
        opened.ask(artifacts.copy(artifact, to))
        typer.echo(f"{to} has {artifact} now.")
