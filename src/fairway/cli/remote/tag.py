"""`fairway tag list | create | delete`."""

from typing import Annotated, Any

import typer

from fairway.cli.progress import over
from fairway.cli.remote.asking import HubName, Yes, asking, parsed, sure
from fairway.cli.remote.shown import All, AsJson, Column, Limit, moment, rows, yes_no
from fairway.client import artifacts
from fairway.client.artifacts import Named, TagRow, parse_named
from fairway.client.errors import ClientError
from fairway.core.oci.names import Tag

app = typer.Typer(help="Tags of artifacts.", no_args_is_help=True)

COLUMNS: list[Column[TagRow]] = [
    Column("name", lambda found: found.name),
    Column("pushed", lambda found: found.push_time, moment),
    Column("pulled", lambda found: found.pull_time, moment),
    Column("immutable", lambda found: found.immutable, yes_no),
]


def _tag(text: str) -> Named:
    found = parse_named(text)
    if ":" in found.reference:
        raise ClientError(f"{text} has no tag; write {found.repository}:TAG")
    return found


Artifact = Annotated[
    Any,
    typer.Argument(
        help="Such as team/app:v1 or team/app@sha256:…", metavar="ARTIFACT", parser=parsed(parse_named)
    ),
]
Tags = Annotated[
    list[Any], typer.Argument(help="Such as team/app:v1", metavar="REPOSITORY:TAG…", parser=parsed(_tag))
]
NewTags = Annotated[list[Any], typer.Argument(help="Names of tags", metavar="TAG…", parser=parsed(Tag))]


@app.command("list")
def list_tags(
    artifact: Artifact, limit: Limit = 100, all_: All = False, as_json: AsJson = False, hub: HubName = ""
) -> None:
    """List the tags of an artifact."""
    with asking(hub) as opened:
        rows(opened, artifacts.tags(artifact), COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def create(artifact: Artifact, tags: NewTags, hub: HubName = "") -> None:
    """Give an artifact more tags."""
    with asking(hub) as opened:
        for tag in tags:
            opened.ask(artifacts.add_tag(artifact, tag))
            typer.echo(f"{artifact.repository}:{tag} is {artifact} now.")


@app.command()
def delete(tags: Tags, yes: Yes = False, hub: HubName = "") -> None:
    """Take tags away; the artifacts stay."""
    sure(f"Take away {', '.join(map(str, tags))}?", yes=yes)
    with asking(hub) as opened:
        for named in over("deleting", tags):
            opened.ask(artifacts.delete_tag(named, named.reference))
            typer.echo(f"Took away {named}; the artifact stays.")
