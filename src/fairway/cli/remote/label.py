"""`fairway label list | create | set | delete | attach | detach`."""

from typing import Annotated

import typer

from fairway.cli.progress import over
from fairway.cli.remote.artifact import Name as Artifact
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import All, AsJson, Column, Limit, Sort, moment, rows
from fairway.client import labels, projects
from fairway.client.labels import Label
from fairway.client.sync import Hub

app = typer.Typer(help="Labels, and the artifacts they are on.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The label's name", metavar="LABEL")]
Names = Annotated[list[str], typer.Argument(help="The labels' names", metavar="LABEL…")]
Project = Annotated[
    str,
    typer.Option(
        "--project",
        "-p",
        help="Those of this project; default: those of the whole hub",
        show_default=False,
        autocompletion=project_names,
    ),
]
Color = Annotated[str | None, typer.Option(help="Such as #61717D", show_default=False)]
Description = Annotated[str | None, typer.Option(help="What it means", show_default=False)]

_COLUMNS: list[Column[Label]] = [
    Column("name", lambda found: found.name),
    Column("color", lambda found: found.color),
    Column("description", lambda found: found.description),
    Column("made", lambda found: found.creation_time, moment),
]


@app.command("list")
def list_labels(
    project: Project = "",
    limit: Limit = 100,
    all_: All = False,
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List labels."""
    with asking(hub) as opened:
        listing = labels.listed(_id(opened, project), sort=sort)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def create(
    label: Name,
    project: Project = "",
    color: Color = None,
    description: Description = None,
    hub: HubName = "",
) -> None:
    """Make a label."""
    with asking(hub) as opened:
        id = _id(opened, project)
        opened.ask(labels.create(label, id, color=color or "", description=description or ""))
        typer.echo(f"Made the label {label}.")


@app.command("set")
def change(
    label: Name,
    project: Project = "",
    name: Annotated[str, typer.Option(help="Its new name", show_default=False)] = "",
    color: Color = None,
    description: Description = None,
    hub: HubName = "",
) -> None:
    """Change a label."""
    if not name and color is None and description is None:
        raise typer.BadParameter("say what to change: --name, --color or --description", param_hint="OPTIONS")
    with asking(hub) as opened:
        found = _found(opened, label, _id(opened, project))
        opened.ask(
            labels.change(
                found.id,
                name=name or found.name,
                color=found.color if color is None else color,
                description=found.description if description is None else description,
            )
        )
        typer.echo(f"Changed the label {name or label}.")


@app.command()
def delete(names: Names, project: Project = "", yes: Yes = False, hub: HubName = "") -> None:
    """Delete labels, and take them off everything that has them."""
    sure(f"Delete the labels {', '.join(names)}?", yes=yes)
    with asking(hub) as opened:
        id = _id(opened, project)
        for name in over("deleting", names):
            opened.ask(labels.delete(_found(opened, name, id).id))
            typer.echo(f"Deleted the label {name}.")


@app.command()
def attach(artifact: Artifact, names: Names, hub: HubName = "") -> None:
    """Hang labels on an artifact: of its project, or else of the whole hub."""
    with asking(hub) as opened:
        id = _id(opened, artifact.repository.project)
        for name in names:
            opened.ask(labels.attach(artifact, _either(opened, name, id).id))
            typer.echo(f"{artifact} has the label {name} now.")


@app.command()
def detach(artifact: Artifact, names: Names, hub: HubName = "") -> None:
    """Take labels off an artifact."""
    with asking(hub) as opened:
        id = _id(opened, artifact.repository.project)
        for name in names:
            opened.ask(labels.detach(artifact, _either(opened, name, id).id))
            typer.echo(f"{artifact} has the label {name} no longer.")


def _id(hub: Hub, project: str) -> int | None:
    return hub.ask(projects.get(project)).project_id if project else None


def _one(hub: Hub, name: str, project_id: int | None) -> Label | None:
    """The hub's filter may be laxer than exact."""
    found = hub.each(labels.listed(project_id, name=name))
    return next((each for each in found if each.name == name), None)


def _found(hub: Hub, name: str, project_id: int | None) -> Label:
    found = _one(hub, name, project_id)
    if found is None:
        raise NotThere(f"there is no label {name}; `fairway label list` shows them")
    return found


def _either(hub: Hub, name: str, project_id: int | None) -> Label:
    return _one(hub, name, project_id) or _found(hub, name, None)
