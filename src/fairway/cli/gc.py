"""`fairway gc run | schedule | status | undo | deleted | orphans`: what nothing refers to any more, and what was deleted by mistake."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from fairway.boot import Parts, build
from fairway.cli import gc_schedule
from fairway.cli.database import with_database
from fairway.cli.jobs import AsJson, print_table, second
from fairway.cli.options import ConfigFile, DataDir, fail, load_settings
from fairway.cli.progress import working
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BadRequest, FairwayError, NameUnknown
from fairway.core.oci.names import Repository
from fairway.features.gc import rules
from fairway.features.gc import undo as undoing
from fairway.features.gc.jobs import GcArguments, told_orphans, told_size
from fairway.features.gc.model import GARBAGE_COLLECTION, Deleted, Reconciled, Switches
from fairway.features.gc.reconcile import reconcile
from fairway.features.gc.store.standing import standing
from fairway.features.projects.store import projects
from fairway.frame.access.principals import ANONYMOUS
from fairway.frame.db import Conn, Database
from fairway.frame.db.migrate import require_schema
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import ERROR, OPEN, RUNNING, Job, Jobs
from fairway.frame.jobs.runner import Runner
from fairway.frame.jobs.schedules import single
from fairway.frame.settings import Settings
from fairway.frame.web.moments import moment

T = TypeVar("T")

app = typer.Typer(help="Garbage collection, and undoing deletions.", no_args_is_help=True)

_LOOK_AGAIN_SECONDS = 0.5
_OTHERS_SECONDS = 5.0
"""How long a background process has for taking a run before it is worked on here."""


def _with_parts(settings: Settings, work: Callable[[Parts], Awaitable[T]]) -> T:
    async def run() -> T:
        await require_schema(settings.database_url)
        async with build(settings, works=True) as parts:
            return await work(parts)

    try:
        return asyncio.run(run())
    except FairwayError as error:
        fail(error)


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go")] = False,
    delete_untagged: Annotated[
        bool, typer.Option("--delete-untagged", help="Manifests without a tag, an index or a subject go, too")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="No grace, and what was deleted cannot be had back any more")
    ] = False,
    workers: Annotated[int, typer.Option(help="Batches at a time", min=1, max=5)] = 1,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Collect garbage and show how far it is.  Pushes and pulls go on."""
    settings = load_settings(config, data_dir=data_dir)
    asked = GcArguments(delete_untagged=delete_untagged, dry_run=dry_run, workers=workers, now=now)
    try:
        found, task = _with_parts(settings, lambda parts: _run(parts, asked))
    except KeyboardInterrupt:
        typer.echo(
            "The run is not over, a background process may do it: `fairway jobs list` shows it, `stop` ends it.",
            err=True,
        )
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps({"id": found.id, "status": found.status, **task.result}, indent=2))
    else:
        typer.echo(_summary(found, task))
    if found.status == ERROR:
        raise typer.Exit(1)


async def _run(parts: Parts, asked: GcArguments) -> tuple[records.Execution, records.TaskRecord]:
    """Ask for a run, or join the one under way; work on it here when no background process does."""
    _require_allowed(parts.settings)
    job = parts.jobs[GARBAGE_COLLECTION]
    switches = {"delete_untagged": asked.delete_untagged, "dry_run": asked.dry_run}
    begin = partial(
        queue.enqueue,
        job=job,
        arguments=asked,
        asked_by="the command line",
        parameters=rules.parameters({**switches, "workers": asked.workers}),
        single=single(GARBAGE_COLLECTION),
    )
    execution = await parts.db.write(begin)
    if execution is None:
        open_, _ = await records.listed(parts.db, kind=GARBAGE_COLLECTION, statuses=OPEN, offset=0, limit=1)
        if not open_:
            raise BadRequest("another run has just ended; try again")
        execution = open_[0].id
        typer.echo(f"Run {execution} is under way; this shows it.", err=True)
    stop = asyncio.Event()
    worker = asyncio.create_task(_work(parts.db, job, stop))
    try:
        return await _follow(parts.db, execution)
    finally:
        stop.set()
        await worker


