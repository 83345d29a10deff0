"""What a running server costs: processor time, memory and bytes read, summed over all its processes."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLES_PER_SECOND = 5
_PROC = Path("/proc")


def family(root: int) -> list[int]:
    """A process and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:  # grows while we walk it
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time used so far."""
    used = [fields for pid in pids if (fields := _stat(pid))]
    return sum(int(fields[11]) + int(fields[12]) for fields in used) / _TICKS


def memory(pids: Iterable[int]) -> int:
    """Proportional set size in bytes: pages that processes share count once."""
    total = 0
    for pid in pids:
        for line in _read(pid, "smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def bytes_read(pids: Iterable[int]) -> int:
    """Bytes taken from files by read() and sendfile(), from the disk or its cache.

    Programs that read() their sockets count what they receive as well; a GET request is not worth mentioning.
    """
    total = 0
    for pid in pids:
        for line in _read(pid, "io").splitlines():
            if line.startswith("rchar:"):
                total += int(line.split()[1])
    return total


class Meter:
    """What a server and this load generator spend within a `with` block.

    `generator_cpu` holds our own time and that of finished child processes such as wrk. `peak` is the highest memory
    seen, in bytes, sampled five times a second, and only with `watch_memory`: reading it is not free.
    """

    def __init__(self, pids: Callable[[], list[int]], *, watch_memory: bool = False) -> None:
        self._pids = pids
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True) if watch_memory else None
        self.seconds = self.server_cpu = self.generator_cpu = 0.0
        self.read = self.peak = 0

    def __enter__(self) -> Self:
        if self._watcher:
            self._watcher.start()
        pids = self._pids()
        self._before = cpu_seconds(pids), bytes_read(pids), _own_cpu(), time.perf_counter()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        cpu, read, own, started = self._before
        self.seconds = time.perf_counter() - started
        pids = self._pids()
        self.server_cpu = cpu_seconds(pids) - cpu
        self.read = bytes_read(pids) - read
        self.generator_cpu = _own_cpu() - own
        if self._watcher:
            self._ended.set()
            self._watcher.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, memory(self._pids()))
            if self._ended.wait(1 / _SAMPLES_PER_SECOND):
                return


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the program's name, state first; none when the process is gone."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text()
    except OSError:
        return ""
