"""Where Fairway's own time goes: py-spy beside the load of a case, kept as a flame graph and a table."""

import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

from cases import Bench, Case
from peers import Peer

CASES = ("manifest-get-tag", "blob-100k", "push-small-16")
"""The paths that everything else resembles."""

_PER_SECOND = 250
_SHOWN = 25
_WAITING = (
    "_worker (concurrent/futures/thread.py",
    "Threads._work (fairway/core/stores/threads.py",
    "Lines._write_for_ever (fairway/frame/log/lines.py",
    "SlowReaders._watch (fairway/cli/slow_readers.py",
    "Condition.wait (threading.py",
    "Popen.poll (multiprocessing/",
    "EpollSelector.select (selectors.py",
    "_Writer.run (fairway/frame/db/sqlite.py",
)
"""Where a thread with nothing to do stands. py-spy takes some of them for busy."""


def profile(py_spy: Path, bench: Bench, case: Case, peer: Peer, flame_graph: Path) -> str:
    """Write the flame graph; a table of the functions that took most, as Markdown."""
    stacks = bench.folder / "stacks.txt"
    heading = f"## Profile of {case.rows[0].title}\n\n"
    for form, output in {"flamegraph": flame_graph, "raw": stacks}.items():
        turn = replace(bench, turn=f"profile-{form}")  # pushes must be new ones
        load = threading.Thread(target=case.measure, args=(turn, peer))
        load.start()
        failure = _record(py_spy, peer, bench.plan.seconds, form, output)
        load.join()
        if failure:
            return f"{heading}py-spy could not look: {failure}\n"
    _leave_out_where(flame_graph, bench.folder)
    return f"{heading}The whole of it: [{flame_graph.name}]({flame_graph.name})\n\n{hottest(stacks)}"


def _leave_out_where(flame_graph: Path, folder: Path) -> None:
    """The names of processes have paths of this machine in them, of no use to a reader elsewhere."""
    text = flame_graph.read_text()
    for path in (Path(sys.executable).parent, folder, flame_graph.parent):
        text = text.replace(f"{path}/", "")
    flame_graph.write_text(text)


def _record(py_spy: Path, peer: Peer, seconds: int, form: str, output: Path) -> str:
    """Look at all processes of a peer for so long; what went wrong."""
    assert peer.process
    command = [str(py_spy), "record", "--pid", str(peer.process.pid), "--subprocesses", "--function"]
    command += ["--rate", str(_PER_SECOND), "--duration", str(seconds)]
    command += ["--format", form, "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip()[-300:] if done.returncode else ""


def hottest(stacks: Path) -> str:
    """A table of functions by their share of all samples: in themselves, and with what they call.

    Time in the server's native code counts for the Python function that called it; threads that wait do not count.
    """
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";") if not frame.startswith("process ")]
        if not frames or frames[-1].startswith(_WAITING):
            continue
        alone[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    total = sum(alone.values())
    if not total:
        return "No samples: the load was over before the profiler looked.\n"
    lines = ["| function | itself | with what it calls |", "|---|--:|--:|"]
    lines += [
        f"| `{name}` | {count / total:.1%} | {within[name] / total:.1%} |"
        for name, count in alone.most_common(_SHOWN)
    ]
    return "\n".join(lines) + "\n"


def _short(frame: str) -> str:
    """`name (…/site-packages/package/file.py)` without the folders that say nothing."""
    name, _, place = frame.partition(" (")
    for mark in ("site-packages/", "src/", "lib/python3"):
        if mark in place:
            place = place.rpartition(mark)[2]
    return f"{name} ({place}" if place else name
