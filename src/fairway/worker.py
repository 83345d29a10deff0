"""The background process: steps repeated at intervals, each supervised, and jobs, until somebody says stop.

A step that fails is logged and tried again at its next turn; it never takes the others with it.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from fairway.boot import Parts, build
from fairway.features.artifacts.remembering import Remembering
from fairway.features.audit.forward import Forwarder
from fairway.features.gc import measures as gc
from fairway.features.projects import deletions
from fairway.features.registry import housekeeping
from fairway.features.retention import jobs as retention
from fairway.features.webhooks import measures as webhooks
from fairway.features.webhooks.store import policies as webhook_policies
from fairway.features.webhooks.tidying import Tidying
from fairway.frame import events, log
from fairway.frame.db import Database
from fairway.frame.jobs import records
from fairway.frame.jobs.job import Jobs
from fairway.frame.jobs.measures import measures
from fairway.frame.jobs.runner import Runner
from fairway.frame.metrics import metrics
from fairway.frame.process import hear_signals, when_orphaned
from fairway.frame.settings import Settings
from fairway.reactions import reactions

_log = log.get_logger(__name__)

_SWEPT_AT_A_TIME = 200
"""Executions forgotten in one transaction."""
_FORGOTTEN_AT_A_TIME = 20
"""Policies of webhooks."""


_LOOK_SECONDS = 1.0
"""How soon jobs wait for a server that was made read-only, and go on afterwards."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do every `seconds`; `run` returns how much there was to do."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[int]]
    told: bool = True
    """Whether the log says that there was something to do."""


def steps(parts: Parts) -> list[Step]:
    """Everything the background process does; on a read-only server, nothing that removes bytes."""

    def unless_read_only(run: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        async def perhaps() -> int:
            return 0 if parts.hub.changes.read_only else await run()

        return perhaps

    db, store, settings = parts.db, parts.store, parts.settings
    removing = [
        Step(
            "expire uploads",
            60,
            unless_read_only(lambda: housekeeping.expire_uploads(db, store, settings.upload_expiry_seconds)),
        ),
        Step("empty trash", 30, unless_read_only(lambda: housekeeping.empty_trash(db, store))),
    ]
    follows = reactions(parts.notifications, parts.configuration, parts.webhooks)
    forwarder = Forwarder(db, parts.configuration, parts.send_lines)
    return [
        *(removing if not settings.read_only else ()),
        Step("hand over events", 1, lambda: events.hand_over(db, follows), told=False),
        Step("forward the audit log", 1, forwarder.forward, told=False),
        Step("measure", 10, lambda: _measure(db)),
        Step("measure garbage", 60, lambda: _measure_garbage(db)),
        Step("measure webhooks", 10, lambda: _measure_webhooks(db)),
        Step("tidy notifications", 15, parts.notifications.tidy),
        Step("tidy webhooks", 15, Tidying(db).tidy),
        Step("fold quota deltas", 5, lambda: housekeeping.fold_quota_deltas(db)),
        Step("forget expired", 300, lambda: housekeeping.forget_expired(db)),
        Step("forget sessions", 300, parts.sessions.tidy),
        Step(
            "go on removing what was in deleted projects",
            300,
            lambda: deletions.go_on(db, parts.jobs[deletions.PROJECT_DELETION]),
        ),
        Step("forget webhooks of deleted projects", 300, lambda: forget_webhooks(db)),
        Step("forget runs of deleted retention policies", 300, lambda: retention.forget_orphans(db)),
        Step("forget what tags named long ago", 60, Remembering(db).forget, told=False),
        Step("sweep history", 300, lambda: sweep_history(db, parts.jobs)),
    ]


async def _measure(db: Database) -> int:
    await measures().look(db)
    return 0


async def _measure_garbage(db: Database) -> int:
    await gc.measures().look(db)
    return 0


async def _measure_webhooks(db: Database) -> int:
    await webhooks.measures().look(db)
    return 0


async def sweep_history(db: Database, jobs: Jobs) -> int:
    """Forget, of each kind of job, the executions beyond those it keeps; how many."""
    gone = 0
    for job in jobs:
        while some := await db.write(
            partial(records.sweep, kind=job.kind, kept=job.kept, limit=_SWEPT_AT_A_TIME)
        ):
            gone += some
    return gone


async def forget_webhooks(db: Database) -> int:
    """Forget the webhooks of projects that are gone, once that is told; how many."""
    gone = 0
    while some := await db.write(partial(webhook_policies.forget_left, most=_FORGOTTEN_AT_A_TIME)):
        gone += some
    return gone


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, or until the process that started this one is gone."""
    log.configure(settings)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hear_signals()
    async with build(settings, works=True) as parts:
        made = steps(parts)
        metrics().know_operations(step.name for step in made)
        tasks = [asyncio.create_task(_repeat(step, stop)) for step in made]
        tasks.append(asyncio.create_task(when_orphaned(stop.set)))
        await asyncio.gather(stop.wait(), _work(parts, stop), _deliver(parts, stop))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(parts: Parts, stop: asyncio.Event) -> None:
    """Run jobs.  On a read-only server they wait: most of them are there to change or remove something.

    Those that run when an administrator makes it read-only are interrupted, and begin again when it is over.
    """
    while not parts.settings.read_only and not stop.is_set():
        if parts.hub.changes.read_only:
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        pause = asyncio.Event()
        watching = asyncio.create_task(_pause_when_read_only(parts, stop, pause))
        await Runner(parts.db, parts.jobs, slots=parts.settings.job_slots).run(pause)
        watching.cancel()


async def _deliver(parts: Parts, stop: asyncio.Event) -> None:
    """Tell targets of webhooks.  On a read-only server they wait, as other endpoints do."""
    if parts.deliverer is not None:
        await parts.deliverer.run(stop)


async def _pause_when_read_only(parts: Parts, stop: asyncio.Event, pause: asyncio.Event) -> None:
    while not parts.hub.changes.read_only:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await stop.wait()
                break
    pause.set()


async def _repeat(step: Step, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            done = await step.run()
            measures().loop_turned(step.name, step.seconds)
            if done and step.told:
                _log.info("background step", step=step.name, done=done)
        except Exception as error:  # noqa: BLE001 - one bad turn must not end the loop
            metrics().unexpected_error(step.name)
            _log.error("background step failed", step=step.name, exc_info=error)
        await asyncio.sleep(step.seconds)
