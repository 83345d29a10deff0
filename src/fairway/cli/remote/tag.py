"""`fairway tag list | create | delete | history | rollback`."""

from typing import Annotated, Any

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, Yes, asking, parsed, sure
from fairway.cli.remote.shown import All, AsJson, Column, Limit, moment, rows, yes_no
from fairway.client import artifacts, history
from fairway.client.artifacts import Named, TagRow, parse_named
from fairway.client.errors import ClientError
from fairway.client.history import Change
from fairway.client.sync import Hub
from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Tag

app = typer.Typer(help="Tags of artifacts.", no_args_is_help=True)

COLUMNS: list[Column[TagRow]] = [
    Column("name", lambda found: found.name),
    Column("pushed", lambda found: found.push_time, moment),
    Column("pulled", lambda found: found.pull_time, moment),
    Column("immutable", lambda found: found.immutable, yes_no),
]


CHANGES: list[Column[Change]] = [
    Column("when", lambda found: found.time, moment),
    Column("how", lambda found: found.how),
    Column("by", lambda found: found.by),
    Column("from", lambda found: found.before or "-"),
    Column("to", lambda found: found.after or "-"),
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
OneTag = Annotated[
    Any, typer.Argument(help="Such as team/app:v1", metavar="REPOSITORY:TAG", parser=parsed(_tag))
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
            say(f"Took away {named}; the artifact stays.")


@app.command("history")
def list_changes(
    tag: OneTag, limit: Limit = 100, all_: All = False, as_json: AsJson = False, hub: HubName = ""
) -> None:
    """Show who moved a tag when, and from what to what; the last change comes first."""
    with asking(hub) as opened:
        rows(opened, history.changes(tag), CHANGES, as_json=as_json, all_=all_, limit=limit)


@app.command("rollback")
def roll_back(
    tag: OneTag,
    to: Annotated[
        Any,
        typer.Option(
            "--to",
            help="What it is to name; default: what it named before its last change",
            metavar="DIGEST",
            show_default=False,
            parser=parsed(Digest),
        ),
    ] = None,
    yes: Yes = False,
    hub: HubName = "",
) -> None:
    """Let a tag name again what it named before."""
    with asking(hub) as opened:
        digest = to or _former(opened, tag)
        sure(f"Let {tag} name {digest} again?", yes=yes)
        rolled = opened.ask(history.roll_back(tag, digest))
        typer.echo(f"{tag} is {rolled.after} again; before it was {rolled.before or 'not there'}.")


def _former(hub: Hub, tag: Named) -> str:
    last = next(iter(hub.ask(history.changes(tag).first(1)).items), None)
    if last is None or not last.before:
        raise ClientError(
            f"what {tag} named before is not known; say which manifest it is to name: --to sha256:…"
        )
    return last.before
