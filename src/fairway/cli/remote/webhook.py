"""`fairway webhook list | show | add | set | enable | disable | remove | events`: who is told of what happens in projects.

Trying them out, and what was told, is in webhook_deliveries.py.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote import webhook_deliveries
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import All, AsJson, Column, Limit, Sort, joined, moment, one, rows, yes_no
from fairway.client import webhooks
from fairway.client.sync import Hub
from fairway.client.webhooks import Policy, Selector, Target

app = typer.Typer(help="Who is told of what happens in a project.", no_args_is_help=True)

Project = Annotated[str, typer.Argument(help="The project's name", autocompletion=project_names)]
Name = Annotated[str, typer.Argument(help="The webhook's name", metavar="WEBHOOK")]
Names = Annotated[list[str], typer.Argument(help="The webhooks' names", metavar="WEBHOOK…")]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        help="Types of events, such as PUSH_ARTIFACT; can be given several times.  `fairway webhook events` lists them",
        show_default=False,
    ),
]
Kind = Annotated[str, typer.Option("--type", help="What is there: http, slack or teams", metavar="TYPE")]
Format = Annotated[
    str | None,
    typer.Option("--format", help="Of what http is sent: Default, CloudEvents or Fields", show_default=False),
]
Fields = Annotated[
    Path | None,
    typer.Option(
        "--fields",
        help="A file with the JSON that the format Fields sends, with places such as ${event_data.resources.0.tag}",
        show_default=False,
    ),
]
AuthHeader = Annotated[
    str,
    typer.Option(
        "--auth-header-file",
        help="A file with the value of the Authorization header; - asks for it, or reads a line of standard input",
        metavar="FILE",
        show_default=False,
    ),
]
SecretFile = Annotated[
    str,
    typer.Option(
        "--secret-file",
        help="The same with what requests are signed with",
        metavar="FILE",
        show_default=False,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        help="Only of tags like this, such as 'v*'; a ! before it: of others; can be given several times",
        show_default=False,
    ),
]
Repositories = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        help="Only of repositories like this, such as 'web/**'; a ! before it: of others; can be given several times",
        show_default=False,
    ),
]
Description = Annotated[str | None, typer.Option(help="What it is for", show_default=False)]
Insecure = Annotated[
    bool | None,
    typer.Option("--insecure/--verify", help="Whether any certificate is taken", show_default=False),
]


def _selected(selectors: Any) -> list[str]:
    return [("!" if "xcludes" in each.decoration else "") + each.pattern for each in selectors]


_COLUMNS: list[Column[Policy]] = [
    Column("name", lambda found: found.name),
    Column("enabled", lambda found: found.enabled, yes_no),
    Column("on", lambda found: list(found.event_types), joined),
    Column("tells", lambda found: [each.address for each in found.targets], joined),
    Column("tags", lambda found: _selected(found.tag_selectors), joined),
    Column("repositories", lambda found: _selected(found.scope_selectors.get("repository", ())), joined),
    Column("number", lambda found: found.id),
]
_HEALTH: list[Column[Policy]] = [
    Column("made", lambda found: found.creation_time, moment),
    Column("by", lambda found: found.creator),
    Column("description", lambda found: found.description),
    Column("types", lambda found: [each.type for each in found.targets], joined),
    Column("formats", lambda found: [each.payload_format or "-" for each in found.targets], joined),
    Column(
        "waiting",
        lambda found: [each.waiting for each in found.health],
        lambda all_: joined([*map(str, all_)]),
    ),
    Column(
        "failures",
        lambda found: [each.failures for each in found.health],
        lambda all_: joined([*map(str, all_)]),
    ),
    Column(
        "dropped",
        lambda found: [each.dropped for each in found.health],
        lambda all_: joined([*map(str, all_)]),
    ),
    Column("last error", lambda found: [each.last_error for each in found.health if each.last_error], joined),
    Column(
        "paused until",
        lambda found: [each.paused_until for each in found.health if each.paused_until],
        joined,
    ),
]


@app.command("list")
def list_webhooks(
    project: Project,
    limit: Limit = 100,
    all_: All = False,
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List the webhooks of a project."""
    with asking(hub) as opened:
        rows(opened, webhooks.listed(project, sort=sort), _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(project: Project, webhook: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show a webhook, and how its targets take what they are told."""
    with asking(hub) as opened:
        found = opened.ask(webhooks.get(project, found_in(opened, project, webhook).id))
        one(found, [*_COLUMNS, *_HEALTH], as_json=as_json)


@app.command()
def events(project: Project, as_json: AsJson = False, hub: HubName = "") -> None:
    """List the types of events, of targets and of payloads that there are."""
    with asking(hub) as opened:
        found = opened.ask(webhooks.supported(project))
        columns: list[Column[webhooks.Supported]] = [
            Column("events", lambda each: list(each.event_type), ", ".join),
            Column("types", lambda each: list(each.notify_type), ", ".join),
            Column(
                "formats",
                lambda each: [name for some in each.payload_formats for name in some.formats],
                ", ".join,
            ),
        ]
        if as_json or sys.stdout.isatty():
            one(found, columns, as_json=as_json)
        else:
            typer.echo("\n".join(found.event_type))


@app.command()
def add(
    project: Project,
    webhook: Name,
    address: Annotated[str, typer.Argument(help="Where it is told, such as https://ci.example.com/hook")],
    *,
    on: On = None,
    kind: Kind = "http",
    payload_format: Format = None,
    fields: Fields = None,
    auth_header_file: AuthHeader = "",
    secret_file: SecretFile = "",
    tag: Tags = None,
    repository: Repositories = None,
    description: Description = None,
    insecure: Insecure = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Tell nothing yet")] = False,
    hub: HubName = "",
) -> None:
    """Make a webhook, or add a target to the one of this name."""
    target = Target(
        kind,
        address,
        _read_secret(auth_header_file, "Authorization header"),
        bool(insecure),
        payload_format or ("Fields" if fields else ""),
        _read_secret(secret_file, "Secret"),
        _read_fields(fields),
    )
    with asking(hub) as opened:
        before = _one(opened, project, webhook)
        if before is None:
            opened.ask(
                webhooks.create(
                    project,
                    webhook,
                    event_types=on or ["PUSH_ARTIFACT"],
                    targets=[target],
                    description=description or "",
                    enabled=not disabled,
                    tag_selectors=_tags(tag or []),
                    repository_selectors=_repositories(repository or []),
                )
            )
            typer.echo(f"Made the webhook {webhook}.  Try it: fairway webhook ping {project} {webhook}")
            return
        if on or tag or repository or description or disabled:
            raise typer.BadParameter(
                f"there is a webhook {webhook} already, to which only a target can be added; change it with "
                "`fairway webhook set`",
                param_hint="OPTIONS",
            )
        opened.ask(webhooks.change(project, replace(before, targets=(*before.targets, target))))
        typer.echo(f"The webhook {webhook} tells {address} as well now.")


@app.command("set")
def change(
    project: Project,
    webhook: Name,
    *,
    name: Annotated[str, typer.Option(help="Its new name", show_default=False)] = "",
    on: On = None,
    tag: Tags = None,
    repository: Repositories = None,
    everything: Annotated[
        bool, typer.Option("--all-tags-and-repositories", help="No selectors any more")
    ] = False,
    description: Description = None,
    target: Annotated[int, typer.Option(help="Which target is meant below: 1 is the first", min=1)] = 1,
    address: Annotated[str, typer.Option(help="Where it is told", show_default=False)] = "",
    payload_format: Format = None,
    fields: Fields = None,
    auth_header_file: AuthHeader = "",
    no_auth_header: Annotated[bool, typer.Option("--no-auth-header", help="Send none any more")] = False,
    secret_file: SecretFile = "",
    no_secret: Annotated[bool, typer.Option("--no-secret", help="Sign no more")] = False,
    insecure: Insecure = None,
    drop: Annotated[bool, typer.Option("--drop", help="Let the target be none any more")] = False,
    hub: HubName = "",
) -> None:
    """Change a webhook; what is not said stays as it is."""
    new: dict[str, Any] = {
        "address": address,
        "payload_format": payload_format or ("Fields" if fields else ""),
    }
    new |= {"fields": _read_fields(fields), "skip_cert_verify": insecure}
    new |= {"auth_header": _read_secret(auth_header_file, "Authorization header")}
    new |= {"secret": _read_secret(secret_file, "Secret")}
    new = {key: value for key, value in new.items() if value not in (None, "")}
    if no_auth_header:
        new["auth_header"] = ""
    if no_secret:
        new["secret"] = ""
    with asking(hub) as opened:
        before = found_in(opened, project, webhook)
        targets = list(before.targets)
        if target > len(targets):
            raise typer.BadParameter(f"it has {len(targets)} of them", param_hint="--target")
        if drop:
            del targets[target - 1]
        elif new:
            targets[target - 1] = _changed(targets[target - 1], new)
        scopes = before.scope_selectors if repository is None else {"repository": _repositories(repository)}
        after = replace(
            before,
            name=name or before.name,
            description=before.description if description is None else description,
            event_types=tuple(on or before.event_types),
            targets=tuple(targets),
            tag_selectors=() if everything else before.tag_selectors if tag is None else _tags(tag),
            scope_selectors={"repository": ()} if everything else scopes,
        )
        if after == before:
            raise typer.BadParameter("say what to change; see --help", param_hint="OPTIONS")
        opened.ask(webhooks.change(project, after))
        typer.echo(f"Changed the webhook {after.name}.")


def _changed(before: Target, new: dict[str, Any]) -> Target:
    kept = before.fields if new.get("payload_format", before.payload_format) == "Fields" else None
    return replace(before, **{"fields": kept, **new})


@app.command()
def enable(project: Project, several: Names, hub: HubName = "") -> None:
    """Let webhooks tell what happens, again."""
    _enable(hub, project, several, enabled=True)


@app.command()
def disable(project: Project, several: Names, hub: HubName = "") -> None:
    """Let webhooks tell nothing, until they are enabled again."""
    _enable(hub, project, several, enabled=False)


def _enable(hub: str, project: str, several: list[str], *, enabled: bool) -> None:
    with asking(hub) as opened:
        for each in several:
            found = found_in(opened, project, each)
            opened.ask(webhooks.change(project, replace(found, enabled=enabled)))
            typer.echo(f"The webhook {each} tells {'what happens' if enabled else 'nothing'} from now on.")


@app.command()
def remove(project: Project, several: Names, yes: Yes = False, hub: HubName = "") -> None:
    """Remove webhooks, with what still waits to be told by them."""
    sure(f"Remove the webhooks {', '.join(several)} of {project}?", yes=yes)
    with asking(hub) as opened:
        for each in over("removing", several):
            opened.ask(webhooks.delete(project, found_in(opened, project, each).id))
            say(f"Removed the webhook {each}.")


def _read_secret(file: str, what: str) -> str:
    """A secret out of a file; with - asked for, or a line of standard input.  Never an argument."""
    if not file:
        return ""
    if file == "-":
        if sys.stdin.isatty():
            found = str(typer.prompt(what, hide_input=True))
        else:
            found = sys.stdin.readline().rstrip("\r\n")
    else:
        try:
            found = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise typer.BadParameter(f"{file} cannot be read as text", param_hint="FILE") from None
    if not found:
        raise typer.BadParameter(f"the {what} is empty", param_hint="FILE")
    return found


def _read_fields(file: Path | None) -> Any:
    if file is None:
        return None
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        raise typer.BadParameter(f"{file} cannot be read as JSON", param_hint="--fields") from None


def _tags(patterns: list[str]) -> tuple[Selector, ...]:
    return _selectors(patterns, "matches", "excludes")


def _repositories(patterns: list[str]) -> tuple[Selector, ...]:
    return _selectors(patterns, "repoMatches", "repoExcludes")


def _selectors(patterns: list[str], matches: str, excludes: str) -> tuple[Selector, ...]:
    return tuple(
        Selector("doublestar", excludes if each.startswith("!") else matches, each.removeprefix("!"))
        for each in patterns
    )


def _one(hub: Hub, project: str, name: str) -> Policy | None:
    """The hub's filter may be laxer than exact."""
    found = hub.each(webhooks.listed(project, name=name))
    return next((each for each in found if each.name == name), None)


def found_in(hub: Hub, project: str, name: str) -> Policy:
    """A webhook by its name.  Raises NotThere."""
    found = _one(hub, project, name)
    if found is None:
        raise NotThere(f"{project} has no webhook {name}; `fairway webhook list {project}` shows them")
    return found


webhook_deliveries.add_commands(app, found_in)
