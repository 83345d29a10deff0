"""`fairway quota list | show | set`: how much projects may store, and do."""

from typing import Annotated, Any

import typer

from fairway.cli.remote.asking import HubName, NotThere, asking, only, parsed
from fairway.cli.remote.project import Name
from fairway.cli.remote.shown import All, AsJson, Column, Limit, Sort, one, rows
from fairway.cli.remote.sizes import parse_size, size_text
from fairway.client import projects, quotas
from fairway.client.projects import SummaryQuota
from fairway.client.quotas import Quota

app = typer.Typer(help="How much projects may store.", no_args_is_help=True)

_COLUMNS: list[Column[Quota]] = [
    Column("project", lambda found: found.ref.name),
    Column("used", lambda found: found.used.storage, size_text),
    Column("limit", lambda found: found.hard.storage, size_text),
]


@app.command("list")
def list_quotas(
    limit: Limit = 100, all_: All = False, sort: Sort = "", as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List the quotas of all projects; --sort=-used.storage shows the largest first."""
    with asking(hub) as opened:
        rows(opened, quotas.listed(sort=sort), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(project: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show what a project may store, and does."""
    with asking(hub) as opened:
        found = opened.ask(projects.summary(project)).quota
        if found is None:
            raise NotThere(f"only members of {project} may see its quota")
        columns: list[Column[SummaryQuota]] = [
            Column("project", lambda _found: project),
            Column("used", lambda found: found.used.storage, size_text),
            Column("limit", lambda found: found.hard.storage, size_text),
        ]
        one(found, columns, as_json=as_json)


@app.command("set")
def change(
    project: Name,
    size: Annotated[
        Any, typer.Argument(help="Such as 10GiB, or unlimited", metavar="SIZE", parser=parsed(parse_size))
    ],
    hub: HubName = "",
) -> None:
    """Set how much a project may store.  Below what it has, it can only delete."""
    with asking(hub) as opened:
        id = opened.ask(projects.get(project)).project_id
        quota = only(opened, quotas.listed(project_id=id), f"{project} has no quota")
        opened.ask(quotas.set_limit(quota.id, size))
        used = size_text(quota.used.storage)
        typer.echo(f"{project} may store {size_text(size)} now; it has {used}.")
