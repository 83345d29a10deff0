"""`fairway robot list | show | create | renew | disable | enable | delete`: accounts of programs."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.narrowed import Repositories, only
from fairway.cli.remote.shown import All, AsJson, Column, Limit, joined, moment, one, rows, yes_no
from fairway.client import projects, robots
from fairway.client.robots import Access, Created, Granted, Robot, Secret
from fairway.client.sync import Hub

app = typer.Typer(help="Accounts of programs, with rights of their own.", no_args_is_help=True)

RIGHTS: Final = {
    "pull": (("repository", "pull"),),
    "push": (("repository", "pull"), ("repository", "push")),
    "delete": (("artifact", "delete"), ("tag", "delete")),
}
"""Words for what is granted most."""

Which = Annotated[
    str, typer.Argument(help="Its number, or its name such as team+ci or robot$team+ci", metavar="ROBOT")
]
Several = Annotated[
    list[str],
    typer.Argument(help="Their numbers, or their names such as team+ci or robot$team+ci", metavar="ROBOT…"),
]


def _until(seconds: int) -> str:
    return "" if seconds < 0 else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rights(found: Robot) -> list[str]:
    return [
        f"{each.namespace}{only(each.repositories)} {access.resource}:{access.action}"
        for each in found.permissions
        for access in each.access
    ]


_COLUMNS: list[Column[Robot]] = [
    Column("number", lambda found: found.id),
    Column("name", lambda found: found.name),
    Column("disabled", lambda found: found.disable, yes_no),
    Column("until", lambda found: _until(found.expires_at), moment),
    Column("may", _rights, joined),
    Column("description", lambda found: found.description),
]


@app.command("list")
def list_robots(
    project: Annotated[
        str,
        typer.Argument(
            help="Those of this project; default: those that belong to none",
            metavar="[PROJECT]",
            autocompletion=project_names,
        ),
    ] = "",
    limit: Limit = 100,
    all_: All = False,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List robots."""
    with asking(hub) as opened:
        listing = robots.listed(_project(opened, project) if project else None)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(robot: Which, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show a robot and its rights."""
    with asking(hub) as opened:
        one(_found(opened, robot), _COLUMNS, as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its own name, such as ci")],
    project: Annotated[
        list[str] | None,
        typer.Argument(
            help="Where it may do something; with one project the robot belongs to that",
            metavar="PROJECT…",
            autocompletion=project_names,
        ),
    ] = None,
    *,
    all_projects: Annotated[bool, typer.Option("--all-projects", help="In every project")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="pull, push, delete or RESOURCE:ACTION; can be given several times.  Default: pull",
            show_default=False,
        ),
    ] = None,
    repository: Repositories = None,
    days: Annotated[int, typer.Option(help="How long it is good for", min=1)] = 30,
    for_ever: Annotated[bool, typer.Option("--for-ever", help="It does not end by itself")] = False,
    description: Annotated[str, typer.Option(help="What it is for")] = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """Make a robot, and print the secret it logs in with: once, nobody can see it again."""
    places = ["*"] if all_projects else project or []
    if not places or (all_projects and project):
        raise typer.BadParameter("name projects, or say --all-projects", param_hint="PROJECT")
    if repository and all_projects:
        raise typer.BadParameter("name the project that they are in", param_hint="--repository")
    access = _access(allow or ["pull"])
    permissions = [Granted("project", place, access, tuple(repository or ())) for place in places]
    level = "project" if len(places) == 1 and not all_projects else "system"
    with asking(hub) as opened:
        made = robots.create(
            name,
            level=level,
            permissions=permissions,
            days=-1 if for_ever else days,
            description=description,
        )
        columns: list[Column[Created]] = [
            Column("name", lambda found: found.name),
            Column("secret", lambda found: found.secret),
            Column("until", lambda found: _until(found.expires_at), moment),
            Column("number", lambda found: found.id),
        ]
        one(opened.ask(made), columns, as_json=as_json)
        _keep_it()


def _access(words: list[str]) -> tuple[Access, ...]:
    found: dict[Access, None] = {}
    for word in words:
        resource, colon, action = word.partition(":")
        if word not in RIGHTS and not (resource and colon and action):
            raise typer.BadParameter(
                f"{word!r} is no right; write pull, push, delete or RESOURCE:ACTION", param_hint="--allow"
            )
        for pair in RIGHTS.get(word, ((resource, action),)):
            found[Access(*pair)] = None
    return tuple(found)


def _keep_it() -> None:
    typer.echo("Keep the secret now: it is not shown again.", err=True)


@app.command()
def renew(robot: Which, yes: Yes = False, as_json: AsJson = False, hub: HubName = "") -> None:
    """Give a robot a new secret and print it: once.  The old one is void at once."""
    sure(f"Make the secret of {robot} void?", yes=yes)
    with asking(hub) as opened:
        found = _found(opened, robot)
        columns: list[Column[Secret]] = [
            Column("name", lambda _found: found.name),
            Column("secret", lambda made: made.secret),
        ]
        one(opened.ask(robots.renew(found.id)), columns, as_json=as_json)
        _keep_it()


@app.command()
def disable(several: Several, hub: HubName = "") -> None:
    """Let robots in no longer, until they are enabled again."""
    with asking(hub) as opened:
        for each in several:
            opened.ask(robots.set_disabled(_found(opened, each), disabled=True))
            typer.echo(f"{each} cannot log in any more.")


@app.command()
def enable(several: Several, hub: HubName = "") -> None:
    """Let robots in again."""
    with asking(hub) as opened:
        for each in several:
            opened.ask(robots.set_disabled(_found(opened, each), disabled=False))
            typer.echo(f"{each} can log in again.")


@app.command()
def delete(several: Several, yes: Yes = False, hub: HubName = "") -> None:
    """Delete robots."""
    sure(f"Delete {', '.join(several)}?", yes=yes)
    with asking(hub) as opened:
        for each in over("deleting", several):
            opened.ask(robots.delete(_found(opened, each).id))
            say(f"Deleted {each}.")


def _project(hub: Hub, name: str) -> int:
    return hub.ask(projects.get(name)).project_id


def _found(hub: Hub, text: str) -> Robot:
    """By its number, or by a name with or without the prefix that all have on this hub."""
    if text.isascii() and text.isdigit():
        return hub.ask(robots.get(int(text)))
    own = text.rpartition("$")[2]
    project, plus, _ = own.partition("+")
    for each in hub.each(robots.listed(_project(hub, project) if plus else None)):
        if each.name == text or each.name.rpartition("$")[2] == own:
            return each
    raise NotThere(
        f"there is no robot {text}; `fairway robot list{f' {project}' if plus else ''}` shows them"
    )
