"""Measures Fairway beside real registries, all in one run on one machine, and prints ratios: `make bench`."""

import argparse
import fnmatch
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cases
import content
import tools
from cases import Bench, Case, Plan
from peers import Peer, all_peers
from profiling import CASES, profile
from report import Report, Taken
from wire import Refused

if TYPE_CHECKING:
    from postgres import Postgres

HERE = Path(__file__).parent
_FAILURES = (Refused, RuntimeError, OSError, subprocess.SubprocessError)


def main() -> int:
    options = _options()
    plan = cases.QUICK if options.quick else cases.FULL
    plan = replace(plan, rounds=options.rounds or plan.rounds, seconds=options.seconds or plan.seconds)
    found = tools.find(build=not options.no_build)
    for line in found.missing():
        print(f"bench: missing {line}")
    if found.wrk is None:
        return 2
    _prepare_this_process()
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fairway-bench-", dir=options.work))
        )
        folder.chmod(0o711)  # a database server runs as somebody else
        peers = all_peers(folder, found, stack.enter_context(_postgres(folder)) if options.postgres else None)
        if options.peers:
            peers = [peer for peer in peers if peer.name in options.peers]
        chosen = [case for case in cases.all_cases(plan) if _wanted(case.name, options.only)]
        report = Report(_about(options, plan, found), chosen)
        bench = Bench(plan, content.image(options.seed), found.wrk, folder, options.seed)
        name = f"{datetime.now().astimezone():%Y-%m-%d-%H%M}-{'quick' if options.quick else 'full'}"
        try:
            _run(bench, peers, report)
            if options.profile:
                _profile(bench, peers, report, options.results / name)
        finally:
            for peer in peers:
                peer.remove()
        report.write(options.results, name)
    print(f"\n{report.markdown()}\nbench: written to {options.results / name}.md and .json")
    return 1 if report.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything, in about two minutes")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="these cases; may be given again, may hold *"
    )
    parser.add_argument("--peers", type=lambda text: text.split(","), metavar="A,B", help="these peers only")
    parser.add_argument("--postgres", action="store_true", help="Fairway on PostgreSQL instead of SQLite")
    parser.add_argument("--profile", action="store_true", help=f"afterwards, py-spy on {' and '.join(CASES)}")
    parser.add_argument("--rounds", type=int, help="measurements of each case and peer; the median counts")
    parser.add_argument("--seconds", type=int, help="length of each measurement of a rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-build", action="store_true", help="do not build a registry with Go")
    parser.add_argument(
        "--work", type=Path, default=Path("/var/tmp"), help="all data goes here (default: %(default)s)"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    names = [case.name for case in cases.all_cases(cases.QUICK)]
    for pattern in options.only or ():
        if not fnmatch.filter(names, pattern):
            parser.error(f"no case is called {pattern}; there are {', '.join(names)}")
    return options


def _wanted(name: str, patterns: list[str] | None) -> bool:
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _prepare_this_process() -> None:
    """The load generator, and what it starts, keeps to the last core; servers are given all of them."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(bench: Bench, peers: list[Peer], report: Report) -> None:
    """A B C A B C …: every round of a case asks each peer once."""
    lasting = [case for case in report.cases if not case.fresh]
    for peer in list(peers):
        try:
            if any(case.suits(peer) for case in lasting):
                peer.start()
                peer.fill(bench.image)
        except _FAILURES as error:
            peers.remove(peer)
            peer.remove()
            report.failures.append(f"{peer.name}: {error}")
    for case in report.cases:
        print(f"bench: {case.name}", end="", flush=True)
        broken: set[str] = set()
        for number in range(bench.plan.rounds):
            for peer in (peer for peer in peers if case.suits(peer) and peer.name not in broken):
                turn = replace(bench, turn=f"{case.name}-{number}")
                try:
                    report.taken.append(Taken(case.name, number, peer.name, _measure(turn, case, peer)))
                    print(".", end="", flush=True)
                except _FAILURES as error:
                    broken.add(peer.name)
                    report.failures.append(f"{case.name} on {peer.name}: {error}")
                    print("!", end="", flush=True)
        print(flush=True)


def _measure(bench: Bench, case: Case, peer: Peer) -> cases.Sample:
    os.sync()  # what the last one left to write is not this one's burden
    if not case.fresh:
        return case.measure(bench, peer)
    fresh = peer.empty(peer.folder.with_name(f"{peer.name}-{bench.turn}"))
    try:
        if case.started:
            fresh.start()
        return case.measure(bench, fresh)
    finally:
        fresh.remove()


def _profile(bench: Bench, peers: list[Peer], report: Report, target: Path) -> None:
    py_spy = tools.py_spy(Path(sys.executable))
    hub = next((peer for peer in peers if peer.name == "fairway"), None)
    if py_spy is None or hub is None or hub.process is None:
        print(
            "bench: no profile: it needs py-spy (python -m pip install py-spy) and a case that leaves Fairway running"
        )
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    longer = replace(bench, plan=replace(bench.plan, seconds=max(5, bench.plan.seconds)))
    for case in (case for case in cases.all_cases(bench.plan) if case.name in CASES):
        print(f"bench: profile of {case.name}", flush=True)
        flame_graph = target.with_name(f"{target.name}-{case.name}.svg")
        report.notes.append(profile(py_spy, longer, case, hub, flame_graph))


@contextmanager
def _postgres(folder: Path) -> Iterator["Postgres"]:
    sys.path.append(str(HERE.parent / "tests"))
    from postgres import Postgres, binaries

    if binaries() is None:
        sys.exit("bench: --postgres needs a PostgreSQL server (Debian: apt-get install postgresql)")
    tempfile.tempdir = str(folder)  # its data, too, on the file system of all the others
    server = Postgres(durable=True)
    try:
        yield server
    finally:
        server.close()


def _major_minor(release: str) -> str:
    """Of a kernel: the rest names whoever built it."""
    return ".".join(release.split(".")[:2])


def _about(options: argparse.Namespace, plan: Plan, found: tools.Tools) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    load = os.getloadavg()[0]
    busy = "" if load < 0.5 else " (busy with other things: trust the ratios little, the rates not at all)"
    return {
        "when": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "commit": commit.stdout.strip() or "unknown",
        "options": " ".join(sys.argv[1:]) or "none",
        "plan": f"{plan.rounds} rounds, {plan.seconds} s each, seed {options.seed}",
        "machine": f"{os.cpu_count()} cores, Linux {_major_minor(platform.release())}, Python {platform.python_version()}",
        "load before": f"{load:.1f}{busy}",
        "Fairway": f"{'PostgreSQL' if options.postgres else 'SQLite'}, one worker, fsync, bearer tokens",
        "peers": found.versions(),
    }


if __name__ == "__main__":
    sys.exit(main())