def _require_allowed(settings: Settings) -> None:
    """Raises CollectionOff: here, at once, and not in the history of runs."""
    rules.require_allowed(Switches(settings.gc_enabled, settings.read_only))


async def _work(db: Database, job: Job[Any], stop: asyncio.Event) -> None:
    """Run the job here, unless a background process is there and takes it: what that does is on /metrics."""
    if await records.workers_seen(db):
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _OTHERS_SECONDS)
    if not stop.is_set():
        await Runner(db, Jobs([job]), slots=1).run(stop)


async def _follow(db: Database, execution: int) -> tuple[records.Execution, records.TaskRecord]:
    with working("collecting") as say:
        while True:
            found = await records.execution(db, execution)
            [task] = await records.tasks_of(db, execution)
            if found is None or found.status not in OPEN:
                assert found is not None
                return found, task
            say(str(task.progress.get("what", "")) if task.status == RUNNING else "waits to be begun")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _summary(found: records.Execution, task: records.TaskRecord) -> str:
    result = task.result
    if not result:
        return f"Run {found.id}: {found.status}.  {task.message}"
    would = "would be freed" if found.parameters.get("dry_run") else "freed"
    text = (
        f"Run {found.id}: {told_size(result['freed_space'])} {would}: {result['purged_blobs']} blobs, "
        f"{result['purged_manifests']} manifests, {result['released_links']} links; {result['kept']} kept."
    )
    if result["skipped"] or result["failed"]:
        text += f"  {result['skipped']} were in use and {result['failed']} failed: a later run looks again."
    return text


app.command()(gc_schedule.schedule)


