"""`fairway user`: accounts, over the API for who is logged in to a hub, and in the database for who runs it.

Two of the commands work in the database, whether the hub runs or not: `add` and `password`, with which an operator makes
the first accounts and gets back in.  All others ask a hub, and take `--hub`.
"""

from typing import Final

import typer

from fairway.cli import lazy
from fairway.cli.lazy import Entry

_API: Final = "Over the API, of the hub you are logged in to"
_DATABASE: Final = "In the database, for who may read the data folder"
_REMOTE: Final = "fairway.cli.remote.user"

TABLE: Final[lazy.Table] = {
    "list": Entry(f"{_REMOTE}:list_users", "List accounts.", _API),
    "show": Entry(f"{_REMOTE}:show", "Show an account; without a name, your own.", _API),
    "create": Entry(f"{_REMOTE}:create", "Make an account.", _API),
    "set": Entry(
        f"{_REMOTE}:change", "Change what is known of somebody, and whether they administer the hub.", _API
    ),
    "change-password": Entry(
        f"{_REMOTE}:change_password", "Set a new password; without a name, your own.", _API
    ),
    "delete": Entry(f"{_REMOTE}:delete", "Close accounts.", _API),
    "add": Entry(
        "fairway.cli.users:add",
        "Add an account in the database.  The password is asked for, or read from standard input if that is no terminal.",
        _DATABASE,
    ),
    "password": Entry(
        "fairway.cli.users:password",
        "Set a new password in the database.  It is asked for, or read from standard input if that is no terminal.",
        _DATABASE,
    ),
}

app = typer.Typer(cls=lazy.group(TABLE), help="Accounts.", no_args_is_help=True)


@app.callback()
def _user() -> None:
    """Without a command of its own: what is here makes it a group."""
