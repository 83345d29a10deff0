"""What Prometheus may count: requests, how long they take, blob bytes in and out, unexpected errors.

Several processes serve one port, so each keeps its numbers in a memory-mapped file of its own and whoever is asked adds
them up (prometheus-client's multiprocess mode).  The supervisor turns that on with `prepare_multiprocess`, and the
processes it starts inherit it.  Without it (a single process, a test) the numbers simply live in memory.

Adding to a shared number costs more than a look-up in the database, so what requests count is gathered in memory first
and added every `GATHER_SECONDS`.  A process that is killed loses that much.

Labels have few values by construction: methods and operations are taken from fixed sets, and whatever is not in them
counts as "other".  No label ever holds what a client chose, such as a repository's name.
"""

import asyncio
import functools
import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)

from fairway.core.oci.errors import FairwayError
from fairway.frame.metric_files import ReservedDict

OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Seconds.  A cached look-up takes under a millisecond, a large layer minutes.
_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)


GATHER_SECONDS = 0.5


class MetricsMisused(FairwayError):
    """The process prepared its metrics too late to take effect."""

    code = "METRICS_MISUSED"


class Metrics:
    """This process's numbers.  One instance per process: `metrics()`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per series, which nobody reads
        self.registry = CollectorRegistry()
        self._operations: set[str] = set()
        self._requests = Counter(
            "fairway_http_requests",
            "Requests answered.",
            ("method", "operation", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fairway_http_request_duration_seconds",
            "Time from the request's head to the end of the answer.",
            ("method", "operation"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "fairway_http_requests_in_flight",
            "Requests being served.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._errors = Counter(
            "fairway_errors",
            "Errors nobody foresaw; the log has each.",
            ("operation",),
            registry=self.registry,
        )
        self._stuck = Counter(
            "fairway_gc_trash_failures",
            "Objects that could not be removed; each is tried again an hour later.",
            registry=self.registry,
        )
        blob_bytes = Counter(
            "fairway_blob_bytes", "Bytes of blobs moved.", ("direction",), registry=self.registry
        )
        self._in, self._out = blob_bytes.labels("in"), blob_bytes.labels("out")
        self._serving = self._received = self._sent = 0
        self._tallies: dict[tuple[str, str, int], _Tally] = {}
        self._gathering = False

    def know_operations(self, names: Iterable[str]) -> None:
        """Add to the operations that have a line of their own; said once, by whoever lists the routes."""
        self._operations.update(names)

    def request_started(self) -> None:
        self._serving += 1
        self._gather()

    def request_finished(self, method: str, operation: str, status: int, seconds: float) -> None:
        """`operation` is the name of the matched route; `status` the HTTP status sent (0: none, the client left)."""
        self._serving -= 1
        tally = self._tallies.get((method, operation, status // 100))
        if tally is None:
            tally = self._tally(method, operation, status // 100)
        tally.add(seconds)
        self._gather()

    def _tally(self, method: str, operation: str, group: int) -> "_Tally":
        method = method if method in _METHODS else OTHER
        operation = self._known(operation)
        tally = self._tallies.get((method, operation, group))
        if tally is None:
            counted = self._requests.labels(method, operation, f"{group}xx" if 1 <= group < 6 else "none")
            tally = _Tally(counted, self._seconds.labels(method, operation))
            self._tallies[method, operation, group] = tally
        return tally

    def blob_received(self, size: int) -> None:
        """`size` bytes of a blob came in from a client."""
        self._received += size
        self._gather()

    def blob_sent(self, size: int) -> None:
        """`size` bytes of a blob went out to a client."""
        self._sent += size
        self._gather()

    def _gather(self) -> None:
        """See to it that what was counted is added soon; at once where no event loop runs."""
        if self._gathering:
            return
        try:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.publish)
            self._gathering = True
        except RuntimeError:
            self.publish()

    def publish(self) -> None:
        """Add what was gathered to the numbers that everybody sees.  For the event loop, as whoever counts."""
        self._gathering = False
        self._in_flight.set(self._serving)
        for tally in self._tallies.values():
            tally.publish()
        received, self._received = self._received, 0
        sent, self._sent = self._sent, 0
        self._in.inc(received)
        self._out.inc(sent)

    def unexpected_error(self, operation: str) -> None:
        """An error of ours that became an anonymous 500, or stopped a background task."""
        self._errors.labels(self._known(operation)).inc()

    def object_stuck(self) -> None:
        """An object in the trash could not be removed."""
        self._stuck.inc()

    def _known(self, operation: str) -> str:
        return operation if operation in self._operations else OTHER


class _Tally:
    """Requests of one kind since the last `publish`."""

    __slots__ = ("_buckets", "_count", "_counted", "_seconds", "_timed")

    def __init__(self, counted: Counter, timed: Histogram) -> None:
        self._counted = counted
        self._timed = timed
        self._count = 0
        self._seconds = 0.0
        self._buckets = [0] * (len(_BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        self._count += 1
        self._seconds += seconds
        self._buckets[bisect_left(_BUCKETS, seconds)] += 1

    def publish(self) -> None:
        if not self._count:
            return
        self._counted.inc(self._count)
        # A histogram takes one observation at a time; its parts take sums.
        self._timed._sum.inc(self._seconds)  # noqa: SLF001
        for bucket, count in zip(self._timed._buckets, self._buckets, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        self._count, self._seconds = 0, 0.0
        self._buckets = [0] * len(self._buckets)


@functools.cache
def metrics() -> Metrics:
    """This process's metrics, made on first use."""
    return Metrics()


def prepare_multiprocess(folder: Path) -> None:
    """Make this process and the ones it starts share their numbers through `folder`, beginning at zero.

    To be called by the supervisor before anything is counted.  Raises MetricsMisused when that has happened already.
    """
    if metrics.cache_info().currsize:
        raise MetricsMisused("prepare_multiprocess() must come before the first use of metrics in a process.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # noqa: TID251  (the library's switch, inherited by children)
    values.MmapedDict = ReservedDict  # type: ignore[attr-defined]
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def forget_process(pid: int) -> None:
    """A process has died: its requests in flight are none any more.  What it counted stays."""
    if _shared():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def render() -> tuple[bytes, str]:
    """All processes' numbers in Prometheus' text format, and its content type.  Reads files: not for the event loop."""
    if not _shared():
        return generate_latest(metrics().registry), CONTENT_TYPE_LATEST
    everybody = CollectorRegistry()
    multiprocess.MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
    return generate_latest(everybody), CONTENT_TYPE_LATEST


def _shared() -> bool:
    return values.ValueClass is not values.MutexValue
