"""`fairway migrate`, `fairway scrub`."""

import asyncio
import os
from typing import Annotated

import typer

from fairway.boot import build
from fairway.cli.options import ConfigFile, DataDir, fail, load_settings
from fairway.core.oci.errors import FairwayError
from fairway.features.artifacts.store import blobs
from fairway.features.registry import housekeeping
from fairway.frame.db.migrate import migrate as migrate_database
from fairway.frame.db.migrate import require_schema
from fairway.frame.settings import Settings

_BATCH = 50
_MEBIBYTE = 2**20


def migrate(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Bring the database to this version's schema (`serve` does it by itself)."""
    os.umask(0o027)
    settings = load_settings(config, data_dir=data_dir)
    try:
        changed = migrate_database(settings.database_url)
    except FairwayError as error:
        fail(error)
    typer.echo("The schema is up to date now." if changed else "The schema was up to date already.")


def scrub(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    rate: Annotated[int, typer.Option(help="MiB to read per second at most; 0 for no limit")] = 0,
) -> None:
    """Hash every stored blob again; what is damaged is not offered any more, and the next push repairs it."""
    settings = load_settings(config, data_dir=data_dir)
    try:
        found = asyncio.run(_scrub(settings, rate * _MEBIBYTE or None))
    except FairwayError as error:
        fail(error)
    if found.damaged:
        typer.echo(f"{found.damaged} damaged; the log names them.  Push those images again to repair them.")
    if found.unreadable:
        typer.echo(
            f"{found.unreadable} could not be read; the log names them and their files.  See to the disk and scrub again; "
            "remove the files that stay unreadable, and push those images again."
        )
    if found.damaged or found.unreadable:
        raise typer.Exit(1)
    typer.echo("No damage found.")


async def _scrub(settings: Settings, rate: float | None) -> housekeeping.Scrubbed:
    from fairway.cli.progress import bar

    found = housekeeping.Scrubbed()
    await require_schema(settings.database_url)
    async with build(settings) as parts:
        left = await blobs.count(parts.db)
        with bar("scrubbing", left) as advance:
            while left > 0:
                some = await housekeeping.scrub_once(
                    parts.db, parts.store, limit=min(_BATCH, left), rate=rate
                )
                if not some.looked_at:
                    break
                left -= some.looked_at
                found += some
                advance(some.looked_at)
    return found
