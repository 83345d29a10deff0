"""`fairway repo list | show | describe | delete`."""

from typing import Annotated, Any

import typer

from fairway.cli.progress import over
from fairway.cli.remote.asking import HubName, Yes, asking, parsed, sure
from fairway.cli.remote.complete import project_names, repository_names
from fairway.cli.remote.shown import All, AsJson, Column, Filter, Limit, Sort, moment, number, one, rows
from fairway.client import artifacts
from fairway.client.artifacts import RepositoryRow, parse_repository

app = typer.Typer(help="Repositories.", no_args_is_help=True)

Name = Annotated[
    Any,
    typer.Argument(
        help="Such as team/app",
        metavar="REPOSITORY",
        parser=parsed(parse_repository),
        autocompletion=repository_names,
    ),
]
Names = Annotated[
    list[Any],
    typer.Argument(
        help="Such as team/app",
        metavar="REPOSITORY…",
        parser=parsed(parse_repository),
        autocompletion=repository_names,
    ),
]

_COLUMNS: list[Column[RepositoryRow]] = [
    Column("name", lambda found: found.name),
    Column("artifacts", lambda found: found.artifact_count, number),
    Column("pulls", lambda found: found.pull_count, number),
    Column("changed", lambda found: found.update_time, moment),
    Column("description", lambda found: found.description),
]


@app.command("list")
def list_repositories(
    project: Annotated[
        str,
        typer.Argument(help="Only those of this project", metavar="[PROJECT]", autocompletion=project_names),
    ] = "",
    limit: Limit = 100,
    all_: All = False,
    q: Filter = "",
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List repositories."""
    with asking(hub) as opened:
        listing = artifacts.repositories(project, q=q, sort=sort)
        rows(opened, listing, _COLUMNS[:4], as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(repository: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show a repository."""
    with asking(hub) as opened:
        one(opened.ask(artifacts.repository(repository)), _COLUMNS, as_json=as_json)


@app.command()
def describe(
    repository: Name,
    text: Annotated[str, typer.Argument(help="What it says about itself; Markdown")],
    hub: HubName = "",
) -> None:
    """Set the description of a repository."""
    with asking(hub) as opened:
        opened.ask(artifacts.describe(repository, text))
        typer.echo(f"Described {repository}.")


@app.command()
def delete(names: Names, yes: Yes = False, hub: HubName = "") -> None:
    """Delete repositories with all that is in them."""
    sure(f"Delete {', '.join(names)} with all that is in it?", yes=yes)
    with asking(hub) as opened:
        for name in over("deleting", names):
            opened.ask(artifacts.delete_repository(name))
            typer.echo(f"Deleted {name}.")
