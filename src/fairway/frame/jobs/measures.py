"""What Prometheus may know of background work.  Names are Harbor's where Harbor has them.

Counters are each process's own; what describes the queues as a whole is read from the database by whoever works, and the
last one to have looked is believed.
"""

import functools
import time
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from fairway.frame import events
from fairway.frame.db import Conn, Database
from fairway.frame.jobs import records, schedules
from fairway.frame.jobs.job import ERROR, STOPPED, SUCCESS
from fairway.frame.metrics import metrics

_BUCKETS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0)


class Measures:
    """This process's numbers about background work.  One instance per process: `measures()`."""

    def __init__(self) -> None:
        registry = metrics().registry

        def last_said(name: str, about: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(name, about, labels, multiprocess_mode="mostrecent", registry=registry)

        self._ended = Counter(
            "harbor_jobservice_task", "Tasks that came to an end.", ("type", "status"), registry=registry
        )
        self._seconds = Histogram(
            "harbor_jobservice_task_process_time_seconds",
            "How long attempts at tasks took.",
            ("type",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._size = last_said("harbor_task_queue_size", "Tasks that have not begun.", ("type",))
        self._latency = last_said(
            "harbor_task_queue_latency", "Seconds that the oldest task has been due.", ("type",)
        )
        self._at_work = last_said("harbor_task_concurrency", "Tasks being run.", ("type",))
        self._paused = last_said("fairway_task_queue_paused", "Whether a queue is paused.", ("type",))
        self._scheduled = last_said("harbor_task_scheduled_total", "Schedules there are.")
        self._workers = last_said("fairway_workers", "Worker processes that were heard of lately.")
        self._events = last_said("fairway_events_waiting", "Events nothing has followed from yet.")
        self._every = last_said(
            "fairway_loop_interval_seconds", "How often a background loop turns.", ("loop",)
        )
        self._turned = last_said(
            "fairway_loop_last_turn_timestamp_seconds",
            "When a background loop last came round without an error.",
            ("loop",),
        )

    def know_kinds(self, kinds: Iterable[str]) -> None:
        """From now on these have a line each, at zero: Prometheus sees an increase only of what was there before."""
        for kind in kinds:
            for status in (SUCCESS, ERROR, STOPPED):
                self._ended.labels(kind, status)

    def task_ended(self, kind: str, status: str, seconds: float) -> None:
        """An attempt came to its end, and the task with it unless `status` is Pending: then it is tried again."""
        self._ended.labels(kind, status).inc()
        self._seconds.labels(kind).observe(seconds)

    def loop_turned(self, loop: str, every: float) -> None:
        """A loop that turns every so many seconds has come round."""
        self._every.labels(loop).set(every)
        self._turned.labels(loop).set(time.time())

    async def look(self, db: Database) -> None:
        """Say how the queues stand."""

        async def read(conn: Conn) -> None:
            busy = Tally(task.kind for task in await records.at_work(conn))
            for row in await records.queue_states(conn):
                kind = row["kind"]
                self._size.labels(kind).set(row["waiting"])
                self._latency.labels(kind).set(max(0, row["latency"]))
                self._paused.labels(kind).set(bool(row["paused"]))
                self._at_work.labels(kind).set(busy[kind])
            self._scheduled.set((await schedules.listed(conn, offset=0, limit=0))[1])
            self._workers.set(len(await records.workers_seen(conn)))
            self._events.set(await events.waiting(conn))

        await db.read(read)


@functools.cache
def measures() -> Measures:
    """This process's measures, made on first use."""
    return Measures()
