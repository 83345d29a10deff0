"""`fairway user add | password`: accounts, straight in the database, for whoever may read the data folder."""

import sys
from typing import Annotated

import typer

from fairway.cli.database import with_database
from fairway.cli.options import ConfigFile, DataDir, load_settings
from fairway.features.accounts import rules
from fairway.features.accounts.passwords import Hasher
from fairway.features.accounts.store import people
from fairway.frame.db import Database, UniqueViolation
from fairway.frame.web.errors import Conflict, NotFound

Name = Annotated[str, typer.Argument(help="User name")]


def add(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="Make a system administrator")] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Add an account in the database.  The password is asked for, or read from standard input if that is no terminal."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> None:
        rules.check_username(name)
        password_hash = await _hashed(_password())
        try:
            await db.write(lambda conn: people.create(conn, name, password_hash, sysadmin=admin))
        except UniqueViolation:
            raise Conflict(f"there is a user {name} already") from None

    with_database(settings, work)
    typer.echo(f"Added {name}.")


def password(name: Name, data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Set a new password in the database.  It is asked for, or read from standard input if that is no terminal."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> None:
        account = await people.by_name(db, name)
        if account is None:
            raise NotFound(f"there is no user {name}")
        password_hash = await _hashed(_password())
        await db.write(lambda conn: people.set_password(conn, account.id, password_hash))

    with_database(settings, work)
    typer.echo(f"Changed the password of {name}; refresh tokens made with the old one are void.")


def _password() -> str:
    if sys.stdin.isatty():
        chosen: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        chosen = sys.stdin.readline().rstrip("\n")
    rules.check_password(chosen)
    return chosen


async def _hashed(chosen: str) -> str:
    hasher = Hasher()
    try:
        return await hasher.hash(chosen)
    finally:
        hasher.close()
