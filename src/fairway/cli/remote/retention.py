"""`fairway retention show | set | simulate | run | stop | history | log | delete`."""

import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer

from fairway.cli.progress import bar, working
from fairway.cli.remote import retention_rules as options
from fairway.cli.remote import retention_simulate
from fairway.cli.remote.asking import HubName, NotThere, Yes, asking, sure
from fairway.cli.remote.complete import project_names
from fairway.cli.remote.shown import (
    All,
    AsJson,
    Column,
    Limit,
    moment,
    number,
    one,
    rows,
)
from fairway.client import projects, retention
from fairway.client.errors import ApiError
from fairway.client.retention import InForce, Policy, Run, Task, Wanted, WholeRun
from fairway.client.sync import Hub

app = typer.Typer(help="Which images stay, and deleting the others.", no_args_is_help=True)

Project = Annotated[
    str,
    typer.Argument(
        help="The project's name", metavar="PROJECT", autocompletion=project_names, show_default=False
    ),
]
OfHub = Annotated[bool, typer.Option("--default", help="The hub's policy, for projects without their own")]
OfRun = Annotated[int, typer.Option("--run", help="This run; default: the last one", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go")]
_LOOK_AGAIN_SECONDS = 0.5
_OPEN = ("Pending", "Running")

_POLICY: list[Column[InForce]] = [
    Column("in force", lambda found: found.source),
    Column("hub's policy", lambda found: "may be" if found.use_default else "is not wanted here"),
    Column("number", lambda found: found.policy.id if found.policy else ""),
    Column("mode", lambda found: found.policy.mode if found.policy else ""),
    Column(
        "schedule", lambda found: (options.cron_of(found.policy.trigger) or "none") if found.policy else ""
    ),
    Column("rules", lambda found: "; ".join(map(options.told, found.policy.rules)) if found.policy else ""),
]
_RUNS: list[Column[Run]] = [
    Column("run", lambda found: found.id),
    Column("status", lambda found: found.status),
    Column("dry run", lambda found: found.dry_run),
    Column("began", lambda found: found.start_time, moment),
    Column("ended", lambda found: found.end_time, moment),
    Column("by", lambda found: found.trigger),
]
_TASKS: list[Column[Task]] = [
    Column("repository", lambda found: found.repository),
    Column("status", lambda found: found.status),
    Column("total", lambda found: found.total, number),
    Column("retained", lambda found: found.retained, number),
    Column("deleted", lambda found: found.deleted, number),
    Column("message", lambda found: found.message),
]


@app.command()
def show(project: Project = "", of_hub: OfHub = False, as_json: AsJson = False, hub: HubName = "") -> None:
    """Show the policy in force in a project, or the hub's."""
    _which(project, of_hub)
    with asking(hub) as opened:
        if of_hub:
            one(InForce("default", True, opened.ask(retention.default())), _POLICY, as_json=as_json)
        else:
            one(opened.ask(retention.in_force(project)), _POLICY, as_json=as_json)


@app.command("set")
def change(
    project: Project = "",
    *,
    of_hub: OfHub = False,
    pushed: options.KeepPushed = None,
    pulled: options.KeepPulled = None,
    active: options.KeepActive = None,
    pushed_within: options.PushedWithin = None,
    pulled_within: options.PulledWithin = None,
    always: options.Always = False,
    tags: options.Tags = "**",
    exclude_tags: options.ExcludeTags = "",
    untagged: options.Untagged = True,
    repositories: options.Repositories = "**",
    exclude_repositories: options.ExcludeRepositories = "",
    kind: options.KindOf = "doublestar",
    mode: options.Mode = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="hourly, daily, weekly, none, or a cron expression of six fields", show_default=False
        ),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Beside the rules there are, not in their place")
    ] = False,
    use_default: Annotated[
        bool | None,
        typer.Option(
            "--use-default/--no-use-default",
            help="Whether the hub's policy may be in force here",
            show_default=False,
        ),
    ] = None,
    file: options.File = None,
    hub: HubName = "",
) -> None:
    """Say what stays.  Each --keep-… is a rule; what any rule keeps stays, and the rest goes when it runs."""
    _which(project, of_hub)
    selected = options.Selected(tags, exclude_tags, untagged, repositories, exclude_repositories, kind)
    numbers = (pushed, pulled, active, pushed_within, pulled_within)
    rules = options.rules(selected, numbers, always=always)
    said = bool(rules or file or mode or schedule is not None)
    if not said and use_default is None:
        raise typer.BadParameter("say what to keep, such as --keep-latest-pushed 10", param_hint="OPTIONS")
    with asking(hub) as opened:
        if use_default is not None and not of_hub:
            opened.ask(retention.choose_default(project, use_default=use_default))
        if said:
            before = _own(opened, project, of_hub)
            base = options.from_file(file) if file else options.wanted(before) if before else Wanted(())
            kept = [*base.rules, *rules] if add or file or not rules else rules
            wanted = Wanted(kept, mode or base.mode, base.cron if schedule is None else schedule)
            _put(opened, project, of_hub, before, wanted)
        typer.echo(f"Changed the retention of {'the hub' if of_hub else project}.")


def _put(hub: Hub, project: str, of_hub: bool, before: Policy | None, wanted: Wanted) -> None:
    if of_hub:
        hub.ask(retention.set_default(wanted))
    elif before is None:
        hub.ask(retention.create(hub.ask(projects.get(project)).project_id, wanted))
    else:
        hub.ask(retention.change(before, wanted))


app.command()(retention_simulate.simulate)


