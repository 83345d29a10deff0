"""Options that many commands share, and how a mistake is told."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fairway.core.oci.errors import FairwayError
from fairway.frame import log
from fairway.frame.settings import Settings, SettingsInvalid

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder for everything Fairway keeps.  Default: ./data",
        show_default=False,
        readable=False,  # whoever uses it says what is wrong with it, and what to do
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Settings file.  Default: fairway.toml, if there is one", show_default=False
    ),
]


def load_settings(config: Path | None, **given: object) -> Settings:
    """Settings from the command line, the environment and the file; a mistake ends the command."""
    default = Path("fairway.toml")
    file = config if config is not None else default if default.exists() else None
    try:
        settings = Settings.load(os.environ, file, **given)
    except SettingsInvalid as error:
        fail(error)
    log.configure(settings)
    return settings


def fail(error: FairwayError) -> NoReturn:
    """Say what is wrong, without a trace, and end with status 1."""
    sys.stderr.write(f"fairway: {error.message}\n")
    raise typer.Exit(1)
