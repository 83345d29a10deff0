"""The list of what is measured: a case drives one load against one peer and returns what came of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import pulls
import pushes
import readers
from content import GB, MB, REPO, TAG, Image, Large
from peers import Peer
from processes import Meter, memory
from pulls import Load
from wire import MANIFEST_TYPE, basic, token_url

_SLOW_CONNECTIONS = 16
_TOKEN_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. `seconds` is for each measurement of a rate, sizes are in bytes."""

    rounds: int
    seconds: int
    one_layer: int
    crowd: int
    crowd_layer: int
    slow_readers: int = 500
    range_readers: int = 200
    ranges_each: int = 3


FULL = Plan(rounds=5, seconds=5, one_layer=GB, crowd=50, crowd_layer=200 * MB)
QUICK = Plan(rounds=2, seconds=1, one_layer=128 * MB, crowd=50, crowd_layer=8 * MB, ranges_each=1)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases of a run share. `folder` is for scratch files; `turn` names this measurement in seeds and tags."""

    plan: Plan
    image: Image
    wrk: Path
    folder: Path
    seed: int
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `more` says whether more of it is better."""

    key: str
    title: str
    unit: str
    more: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: a value for each row of its case, and what it cost. Times are in seconds."""

    values: dict[str, float]
    operations: int
    seconds: float
    server_cpu: float
    generator_cpu: float
    p50: float = 0.0
    p99: float = 0.0


Measure = Callable[[Bench, Peer], Sample]


@dataclass(frozen=True, slots=True)
class Case:
    """`fresh`: each measurement starts a server on an empty folder, if `started`, and deletes it afterwards."""

    name: str
    rows: tuple[Row, ...]
    measure: Measure
    pushes: bool = False
    fresh: bool = False
    started: bool = True
    two_workers: bool = False
    tokens_only: bool = False

    def suits(self, peer: Peer) -> bool:
        """Whether it can be measured on this peer."""
        if peer.name == "fairway-2" and not self.two_workers:
            return False
        return (peer.pushable or not self.pushes) and (peer.login is not None or not self.tokens_only)


@dataclass(slots=True)
class _Rate:
    """A case with one row, requests per second."""

    name: str
    title: str
    load: Callable[[Bench, Peer], Load]
    options: dict[str, bool] = field(default_factory=dict)
    unit: str = "/s"

    def measure(self, bench: Bench, peer: Peer) -> Sample:
        with Meter(peer.pids) as meter:
            load = self.load(bench, peer)
        rate = load.bytes / load.seconds / MB if self.unit == "MB/s" else load.rate
        return _sample(meter, load, {self.name: rate})

    def case(self) -> Case:
        return Case(self.name, (Row(self.name, self.title, self.unit),), self.measure, **self.options)


def _sample(meter: Meter, load: Load, values: dict[str, float]) -> Sample:
    return Sample(
        values, load.requests, meter.seconds, meter.server_cpu, meter.generator_cpu, load.p50, load.p99
    )


def _headers(peer: Peer) -> dict[str, str]:
    return {**peer.token(REPO), "Accept": f"{MANIFEST_TYPE}, */*"}


def _manifest(bench: Bench, *, by_tag: bool) -> str:
    return f"/v2/{REPO}/manifests/{TAG if by_tag else bench.image.digest}"


def _get(path: Callable[[Bench], str], connections: int, bench: Bench, peer: Peer) -> Load:
    url = peer.url + path(bench)
    return pulls.get(
        bench.wrk, bench.folder, url, _headers(peer), seconds=bench.plan.seconds, connections=connections
    )


def _head(path: Callable[[Bench], str], bench: Bench, peer: Peer) -> Load:
    seconds = bench.plan.seconds
    return pulls.head(peer.address, path(bench), _headers(peer), seconds=seconds, connections=32)


def _by_tag(bench: Bench) -> str:
    return _manifest(bench, by_tag=True)


def _by_digest(bench: Bench) -> str:
    return _manifest(bench, by_tag=False)


def _middle_blob(bench: Bench) -> str:
    return f"/v2/{REPO}/blobs/{bench.image.middle}"


def _large_blob(bench: Bench) -> str:
    return f"/v2/{REPO}/blobs/{bench.image.large}"


def _tokens(bench: Bench, peer: Peer) -> Load:
    url = token_url(peer.address, [REPO])
    assert url
    assert peer.login
    seconds = bench.plan.seconds
    return pulls.get(
        bench.wrk,
        bench.folder,
        peer.url + url,
        basic(peer.login),
        seconds=seconds,
        connections=_TOKEN_CONNECTIONS,
    )


def _small(clients: int, bench: Bench, peer: Peer) -> Load:
    headers = [peer.token(pushes.repo_of(client)) for client in range(clients)]
    return pushes.small(peer.address, headers, seconds=bench.plan.seconds, seed=bench.turn)


def _ranges(bench: Bench, peer: Peer) -> Sample:
    plan, size = bench.plan, len(bench.image.blobs[bench.image.large])
    headers = _headers(peer)
    with Meter(peer.pids) as meter:
        got = asyncio.run(
            readers.ranges(
                peer.address,
                _large_blob(bench),
                headers,
                size=size,
                readers=plan.range_readers,
                each=plan.ranges_each,
                seed=bench.seed,
            )
        )
    count = plan.range_readers * plan.ranges_each
    values = {"ranges": got / MB / meter.seconds, "ranges-read": meter.read / got}
    return Sample(values, count, meter.seconds, meter.server_cpu, meter.generator_cpu)


def _slow_readers(bench: Bench, peer: Peer) -> Sample:
    headers = _headers(peer)

    async def quick_ones() -> Load:
        return await asyncio.to_thread(_get, _by_tag, _SLOW_CONNECTIONS, bench, peer)

    with Meter(peer.pids, watch_memory=True) as meter:
        load = asyncio.run(
            readers.beside_slow_readers(
                peer.address, _large_blob(bench), headers, bench.plan.slow_readers, quick_ones
            )
        )
    return _sample(meter, load, {"slow-readers": load.rate, "slow-readers-memory": meter.peak / MB})


@cache
def _layer(seed: int, size: int) -> Large:
    return Large(seed, size)


def _large_pushes(name: str, at_once: int, size: int, bench: Bench, peer: Peer) -> Sample:
    layer = _layer(bench.seed, size)
    headers = peer.token(pushes.repo_of(0))
    with Meter(peer.pids, watch_memory=True) as meter:
        seconds = pushes.large(peer.address, headers, layer, at_once=at_once, seed=bench.turn)
    values = {name: at_once * size / MB / seconds, f"{name}-memory": meter.peak / MB}
    return Sample(values, at_once, seconds, meter.server_cpu, meter.generator_cpu)


def _start(_bench: Bench, peer: Peer) -> Sample:
    first = peer.start()
    idle = memory(peer.pids()) / MB
    peer.stop()
    started = time.perf_counter()
    again = peer.start()
    values = {"start-first": first, "start-again": again, "idle-memory": idle}
    return Sample(values, 1, time.perf_counter() - started, 0.0, 0.0)


def all_cases(plan: Plan) -> list[Case]:
    """Every case, in the order of the table."""
    two = {"two_workers": True}
    push = {"pushes": True}
    one, crowd = plan.one_layer // MB, plan.crowd_layer // MB
    rates = [
        _Rate("manifest-get-tag", "manifest GET by tag", partial(_get, _by_tag, 32), two),
        _Rate("manifest-get-digest", "manifest GET by digest", partial(_get, _by_digest, 32)),
        _Rate("manifest-head-tag", "manifest HEAD by tag", partial(_head, _by_tag)),
        _Rate("manifest-head-digest", "manifest HEAD by digest", partial(_head, _by_digest)),
        _Rate("blob-100k", "blob GET, 100 KB", partial(_get, _middle_blob, 32), two),
        _Rate("blob-64m", "blob GET, 64 MiB", partial(_get, _large_blob, 8), unit="MB/s"),
        _Rate("token", "token endpoint", _tokens, {"tokens_only": True}),
        _Rate("push-small-1", "small pushes, 1 client", partial(_small, 1), push),
        _Rate("push-small-16", "small pushes, 16 clients", partial(_small, 16), push | two),
        _Rate("push-small-64", "small pushes, 64 clients", partial(_small, 64), push),
    ]
    ranges = (
        Row("ranges", f"{plan.range_readers} open-ended ranges, 1 MB read of each", "MB/s"),
        Row("ranges-read", "… bytes read from files per byte received", "×", more=False),
    )
    slow = (
        Row("slow-readers", f"manifest GET beside {plan.slow_readers} slow readers", "/s"),
        Row("slow-readers-memory", "… peak memory", "MB", more=False),
    )
    alone = (
        Row("push-large", f"push of one {one} MiB layer", "MB/s"),
        Row("push-large-memory", "… peak memory", "MB", more=False),
    )
    together = (
        Row("push-crowd", f"{plan.crowd} pushes of {crowd} MiB at once", "MB/s"),
        Row("push-crowd-memory", "… peak memory", "MB", more=False),
    )
    start = (
        Row("start-first", "start on an empty folder", "s", more=False),
        Row("start-again", "start on existing data", "s", more=False),
        Row("idle-memory", "memory after the start", "MB", more=False),
    )
    return [
        *(rate.case() for rate in rates),
        Case("ranges", ranges, _ranges),
        Case("slow-readers", slow, _slow_readers),
        Case(
            "push-large",
            alone,
            partial(_large_pushes, "push-large", 1, plan.one_layer),
            pushes=True,
            fresh=True,
        ),
        Case(
            "push-crowd",
            together,
            partial(_large_pushes, "push-crowd", plan.crowd, plan.crowd_layer),
            pushes=True,
            fresh=True,
        ),
        Case("start", start, _start, pushes=True, fresh=True, started=False),
    ]