@app.command()
def run(
    project: Project = "",
    of_hub: OfHub = False,
    dry_run: DryRun = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show how far it is until it is over")
    ] = True,
    hub: HubName = "",
) -> None:
    """Run a policy now, and show what became of each repository."""
    _which(project, of_hub)
    with asking(hub) as opened:
        policy = _needed(opened, project, of_hub)
        started = opened.ask(retention.start(policy.id, dry_run=dry_run))
        if not wait:
            typer.echo(f"Run {started} has begun.")
            return
        done = _follow(opened, policy.id, started)
        rows(opened, retention.tasks(policy.id, started), _TASKS, as_json=False, all_=True, limit=0)
        typer.echo(_summary(done), err=True)
    if done.status != "Success":
        raise typer.Exit(1)


def _follow(hub: Hub, policy: int, started: int) -> WholeRun:
    """Wait until a run is over, with a bar as soon as it is known how much there is to do."""
    with ExitStack() as shown:
        say = shown.enter_context(working("deciding"))
        while True:
            found = hub.ask(retention.run(policy, started))
            if found.status not in _OPEN:
                return found
            progress = found.progress
            if progress.total and sys.stderr.isatty():
                shown.close()
                return _advance(hub, policy, found)
            say(f"{progress.done:,} {progress.what}")
            time.sleep(_LOOK_AGAIN_SECONDS)


def _advance(hub: Hub, policy: int, found: WholeRun) -> WholeRun:
    with bar("deleting", found.progress.total) as advance:
        done = 0
        while found.status in _OPEN:
            advance(found.progress.done - done)
            done = found.progress.done
            time.sleep(_LOOK_AGAIN_SECONDS)
            found = hub.ask(retention.run(policy, found.id))
        advance(max(0, found.progress.total - done))
    return found


def _summary(done: WholeRun) -> str:
    gone = done.total - done.retained
    what = (
        f"{gone:,} of {done.total:,} would be deleted"
        if done.dry_run
        else f"{done.deleted:,} of {done.total:,} deleted"
    )
    failed = f"; {done.failed:,} failed" if done.failed else ""
    said = f"  {done.message}" if done.message else ""
    return f"Run {done.id}: {done.status}, {what} in {done.repositories:,} repositories{failed}.{said}"


@app.command()
def stop(project: Project = "", of_hub: OfHub = False, run: OfRun = 0, hub: HubName = "") -> None:
    """Stop a run: what is deleted stays deleted."""
    _which(project, of_hub)
    with asking(hub) as opened:
        policy = _needed(opened, project, of_hub)
        number = run or _last(opened, policy.id)
        opened.ask(retention.stop(policy.id, number))
        typer.echo(f"Run {number} ends.")


@app.command()
def history(
    project: Project = "",
    of_hub: OfHub = False,
    limit: Limit = 100,
    all_: All = False,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """List the runs of a policy, the last first."""
    _which(project, of_hub)
    with asking(hub) as opened:
        policy = _needed(opened, project, of_hub)
        rows(opened, retention.runs(policy.id), _RUNS, as_json=as_json, all_=all_, limit=limit)


@app.command()
def log(
    project: Project = "",
    of_hub: OfHub = False,
    run: OfRun = 0,
    repository: retention_simulate.Repository = "",
    limit: Limit = 100,
    all_: All = False,
    as_json: AsJson = False,
    hub: HubName = "",
) -> None:
    """Show what a run made of each repository, or of one what was decided about each image, and why."""
    _which(project, of_hub)
    with asking(hub) as opened:
        policy = _needed(opened, project, of_hub)
        found = run or _last(opened, policy.id)
        listing = retention.tasks(policy.id, found)
        if not repository:
            rows(opened, listing, _TASKS, as_json=as_json, all_=all_, limit=limit)
            return
        for task in opened.each(listing):
            if task.repository == repository:
                decided = retention.decisions(policy.id, found, task.id)
                rows(opened, decided, retention_simulate.DECISIONS, as_json=as_json, all_=all_, limit=limit)
                return
        raise NotThere(
            f"run {found} was not about {repository}; leave out --repository to see what it was about"
        )


@app.command()
def delete(project: Project = "", of_hub: OfHub = False, yes: Yes = False, hub: HubName = "") -> None:
    """Delete a policy with its history.  No image goes any more."""
    _which(project, of_hub)
    sure(f"Delete the retention policy of {'the hub' if of_hub else project}?", yes=yes)
    with asking(hub) as opened:
        opened.ask(retention.delete(_needed(opened, project, of_hub).id))
        typer.echo(f"Deleted the retention policy of {'the hub' if of_hub else project}.")


def _which(project: str, of_hub: bool) -> None:
    if bool(project) == of_hub:
        raise typer.BadParameter(
            "name a project, or say --default for the hub's policy", param_hint="PROJECT"
        )


def _own(hub: Hub, project: str, of_hub: bool) -> Policy | None:
    """The policy of a project's own, or the hub's."""
    if of_hub:
        try:
            return hub.ask(retention.default())
        except ApiError as error:
            if error.status != 404:
                raise
            return None
    found = hub.ask(retention.in_force(project))
    return found.policy if found.source == "project" else None


def _needed(hub: Hub, project: str, of_hub: bool) -> Policy:
    found = _own(hub, project, of_hub)
    if found is None and of_hub:
        raise NotThere("the hub has no retention policy; `fairway retention set --default` makes one")
    if found is None:
        raise NotThere(
            f"{project} has no retention policy of its own; `fairway retention set {project}` makes one, and the hub's is --default"
        )
    return found


def _last(hub: Hub, policy: int) -> int:
    for found in hub.each(retention.runs(policy)):
        return found.id
    raise NotThere("this policy has not run yet")
