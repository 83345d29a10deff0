"""The commands of `fairway user` that ask a hub."""

from dataclasses import dataclass
from typing import Annotated

import typer

from fairway.cli.progress import over
from fairway.cli.remote.asking import HubName, Yes, asking, only, secret, sure
from fairway.cli.remote.shown import All, AsJson, Column, Filter, Limit, Sort, moment, one, rows, yes_no
from fairway.client import users
from fairway.client.sync import Hub
from fairway.client.users import User

Name = Annotated[str, typer.Argument(help="The user's name", metavar="USER")]
MaybeName = Annotated[str, typer.Argument(help="The user's name; default: you", metavar="[USER]")]
Names = Annotated[list[str], typer.Argument(help="The users' names", metavar="USER…")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input")
]
Email = Annotated[str | None, typer.Option(help="Their address", show_default=False)]
RealName = Annotated[str | None, typer.Option("--name", help="What they are called", show_default=False)]
Comment = Annotated[str | None, typer.Option(help="At most 30 characters", show_default=False)]

_COLUMNS: list[Column[User]] = [
    Column("user", lambda found: found.username),
    Column("administrator", lambda found: found.sysadmin_flag, yes_no),
    Column("name", lambda found: found.realname),
    Column("email", lambda found: found.email),
    Column("since", lambda found: found.creation_time, moment),
]
_MORE: list[Column[User]] = [Column("comment", lambda found: found.comment)]


@dataclass(frozen=True, slots=True)
class _Profile:
    email: str
    realname: str
    comment: str


def list_users(
    name: Annotated[str, typer.Option("--match", help="Only those with this in their user name")] = "",
    limit: Limit = 100,
    all_: All = False,
    q: Filter = "",
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List accounts."""
    with asking(hub) as opened:
        listing = users.listed(name=name, q=q, sort=sort)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


def show(user: MaybeName = "", as_json: AsJson = False, hub: HubName = "") -> None:
    """Show an account; without a name, your own."""
    with asking(hub) as opened:
        one(_found(opened, user), [*_COLUMNS, *_MORE], as_json=as_json)


def create(
    user: Name,
    email: Email = None,
    name: RealName = None,
    comment: Comment = None,
    admin: Annotated[bool, typer.Option("--admin", help="Administers the whole hub")] = False,
    password_stdin: PasswordStdin = False,
    hub: HubName = "",
) -> None:
    """Make an account."""
    chosen = secret("Password", from_stdin=password_stdin, confirm=True)
    with asking(hub) as opened:
        made = users.create(user, chosen, email=email or "", realname=name or "", comment=comment or "")
        id = opened.ask(made)
        if admin:
            opened.ask(users.set_sysadmin(id or _found(opened, user).user_id, sysadmin=True))
        typer.echo(f"Made {user}{', who administers the hub' if admin else ''}.")


def change(
    user: Name,
    email: Email = None,
    name: RealName = None,
    comment: Comment = None,
    admin: Annotated[
        bool | None,
        typer.Option("--admin/--no-admin", help="Whether they administer the whole hub", show_default=False),
    ] = None,
    hub: HubName = "",
) -> None:
    """Change what is known of somebody, and whether they administer the hub."""
    if (email, name, comment, admin) == (None, None, None, None):
        raise typer.BadParameter("say what to change; --help shows what there is", param_hint="OPTIONS")
    with asking(hub) as opened:
        found = _found(opened, user)
        old = _Profile(found.email, found.realname, found.comment)
        new = _Profile(
            old.email if email is None else email,
            old.realname if name is None else name,
            old.comment if comment is None else comment,
        )
        if new != old:
            opened.ask(
                users.set_profile(found.user_id, email=new.email, realname=new.realname, comment=new.comment)
            )
        if admin is not None:
            opened.ask(users.set_sysadmin(found.user_id, sysadmin=admin))
        typer.echo(f"Changed {user}.")


def change_password(user: MaybeName = "", password_stdin: PasswordStdin = False, hub: HubName = "") -> None:
    """Set a new password; without a name, your own.

    Your own old password is asked for first, and is the first line of standard input, the new one the second.
    """
    with asking(hub) as opened:
        me = opened.ask(users.current())
        found = me if user in ("", me.username) else _found(opened, user)
        own = found.user_id == me.user_id
        old = secret("Old password", from_stdin=password_stdin) if own else ""
        new = secret("New password", from_stdin=password_stdin, confirm=True)
        opened.ask(users.set_password(found.user_id, new, old=old))
        again = f"; do: fairway login {opened.address}" if own else ""
        typer.echo(f"Changed the password of {found.username}{again}.")


def delete(names: Names, yes: Yes = False, hub: HubName = "") -> None:
    """Close accounts."""
    sure(f"Close the account of {', '.join(names)}?", yes=yes)
    with asking(hub) as opened:
        for name in over("deleting", names):
            opened.ask(users.delete(_found(opened, name).user_id))
            typer.echo(f"Closed the account of {name}.")


def _found(hub: Hub, name: str) -> User:
    if not name:
        return hub.ask(users.current())
    missing = f"there is no user {name}; `fairway user list` shows them"
    return only(hub, users.called(name), missing)
