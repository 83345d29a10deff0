"""A memory limit for processes under test: a control group of our own, version 1 or 2."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """`under` starts a command in it."""

    def __init__(self, folder: Path, limit: str, events: str, count: str) -> None:
        self._folder = folder
        self._events = folder / events
        self._count = count
        self._limit = folder / limit

    @property
    def under(self) -> list[str]:
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._folder / "cgroup.procs")]

    def limit(self, size: int) -> None:
        self._limit.write_text(str(size))

    def killed(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        lines = (line.split() for line in self._events.read_text().splitlines())
        return next(int(count) for name, count in lines if name == self._count)


@contextmanager
def memory_group(size: int) -> Iterator[MemoryGroup]:
    """A group that may have `size` bytes, page cache included.  Skips the test where none can be made."""
    one = (_ROOT / "memory").is_dir()
    folder = (_ROOT / "memory" if one else _ROOT) / f"fairway-test-{os.getpid()}"
    try:
        if not one:
            (_ROOT / "cgroup.subtree_control").write_text("+memory")
        folder.mkdir()
        limit, events = (
            ("memory.limit_in_bytes", "memory.oom_control") if one else ("memory.max", "memory.events")
        )
        made = MemoryGroup(folder, limit, events, "oom_kill")
        made.limit(size)
    except OSError as error:
        pytest.skip(f"limiting memory takes root outside of a container: {error}")
    try:
        yield made
    finally:
        folder.rmdir()
