"""`fairway artifact list | show | tags | copy | delete`: images and other artifacts."""

from typing import Annotated, Any

import typer

from fairway.cli.progress import over
from fairway.cli.remote import copying
from fairway.cli.remote.asking import HubName, Yes, asking, parsed, sure
from fairway.cli.remote.repo import Name as Repository
from fairway.cli.remote.shown import (
    All,
    AsJson,
    Column,
    Filter,
    Limit,
    Sort,
    joined,
    moment,
    one,
    rows,
)
from fairway.cli.remote.sizes import size_text
from fairway.cli.remote.tag import COLUMNS as TAG_COLUMNS
from fairway.client import artifacts
from fairway.client.artifacts import Artifact, parse_named

app = typer.Typer(help="Images and other artifacts.", no_args_is_help=True)

Name = Annotated[
    Any,
    typer.Argument(
        help="Such as team/app:v1 or team/app@sha256:…", metavar="ARTIFACT", parser=parsed(parse_named)
    ),
]
Names = Annotated[
    list[Any],
    typer.Argument(
        help="Such as team/app:v1 or team/app@sha256:…", metavar="ARTIFACT…", parser=parsed(parse_named)
    ),
]

_COLUMNS: list[Column[Artifact]] = [
    Column("digest", lambda found: found.digest),
    Column("tags", lambda found: found.tag_names, joined),
    Column("type", lambda found: found.type),
    Column("size", lambda found: found.size, size_text),
    Column("pushed", lambda found: found.push_time, moment),
    Column("pulled", lambda found: found.pull_time, moment),
]
_MORE: list[Column[Artifact]] = [
    Column("repository", lambda found: found.repository_name),
    Column("media type", lambda found: found.manifest_media_type),
    Column("platforms", lambda found: [_platform(each) for each in found.references], joined),
    Column("accessories", lambda found: [f"{each.type} {each.digest}" for each in found.accessories], joined),
]


def _platform(child: artifacts.Child) -> str:
    if child.platform is None:
        return child.child_digest
    parts = (child.platform.os, child.platform.architecture, child.platform.variant)
    return "/".join(filter(None, parts)) or child.child_digest


app.command("copy")(copying.copy)


@app.command("list")
def list_artifacts(
    repository: Repository,
    limit: Limit = 100,
    all_: All = False,
    q: Filter = "",
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List the artifacts of a repository, the last pushed one first."""
    with asking(hub) as opened:
        listing = artifacts.listed(repository, q=q, sort=sort)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(artifact: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show an artifact."""
    with asking(hub) as opened:
        one(opened.ask(artifacts.get(artifact)), [*_COLUMNS, *_MORE], as_json=as_json)


@app.command()
def tags(
    artifact: Name, limit: Limit = 100, all_: All = False, as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List the tags of an artifact."""
    with asking(hub) as opened:
        rows(opened, artifacts.tags(artifact), TAG_COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def delete(names: Names, yes: Yes = False, hub: HubName = "") -> None:
    """Delete artifacts with all their tags, signatures and other accessories."""
    sure(f"Delete {', '.join(map(str, names))} with all tags?", yes=yes)
    with asking(hub) as opened:
        for name in over("deleting", names):
            opened.ask(artifacts.delete(name))
            typer.echo(f"Deleted {name}.")