@app.command()
def status(as_json: AsJson = False, data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """The last runs, what waits to be looked at, and what waits to be removed."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> dict[str, Any]:
        async def read(conn: Conn) -> dict[str, Any]:
            runs, _ = await records.listed(conn, kind=GARBAGE_COLLECTION, offset=0, limit=5)
            return {
                "schedule": gc_schedule.facts(made := await gc_schedule.found(conn)),
                "scheduled": gc_schedule.line(made),
                "waiting": await standing(conn),
                "runs": [await _run_facts(conn, each) for each in runs],
            }

        return await db.read(read)

    facts = with_database(settings, work)
    scheduled = facts.pop("scheduled")
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    waiting = facts["waiting"]
    typer.echo(f"schedule          {scheduled}")
    typer.echo(
        f"to be looked at   {waiting['due']:,} now, {waiting['later']:,} later, {waiting['parked']:,} untagged manifests"
    )
    typer.echo(f"in the trash      {waiting['trash']:,} objects, {told_size(waiting['trash_bytes'])}")
    if not facts["runs"]:
        typer.echo("no run yet        `fairway gc run --dry-run` says what would go")
        return
    heads = ("run", "status", "began", "freed", "blobs", "manifests")
    print_table(heads, [_run_cells(each) for each in facts["runs"]])


def _run_cells(facts: dict[str, Any]) -> list[str]:
    done = "freed_space" in facts
    freed = told_size(facts["freed_space"]) if done else ""
    return [
        str(facts["id"]),
        f"{facts['status']}, dry run" if facts.get("dry_run") else facts["status"],
        facts["began"][:19] + "Z",
        f"{freed} would be" if done and facts.get("dry_run") else freed,
        str(facts.get("purged_blobs", "")),
        str(facts.get("purged_manifests", "")),
    ]


async def _run_facts(conn: Conn, found: records.Execution) -> dict[str, Any]:
    [task, *_] = await records.tasks_of(conn, found.id)
    return {
        "id": found.id,
        "status": found.status,
        "began": moment(found.created_at),
        **found.parameters,
        **task.result,
    }


Reference = Annotated[str, typer.Argument(help="Such as library/app@sha256:…", metavar="REPOSITORY@DIGEST")]


@app.command()
def undo(reference: Reference, data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Put back a manifest that was deleted, with those of its tags that are free."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(parts: Parts) -> str:
        name, at, text = reference.partition("@")
        if not at:
            raise BadRequest("say which: REPOSITORY@DIGEST; `fairway gc deleted PROJECT` lists them")
        repo, digest = Repository(name), Digest(text)
        project = await _project(parts.db, repo.project)
        back = await undoing.undo(parts.db, project, repo, digest, parts.hub.periods, by="the command line")
        tags = f" with the tags {', '.join(back.tags)}" if back.tags else " without a tag"
        taken = f"; now something else's: {', '.join(back.taken)}" if back.taken else ""
        return f"{repo}@{digest} is back{tags}{taken}."

    typer.echo(_with_parts(settings, work))


@app.command()
def deleted(
    project: Annotated[str, typer.Argument(help="The project's name")],
    limit: Annotated[int, typer.Option(help="How many at most", min=1, max=1000)] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """List manifests that were deleted and can be had back, the last one first."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(db: Database) -> tuple[list[Deleted], int]:
        id = await _project(db, project)
        return await db.read(partial(undoing.undoable, project=id, offset=0, limit=limit))

    found, total = with_database(settings, work)
    if as_json:
        typer.echo(json.dumps([_deleted_facts(project, each) for each in found], indent=2))
    elif not found:
        typer.echo(f"Nothing that was deleted in {project} can be had back.")
    else:
        heads = ("manifest", "tags", "deleted", "by", "until")
        print_table(heads, [_deleted_cells(project, each) for each in found])
        if total > len(found):
            typer.echo(f"These are the last {len(found):,} of {total:,}; --limit shows more.")


def _deleted_facts(project: str, found: Deleted) -> dict[str, Any]:
    return {
        "manifest": f"{project}/{found.repository}@{found.digest}",
        "tags": list(found.tags),
        "deleted": moment(found.deleted_at),
        "by": found.deleted_by,
        "until": moment(found.until_at),
    }


def _deleted_cells(project: str, found: Deleted) -> list[str]:
    return [
        f"{project}/{found.repository}@{found.digest}",
        " ".join(found.tags),
        second(found.deleted_at),
        found.deleted_by,
        second(found.until_at),
    ]


async def _project(db: Database, name: str) -> int:
    facts = await projects.facts(db, ANONYMOUS, name)
    if facts is None:
        raise NameUnknown(f"there is no project {name}")
    return facts.id


@app.command()
def orphans(
    delete: Annotated[bool, typer.Option("--delete", help="Put them into the trash")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Compare the storage with the database: objects that nobody names, and blobs whose object is gone."""
    settings = load_settings(config, data_dir=data_dir)

    async def work(parts: Parts) -> Reconciled:
        if delete:
            _require_allowed(settings)
        async with AsyncExitStack() as stack:
            say = stack.enter_context(working("comparing"))

            async def report(found: Reconciled) -> None:
                say(told_orphans(found))

            return await reconcile(
                parts.db, parts.store, delete=delete, report=report, trash_seconds=settings.trash_seconds
            )

    found = _with_parts(settings, work)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "objects": found.objects,
                    "orphans": found.orphans,
                    "bytes": found.freed,
                    "missing": found.missing,
                    "orphan_keys": list(found.orphan_keys),
                    "missing_digests": list(found.missing_digests),
                },
                indent=2,
            )
        )
        return
    typer.echo(told_orphans(found))
    for key in found.orphan_keys[:20]:
        typer.echo(f"  nobody's  {key}")
    for digest in found.missing_digests[:20]:
        typer.echo(f"  missing   {digest}")
    if found.orphans:
        typer.echo(
            "They are in the trash now."
            if delete
            else "`fairway gc orphans --delete` puts them into the trash."
        )
    if found.missing:
        typer.echo(
            "Push the images with the missing blobs again; `fairway scrub` takes them off the list until then."
        )
