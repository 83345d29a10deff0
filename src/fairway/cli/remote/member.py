"""`fairway member list | add | set | remove`: who belongs to a project, and in which role."""

from enum import StrEnum
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, NotThere, asking
from fairway.cli.remote.group import the_group
from fairway.cli.remote.project import Name
from fairway.cli.remote.shown import All, AsJson, Column, Limit, rows
from fairway.client import projects
from fairway.client.projects import ROLES, Member
from fairway.client.sync import Hub

app = typer.Typer(help="Who belongs to a project.", no_args_is_help=True)


class RoleName(StrEnum):
    """What a member may do, the most first."""

    ADMIN = "admin"
    MAINTAINER = "maintainer"
    DEVELOPER = "developer"
    GUEST = "guest"
    LIMITED_GUEST = "limited-guest"


Role = Annotated[
    RoleName,
    typer.Option(
        "--role",
        help="admin: everything; maintainer: delete; developer: push; guest: see all and pull; limited-guest: pull",
        case_sensitive=False,
    ),
]
Username = Annotated[str, typer.Argument(help="The user's name", metavar="USER")]
Usernames = Annotated[list[str], typer.Argument(help="The users' names", metavar="USER…")]

_COLUMNS: list[Column[Member]] = [
    Column("name", lambda found: found.entity_name),
    Column("role", lambda found: found.role),
    Column("kind", lambda found: "group" if found.entity_type == "g" else "user"),
]


@app.command("list")
def list_members(
    project: Name, limit: Limit = 100, all_: All = False, as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List the members of a project."""
    with asking(hub) as opened:
        rows(opened, projects.members(project), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def add(
    project: Name,
    users: Usernames,
    role: Role,
    groups: Annotated[bool, typer.Option("--group", help="The names are those of groups of people")] = False,
    hub: HubName = "",
) -> None:
    """Take people into a project, or with --group all who are in a group."""
    with asking(hub) as opened:
        for user in users:
            if groups:
                opened.ask(projects.add_group(project, the_group(opened, user).id, ROLES[role]))
            else:
                opened.ask(projects.add_member(project, user, ROLES[role]))
            typer.echo(f"{user} is {role} in {project} now.")


@app.command("set")
def change(project: Name, user: Username, role: Role, hub: HubName = "") -> None:
    """Give a member another role."""
    with asking(hub) as opened:
        opened.ask(projects.set_role(project, _member(opened, project, user).id, ROLES[role]))
        typer.echo(f"{user} is {role} in {project} now.")


@app.command()
def remove(project: Name, users: Usernames, hub: HubName = "") -> None:
    """Put members out of a project."""
    with asking(hub) as opened:
        for user in users:
            opened.ask(projects.remove_member(project, _member(opened, project, user).id))
            typer.echo(f"{user} does not belong to {project} any more.")


def _member(hub: Hub, project: str, user: str) -> Member:
    for found in hub.each(projects.members(project, name=user)):
        if found.entity_name == user:
            return found
    raise NotThere(f"{project} has no member {user}; `fairway member list {project}` shows them")
