"""`fairway version`."""

import typer

from fairway import __version__


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
