"""`fairway member list | add | set | remove`: who belongs to a project, and in which role."""

from collections.abc import Sequence
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, NotThere, asking
from fairway.cli.remote.group import the_group
from fairway.cli.remote.narrowed import Repositories, only
from fairway.cli.remote.project import Name
from fairway.cli.remote.role import find_role
from fairway.cli.remote.shown import All, AsJson, Column, Limit, rows
from fairway.client import projects
from fairway.client.projects import ROLES, Member
from fairway.client.sync import Hub

app = typer.Typer(help="Who belongs to a project.", no_args_is_help=True)


def _lower(text: str) -> str:
    return text.lower()


Role = Annotated[
    str,
    typer.Option(
        "--role",
        help="admin: everything; maintainer: delete; developer: push; guest: see all and pull; limited-guest: pull; "
        "or one that `fairway role list` shows",
        metavar="ROLE",
        parser=_lower,
    ),
]
Username = Annotated[str, typer.Argument(help="The user's name", metavar="USER")]
Usernames = Annotated[list[str], typer.Argument(help="The users' names", metavar="USER…")]

_COLUMNS: list[Column[Member]] = [
    Column("name", lambda found: found.entity_name),
    Column("role", lambda found: found.role + only(found.repositories)),
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
    repository: Repositories = None,
    hub: HubName = "",
) -> None:
    """Take people into a project, or with --group all who are in a group."""
    patterns = repository or ()
    with asking(hub) as opened:
        number = _number(opened, role)
        for user in users:
            if groups:
                opened.ask(projects.add_group(project, the_group(opened, user).id, number, patterns))
            else:
                opened.ask(projects.add_member(project, user, number, patterns))
            typer.echo(f"{user} is {role} in {_where(project, patterns)} now.")


@app.command("set")
def change(
    project: Name,
    user: Username,
    role: Role,
    repository: Repositories = None,
    whole: Annotated[bool, typer.Option("--all-repositories", help="In all of the project")] = False,
    hub: HubName = "",
) -> None:
    """Give a member another role. Which repositories it is for stays as it is unless said otherwise."""
    if whole and repository:
        raise typer.BadParameter("say one of the two", param_hint="--repository and --all-repositories")
    patterns = () if whole else repository or None
    with asking(hub) as opened:
        number = _number(opened, role)
        member = _member(opened, project, user)
        opened.ask(projects.set_role(project, member.id, number, patterns))
        where = _where(project, member.repositories if patterns is None else patterns)
        typer.echo(f"{user} is {role} in {where} now.")


def _where(project: str, patterns: Sequence[str]) -> str:
    return f"{', '.join(patterns)} of {project}" if patterns else project


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


def _number(hub: Hub, role: str) -> int:
    """The id of a role.  Raises BadParameter for one that there is not."""
    if role in ROLES:
        return ROLES[role]
    found = find_role(hub, role)
    if found is None:
        known = ", ".join(f"'{each}'" for each in ROLES)
        raise typer.BadParameter(f"'{role}' is not one of {known}, nor one that `fairway role list` shows")
    return found.id
