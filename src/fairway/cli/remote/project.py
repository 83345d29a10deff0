"""`fairway project list | show | create | set | rename | alias | delete`."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import typer

from fairway.cli.progress import over, say
from fairway.cli.remote.asking import HubName, Yes, asking, parsed, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import (
    All,
    AsJson,
    Column,
    Filter,
    Limit,
    Sort,
    moment,
    number,
    one,
    rows,
    yes_no,
)
from fairway.cli.remote.sizes import parse_size, size_text
from fairway.client import artifacts, projects
from fairway.client.artifacts import RepositoryRow, parse_repository
from fairway.client.errors import ApiError, ClientError
from fairway.client.projects import Alias, Project, role_name
from fairway.client.sync import Hub

app = typer.Typer(help="Projects and their settings.", no_args_is_help=True)
alias_app = typer.Typer(help="Former names of projects.", no_args_is_help=True)
app.add_typer(alias_app, name="alias")

Name = Annotated[
    str, typer.Argument(help="The project's name", metavar="PROJECT", autocompletion=project_names)
]
Names = Annotated[
    list[str], typer.Argument(help="The projects' names", metavar="PROJECT…", autocompletion=project_names)
]
StorageLimit = Annotated[
    int | None,
    typer.Option(
        "--storage-limit",
        parser=parsed(parse_size),
        metavar="SIZE",
        help="How much it may store, such as 10GiB; for administrators of the hub",
        show_default=False,
    ),
]

_GONE: Final = 404
_NOT_EMPTY: Final = 412


def _part(project: Project) -> str:
    only = project.current_user_repositories
    return f"for {', '.join(only)}" if only else ""


_COLUMNS: list[Column[Project]] = [
    Column("name", lambda found: found.name),
    Column("public", lambda found: found.public, yes_no),
    Column("your role", lambda found: role_name(found.current_user_role_id) or _part(found)),
    Column("repositories", lambda found: found.repo_count, number),
    Column("owner", lambda found: found.owner_name),
    Column("created", lambda found: found.creation_time, moment),
]

_ALIASES: list[Column[Alias]] = [
    Column("former name", lambda found: found.name),
    Column("until", lambda found: found.creation_time, moment),
]


@app.command("list")
def list_projects(
    name: Annotated[str, typer.Option(help="Only those with this in their name")] = "",
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Only these", show_default=False)
    ] = None,
    limit: Limit = 100,
    all_: All = False,
    q: Filter = "",
    sort: Sort = "",
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List projects."""
    with asking(hub) as opened:
        listing = projects.listed(name=name, public=public, q=q, sort=sort)
        rows(opened, listing, _COLUMNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def show(project: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show a project and its settings."""
    with asking(hub) as opened:
        found = opened.ask(projects.get(project))
        names = sorted(found.metadata.keys() - {"public"})
        settings = [Column(f"setting {name}", partial(_metadata, name)) for name in names]
        one(found, [*_COLUMNS, *settings], as_json=as_json)


def _metadata(name: str, project: Project) -> str:
    return project.metadata[name]


@app.command()
def create(
    project: Annotated[
        str, typer.Argument(help="Its name: lower-case letters, digits and - _ . between them")
    ],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see and pull it")] = False,
    storage_limit: StorageLimit = None,
    hub: HubName = "",
) -> None:
    """Make a project.  You become its administrator."""
    with asking(hub) as opened:
        opened.ask(projects.create(project, public=public, storage_limit=storage_limit))
        who = "everybody may pull from it" if public else "only its members may see it"
        typer.echo(f"Made {project}; {who}.")


@app.command("set")
def change(
    project: Name,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings, such as prevent_vul=true", metavar="NAME=VALUE…")
    ] = None,
    public: Annotated[
        bool | None,
        typer.Option("--public/--private", help="Whether everybody may see and pull it", show_default=False),
    ] = None,
    hub: HubName = "",
) -> None:
    """Change settings of a project; those that are not named stay."""
    wanted = dict(_setting(each) for each in settings or ())
    if public is not None:
        wanted["public"] = "true" if public else "false"
    if not wanted:
        raise typer.BadParameter(
            "say what to change: --public, --private or NAME=VALUE", param_hint="NAME=VALUE"
        )
    with asking(hub) as opened:
        opened.ask(projects.change(project, wanted))
        typer.echo(f"Changed {project}: {', '.join(f'{name} is {value}' for name, value in wanted.items())}.")


@app.command()
def rename(
    project: Name,
    name: Annotated[str, typer.Argument(help="Its new name", metavar="NAME")],
    hub: HubName = "",
) -> None:
    """Call a project something else.  Its former name goes on to lead to it."""
    with asking(hub) as opened:
        opened.ask(projects.rename(project, name))
        typer.echo(
            f"Renamed {project} to {name}; {project} leads there until: fairway project alias drop {name} {project}"
        )


@alias_app.command("list")
def list_aliases(project: Name, as_json: AsJson = False, hub: HubName = "") -> None:
    """List the former names that lead to a project."""
    with asking(hub) as opened:
        rows(opened, projects.aliases(project), _ALIASES, as_json=as_json, all_=True, limit=100)


@alias_app.command("drop")
def drop_alias(
    project: Name,
    former: Annotated[str, typer.Argument(help="The former name", metavar="NAME")],
    yes: Yes = False,
    hub: HubName = "",
) -> None:
    """Let go of a former name: what is pulled or pushed by it fails, until somebody makes a project of that name."""
    sure(f"Let go of {former}, so that anybody may call a project so?", yes=yes)
    with asking(hub) as opened:
        opened.ask(projects.drop_alias(project, former))
        say(f"{former} does not lead to {project} any more.")


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is no setting; write NAME=VALUE", param_hint="NAME=VALUE")
    return name, value


@app.command()
def delete(
    names: Names,
    force: Annotated[bool, typer.Option("--force", help="With all that is in them")] = False,
    yes: Yes = False,
    hub: HubName = "",
) -> None:
    """Delete projects that have no repositories any more, or with --force with all that is in them.

    They are gone at once; the hub removes what was in them in the background. A hub that knows no such thing is asked for
    each repository; what was interrupted there is finished by the same command once more.
    """
    if force:
        with asking(hub) as opened:
            held = {name: list(opened.each(artifacts.repositories(name))) for name in names}
            sure(f"Delete {'; '.join(_what_goes(opened, *each) for each in held.items())}?", yes=yes)
            for name, repositories in held.items():
                _delete_whole(opened, name, repositories)
                say(f"Deleted {name}.")
        return
    sure(f"Delete {', '.join(names)}?", yes=yes)
    with asking(hub) as opened:
        for name in over("deleting", names):
            found = opened.ask(projects.deletable(name))
            if not found.deletable:
                raise ClientError(
                    f"{name} was not deleted: {found.message}; `fairway repo list {name}` shows what is in it"
                )
            opened.ask(projects.delete(name))
            say(f"Deleted {name}.")


def _what_goes(opened: Hub, name: str, found: Sequence[RepositoryRow]) -> str:
    """Such as `team with 3 repositories, 17 artifacts and 1.5GiB`; by its name of today, if `name` is a former one."""
    called, quota = opened.ask(projects.get(name)).name, opened.ask(projects.summary(name)).quota
    artifacts_in = sum(each.artifact_count for each in found)
    counts = f"{called} with {len(found)} repositories, {artifacts_in} artifacts"
    return counts if quota is None else f"{counts} and {size_text(quota.used.storage)}"


def _delete_whole(opened: Hub, name: str, found: Sequence[RepositoryRow]) -> None:
    try:
        opened.ask(projects.delete_whole(name))
    except ApiError as error:
        if error.status != _NOT_EMPTY:
            raise
        # It knows nothing of `force`: Harbor, or an older Fairway.
        _empty(opened, name, found)
        opened.ask(projects.delete(name))


def _empty(opened: Hub, name: str, found: Sequence[RepositoryRow]) -> None:
    for each in over(f"deleting {name}", found):
        try:
            opened.ask(artifacts.delete_repository(parse_repository(each.name)))
        except ApiError as error:
            if error.status != _GONE:  # somebody else was quicker
                raise
