"""`fairway group list | create | people | add | remove | delete`: people who get a role in a project together."""

from enum import StrEnum
from typing import Annotated

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, sure
from fairway.cli.remote.shown import All, AsJson, Column, Limit, rows
from fairway.client import groups
from fairway.client.groups import KIND_NAMES, KINDS, Group, Person
from fairway.client.sync import Hub

app = typer.Typer(help="Groups of people.", no_args_is_help=True)


class Kind(StrEnum):
    """Where the names of groups come from."""

    OIDC = "oidc"
    LDAP = "ldap"
    HTTP = "http"


Name = Annotated[str, typer.Argument(help="The group's name", metavar="GROUP")]
Names = Annotated[list[str], typer.Argument(help="The groups' names", metavar="GROUP…")]
Usernames = Annotated[list[str], typer.Argument(help="The users' names", metavar="USER…")]

_COLUMNS: list[Column[Group]] = [
    Column("name", lambda found: found.group_name),
    Column("kind", lambda found: KIND_NAMES.get(found.group_type, "")),
    Column("dn", lambda found: found.ldap_group_dn),
]
_PEOPLE: list[Column[Person]] = [Column("name", lambda found: found.username)]


@app.command("list")
def list_groups(
    match: Annotated[str, typer.Option(help="Only those with this in their name")] = "",
    limit: Limit = 100,
    all_: All = False,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List groups."""
    with asking(hub) as opened:
        rows(opened, groups.listed(name=match), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def create(
    group: Name,
    kind: Annotated[Kind, typer.Option(help="Which directory knows it by this name")] = Kind.OIDC,
    ldap_dn: Annotated[
        str, typer.Option("--ldap-dn", help="Its distinguished name, of an LDAP group", show_default=False)
    ] = "",
    hub: HubName = "",
) -> None:
    """Make a group."""
    with asking(hub) as opened:
        opened.ask(groups.create(group, KINDS[kind], ldap_dn=ldap_dn))
        typer.echo(f"Made the group {group}.")


@app.command()
def people(
    group: Name, limit: Limit = 100, all_: All = False, as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List who is in a group."""
    with asking(hub) as opened:
        listing = groups.people(the_group(opened, group).id)
        rows(opened, listing, _PEOPLE, as_json=as_json, all_=all_, limit=limit)


@app.command()
def add(group: Name, users: Usernames, hub: HubName = "") -> None:
    """Put people into a group."""
    with asking(hub) as opened:
        found = the_group(opened, group)
        for user in users:
            opened.ask(groups.add(found.id, user))
            typer.echo(f"{user} is in {group} now.")


@app.command()
def remove(group: Name, users: Usernames, hub: HubName = "") -> None:
    """Take people out of a group."""
    with asking(hub) as opened:
        found = the_group(opened, group)
        known = {each.username: each.user_id for each in opened.each(groups.people(found.id))}
        for user in users:
            if user not in known:
                raise NotThere(f"{user} is not in {group}; `fairway group people {group}` shows who is")
            opened.ask(groups.remove(found.id, known[user]))
            typer.echo(f"{user} is not in {group} any more.")


@app.command()
def delete(names: Names, yes: Yes = False, hub: HubName = "") -> None:
    """Delete groups; who is in them loses the roles that they had by that."""
    sure(f"Delete the groups {', '.join(names)}?", yes=yes)
    with asking(hub) as opened:
        for name in over("deleting", names):
            opened.ask(groups.delete(the_group(opened, name).id))
            say(f"Deleted the group {name}.")


def the_group(hub: Hub, name: str) -> Group:
    """The one with exactly this name.  Raises NotThere."""
    for each in hub.each(groups.found(name)):
        if each.group_name == name:
            return each
    raise NotThere(f"there is no group {name}; `fairway group list` shows them")
