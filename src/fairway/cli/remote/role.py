"""`fairway role list | show | create | update | delete`: what members of projects may do."""

from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, parsed, sure
from fairway.cli.remote.shown import All, AsJson, Column, Limit, one, rows
from fairway.client import roles
from fairway.client.projects import ROLE_NAMES, ROLES
from fairway.client.roles import Role
from fairway.client.sync import Hub
from fairway.core.oci.errors import BadRequest

app = typer.Typer(help="Roles that members of projects can have.", no_args_is_help=True)


def _pair(text: str) -> str:
    resource, colon, action = text.partition(":")
    if not (resource and colon and action):
        raise BadRequest(f"{text!r} is no permission; write one such as repository:pull")
    return text


Name = Annotated[str, typer.Argument(help="The role's name", metavar="ROLE")]
Description = Annotated[str | None, typer.Option("--description", help="What it is for", show_default=False)]
_Pairs = typer.Option(metavar="RESOURCE:ACTION", parser=parsed(_pair), show_default=False)


def _name(role: Role) -> str:
    """As `--role` takes it."""
    return ROLE_NAMES.get(role.id, role.name)


_COLUMNS: list[Column[Role]] = [
    Column("name", _name),
    Column("members", lambda found: "" if found.members is None else found.members),
    Column("description", lambda found: found.description),
]
_DETAILS: list[Column[Role]] = [
    *_COLUMNS,
    Column("number", lambda found: found.id),
    Column("permissions", lambda found: " ".join(map(str, found.permissions))),
]


@app.command("list")
def list_roles(limit: Limit = 300, all_: All = False, as_json: AsJson = False, hub: HubName = "") -> None:
    """List roles: the five that every hub has, and those that its administrators made."""
    with asking(hub) as opened:
        rows(opened, roles.listed(), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(role: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show a role with all it holds."""
    with asking(hub) as opened:
        found = opened.ask(roles.get(the_role(opened, role).id))
        one(found, _DETAILS, as_json=as_json)


@app.command()
def create(
    role: Name,
    permissions: Annotated[
        list[str],
        typer.Argument(
            help="What it holds, such as repository:pull; `fairway role show admin` has all there is",
            metavar="RESOURCE:ACTION…",
            parser=parsed(_pair),
        ),
    ],
    description: Description = None,
    hub: HubName = "",
) -> None:
    """Make a role."""
    with asking(hub) as opened:
        opened.ask(roles.create(role, permissions, description=description or ""))
        typer.echo(f"Made the role {role}.")


@app.command()
def update(
    role: Name,
    add: Annotated[list[str] | None, _Pairs] = None,
    drop: Annotated[list[str] | None, _Pairs] = None,
    description: Description = None,
    name: Annotated[str, typer.Option("--name", help="Another name", show_default=False)] = "",
    hub: HubName = "",
) -> None:
    """Let a role hold more or less, for all who have it, from their next request on."""
    with asking(hub) as opened:
        found = the_role(opened, role)
        held = [str(each) for each in found.permissions]
        if missing := [each for each in drop or () if each not in held]:
            raise NotThere(
                f"{role} does not hold {missing[0]}; `fairway role show {role}` shows what it holds"
            )
        kept = [*(each for each in held if each not in (drop or ())), *(add or ())]
        told = found.description if description is None else description
        opened.ask(roles.change(found.id, name or found.name, kept, description=told))
        typer.echo(f"Changed the role {role}.")


@app.command()
def delete(role: Name, yes: Yes = False, hub: HubName = "") -> None:
    """Delete a role that nobody has."""
    sure(f"Delete the role {role}?", yes=yes)
    with asking(hub) as opened:
        opened.ask(roles.delete(the_role(opened, role).id))
        typer.echo(f"Deleted the role {role}.")


def the_role(hub: Hub, name: str) -> Role:
    """The one with exactly this name.  Raises NotThere."""
    found = find_role(hub, name)
    if found is None:
        raise NotThere(f"there is no role {name}; `fairway role list` shows them")
    return found


def find_role(hub: Hub, name: str) -> Role | None:
    """The one with exactly this name, as `fairway role list` has it, or as the API has."""
    for each in hub.each(roles.listed(name="" if name in ROLES else name)):
        if name in (_name(each), each.name):
            return each
    return None
