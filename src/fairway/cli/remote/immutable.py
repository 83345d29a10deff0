"""`fairway immutable list | add | enable | disable | remove`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from fairway.cli.remote.asking import HubName, Yes, asking, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import All, AsJson, Column, Limit, Sort, rows, yes_no
from fairway.client import immutability
from fairway.client.immutability import Rule, Selector

app = typer.Typer(help="Tags that stay what they are, by rules of a project.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(help="The project's name", autocompletion=project_names)]
Number = Annotated[int, typer.Argument(help="The rule's number, as `list` shows it", metavar="RULE")]
Tags = Annotated[str, typer.Option(help="Which tags, such as 'v*'", show_default=False)]
ExcludeTags = Annotated[str, typer.Option(help="All tags but these", show_default=False)]
Repositories = Annotated[str, typer.Option(help="In which repositories, such as 'web/**'")]
ExcludeRepositories = Annotated[str, typer.Option(help="In all repositories but these", show_default=False)]
KindOf = Annotated[
    str,
    typer.Option("--kind", help="How patterns of tags are read: doublestar, regex or semver", metavar="KIND"),
]


def _pattern(selectors: Sequence[Selector]) -> str:
    return ", ".join(
        ("all but " if "xcludes" in each.decoration else "")
        + (each.pattern or "**")
        + ("" if each.kind == "doublestar" else f" ({each.kind})")
        for each in selectors
    )


_COLUMNS: list[Column[Rule]] = [
    Column("rule", lambda found: found.id),
    Column("in force", lambda found: not found.disabled, yes_no),
    Column("tags", lambda found: _pattern(found.tag_selectors)),
    Column("repositories", lambda found: _pattern(found.scope_selectors.get("repository", ()))),
]


@app.command("list")
def list_rules(
    project: Project,
    limit: Limit = 100,
    all_: All = False,
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List the rules of a project."""
    with asking(hub) as opened:
        listing = immutability.listed(project, sort=sort)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def add(
    project: Project,
    tags: Tags = "",
    exclude_tags: ExcludeTags = "",
    repositories: Repositories = "**",
    exclude_repositories: ExcludeRepositories = "",
    kind: KindOf = "doublestar",
    hub: HubName = "",
) -> None:
    """Make tags immutable: those that are there, and those that come, once they are there."""
    if bool(tags) == bool(exclude_tags):
        raise typer.BadParameter("say which tags: --tags '**' for all, or --exclude-tags for all but some")
    tag = Selector(kind, "excludes" if exclude_tags else "matches", exclude_tags or tags)
    where = Selector(
        "doublestar",
        "repoExcludes" if exclude_repositories else "repoMatches",
        exclude_repositories or repositories,
    )
    with asking(hub) as opened:
        made = opened.ask(immutability.create(project, tags=tag, repositories=where))
        typer.echo(f"Made rule {made}: tags {_pattern([tag])} in repositories {_pattern([where])} stay.")


@app.command()
def enable(project: Project, rule: Number, hub: HubName = "") -> None:
    """Let a rule be in force again."""
    with asking(hub) as opened:
        opened.ask(immutability.switch(project, rule, disabled=False))
        typer.echo(f"Rule {rule} of {project} is in force.")


@app.command()
def disable(project: Project, rule: Number, hub: HubName = "") -> None:
    """Let a rule be without force, so that its tags can be moved and deleted."""
    with asking(hub) as opened:
        opened.ask(immutability.switch(project, rule, disabled=True))
        typer.echo(f"Rule {rule} of {project} is not in force any more.")


@app.command()
def remove(project: Project, rule: Number, yes: Yes = False, hub: HubName = "") -> None:
    """Delete a rule."""
    sure(f"Delete rule {rule} of {project}?", yes=yes)
    with asking(hub) as opened:
        opened.ask(immutability.delete(project, rule))
        typer.echo(f"Deleted rule {rule} of {project}.")
