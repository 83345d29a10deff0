"""A worker: takes what is due, keeps its leases, stops what it is told to stop, and hands back what it cannot finish.

Theory of operation.  A task belongs to the worker that claimed it as long as its lease is renewed.  A worker that dies,
stands still or cannot reach the database loses its tasks to others when the leases end; when it comes back it finds its
attempts superseded, and nothing they still write is accepted (`fenced.fence`).
"""

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from fairway.core.oci.errors import FairwayError
from fairway.frame import log
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import fenced, queue, records, schedules
from fairway.frame.jobs.attempt import Attempt
from fairway.frame.jobs.job import ERROR, PENDING, STOPPED, SUCCESS, Facts, GiveUp, Job, Jobs, Superseded
from fairway.frame.jobs.measures import measures
from fairway.frame.jobs.queue import Claimed

_log = log.get_logger(__name__)

LEASE_SECONDS = 30.0
POLL_SECONDS = 1.0
GOODBYE_SECONDS = 10.0
"""How long what runs may take to stop when the process ends."""
_SILENT_SECONDS = 300.0

Ending = partial[Coroutine[Any, Any, None]]
"""What is to be written about a task that came to its end, still to be told of which."""


class Runner:
    """One worker.  `slots` is how many tasks it runs at a time, all kinds together."""

    def __init__(
        self,
        db: Database,
        jobs: Jobs,
        *,
        slots: int = 10,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._db = db
        self._jobs = jobs
        self._slots = slots
        self._lease = lease_seconds
        self._poll = poll_seconds
        self._running: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._told_to_stop: set[tuple[int, int]] = set()
        self._lost: set[tuple[int, int]] = set()
        self._closing: set[tuple[int, int]] = set()  # their jobs are done: nothing is left to interrupt
        self._free = asyncio.Event()
        self._handing_out = asyncio.Lock()
        self._beaten = time.monotonic()
        self._known = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then what runs is interrupted and left to others, as if it had not been tried."""
        loops = [
            asyncio.create_task(self._again_and_again("renew leases", self.beat, self._lease / 6, stop)),
            asyncio.create_task(self._again_and_again("hand out tasks", self._take, self._poll, stop)),
            asyncio.create_task(self._again_and_again("fire schedules", self.fire, self._poll, stop)),
        ]
        await stop.wait()
        # What is being claimed just now belongs to us when it is committed: it must be known, to be handed back.
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._handing_out.acquire()
        for task in [*loops, *(task for key, task in self._running.items() if key not in self._closing)]:
            task.cancel()
        await asyncio.wait([*loops, *self._running.values()], timeout=GOODBYE_SECONDS)
        with suppress(FairwayError):
            await self._db.write(partial(records.worker_left, worker=self.id), soft=True)

    async def _again_and_again(
        self, what: str, turn: Callable[[], Awaitable[object]], seconds: float, stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            try:
                await turn()
                measures().loop_turned(what, seconds)
            except Exception as error:  # noqa: BLE001 - one bad turn must not end the loop
                _log.error("a loop of the job runner failed", loop=what, exc_info=error)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._free.wait() if what == "hand out tasks" else await asyncio.sleep(seconds)

    # -- the loops' turns

    async def beat(self) -> None:
        """Renew all leases; interrupt what is to stop, and what belongs to another worker by now."""
        try:
            if not self._known:
                measures().know_kinds(self._jobs.kinds)
                await self._db.write(partial(queue.know_kinds, kinds=self._jobs.kinds))
                self._known = True
            held = list(self._running)
            mine = await self._db.write(partial(self._renew, held=held), soft=True)
        except FairwayError:
            if time.monotonic() - self._beaten > self._lease:  # all leases are over, whoever has them now
                self._interrupt(set(self._running), self._lost)
            raise
        self._beaten = time.monotonic()
        self._interrupt({each for each in held if each not in mine}, self._lost)
        self._interrupt({each for each, stopping in mine.items() if stopping}, self._told_to_stop)

    async def _renew(self, conn: Conn, held: list[tuple[int, int]]) -> dict[tuple[int, int], bool]:
        await records.worker_seen(conn, self.id, socket.gethostname(), os.getpid(), self._slots)
        await records.forget_silent_workers(conn, _SILENT_SECONDS)
        return await queue.beat(conn, self.id, [task for task, _ in held], lease_seconds=self._lease)

    async def _take(self) -> None:
        self._free.clear()
        if self._running:
            self._interrupt(
                await queue.to_stop(self._db, self.id, [task for task, _ in self._running]),
                self._told_to_stop,
            )
        await self.take()

    async def take(self) -> int:
        """Claim what is due and begin with it; how many tasks."""
        free = self._slots - len(self._running)
        if free <= 0 or not await queue.anything_due(self._db, self._jobs.kinds):
            return 0
        limits = {job.kind: job.at_once for job in self._jobs}
        async with self._handing_out:
            claimed = await self._db.write(
                partial(queue.claim, worker=self.id, limits=limits, free=free, lease_seconds=self._lease)
            )
            for each in claimed:
                key = (each.id, each.attempt)
                self._running[key] = asyncio.create_task(self._attempt(each))
                self._running[key].add_done_callback(partial(self._ended, key))
        await asyncio.sleep(0)  # who is interrupted before its first step hears of nothing
        return len(claimed)

    async def fire(self) -> int:
        """Enqueue what is scheduled for now; how many schedules were due."""
        if not await schedules.anything_due(self._db, self._jobs.kinds):
            return 0
        fired = await self._db.write(partial(schedules.fire, jobs=self._jobs))
        for schedule, execution in fired:
            if execution is None:
                _log.warning("the last run of this schedule is not over; skipped", kind=schedule.kind)
        self._free.set()
        return len(fired)

    async def idle(self) -> None:
        """Return when nothing runs here."""
        while self._running:
            await asyncio.wait(self._running.values())

    def _interrupt(self, attempts: set[tuple[int, int]], why: set[tuple[int, int]]) -> None:
        for key in attempts - self._lost - self._told_to_stop - self._closing:
            if key in self._running:
                why.add(key)
                self._running[key].cancel()

    def _ended(self, key: tuple[int, int], _task: "asyncio.Task[None]") -> None:
        del self._running[key]
        self._lost.discard(key)
        self._told_to_stop.discard(key)
        self._closing.discard(key)
        self._free.set()

    # -- one attempt

    async def _attempt(self, claimed: Claimed) -> None:
        key = (claimed.id, claimed.attempt)
        attempt = Attempt(self._db, claimed)
        began = time.monotonic()
        ending: Ending | None
        try:
            ending = await self._outcome(claimed, attempt)
        except asyncio.CancelledError:
            if key in self._lost:
                return
            if key in self._told_to_stop:
                ending = partial(fenced.end, status=STOPPED, message="stopped")
            else:  # this process ends
                ending = partial(fenced.again, message="interrupted", seconds=0, uncounted=True)
        self._closing.add(key)
        if ending is not None and await self._keep_trying(partial(ending, claimed=claimed), attempt):
            status = ending.keywords.get("status", PENDING)
            measures().task_ended(claimed.kind, status, time.monotonic() - began)

    async def _outcome(self, claimed: Claimed, attempt: Attempt) -> Ending | None:
        """Run the job; what is to be written about it, None when that is not for this worker to say."""
        job = self._jobs[claimed.kind]
        if claimed.stopping:
            return partial(fenced.end, status=STOPPED, message="stopped")
        if claimed.tries > job.tries:
            return partial(
                fenced.end, status=ERROR, message=f"{claimed.tries - 1} times its process ended before it did"
            )
        try:
            result: Facts | None = await job.run(attempt, job.read(claimed.arguments))
        except Superseded:
            _log.warning("another worker has taken a task over", task=claimed.id, kind=claimed.kind)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a job raises is its task's outcome
            return await self._failed(job, claimed, attempt, error)
        return partial(fenced.end, status=SUCCESS, result=result)

    async def _failed(self, job: Job[Any], claimed: Claimed, attempt: Attempt, error: Exception) -> Ending:
        foreseen = isinstance(error, FairwayError)
        message = (
            error.message
            if isinstance(error, FairwayError)
            else "an unexpected error; the server's log has it"
        )
        _log.error(
            "a task failed",
            task=claimed.id,
            kind=claimed.kind,
            attempt=claimed.tries,
            error=message if foreseen else None,
            exc_info=None if foreseen else error,
        )
        await attempt.log(f"try {claimed.tries} of {job.tries} failed: {message}")
        if claimed.tries >= job.tries or isinstance(error, GiveUp):
            return partial(fenced.end, status=ERROR, message=message)
        return partial(fenced.again, message=message, seconds=job.pause_after(claimed.tries))

    async def _keep_trying(self, ending: Ending, attempt: Attempt) -> bool:
        """Write how it ended; False when that could not be done, or was not for this worker to say.

        The database may be away for a moment; for longer, the lease ends and somebody else runs it."""
        until = time.monotonic() + self._lease
        while True:
            try:
                await attempt.flush()
                await self._db.write(ending)
            except Superseded:
                return False
            except FairwayError as error:
                if time.monotonic() > until:
                    _log.error("how a task ended cannot be written", task=attempt.id, error=error.message)
                    return False
                await asyncio.sleep(1)
            else:
                return True
