"""I11: what a hub holds on to.  After a load, files, connections, memory and temporary bytes are as before."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from faults.inside import Inside
from hub import Hub

FILES = 24
"""Descriptors a hub may hold more than before: idle database connections, and files opened at first use."""
MEMORY = 96 * 2**20
"""Bytes it may hold more: allocators keep what they had, and caches fill."""
STARTED_SECONDS = 60
"""All processes of a hub are there after two seconds; the rest is for a busy machine."""
CALM_SECONDS = 1.0

Span = tuple[float, float]
"""From when until when, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What all processes of a hub hold at a moment."""

    files: int
    connections: int
    memory: int
    temporary: int

    @classmethod
    def of(cls, hub: Hub, inside: Inside, forgotten: Sequence[Span] = ()) -> "Resources":
        """`forgotten`: when the database may have forgotten uploads, see `temporary_bytes`."""
        return cls(
            open_files(hub), connections(hub, inside), _memory(hub), temporary_bytes(inside, forgotten)
        )

    def beyond(self, before: "Resources", most_connections: int) -> list[str]:
        """What of `before` this is too far above.  Connections are pooled: they need not go, but are bounded."""
        broken = []
        if self.files > before.files * 1.05 + FILES:
            broken.append(f"I11: {self.files} open files instead of {before.files}")
        if self.connections > most_connections:
            broken.append(f"I11: {self.connections} database connections, where {most_connections} may be")
        if self.memory > before.memory * 1.05 + MEMORY:
            broken.append(f"I11: {self.memory >> 20} MiB of memory instead of {before.memory >> 20}")
        if self.temporary > before.temporary * 1.05:
            broken.append(f"I11: {self.temporary} temporary bytes instead of {before.temporary}")
        return broken


def most_connections(hub: Hub) -> int:
    """How many database connections its processes may have: both pools of each that serves or works."""
    pools = int(hub.extra.get("FAIRWAY_DATABASE_POOL", 10)) + int(
        hub.extra.get("FAIRWAY_TOKEN_DATABASE_POOL", 4)
    )
    return pools * (hub.workers + 1)


def open_files(hub: Hub) -> int:
    """Descriptors of all its processes."""
    return sum(_open_files(pid) for pid in hub.pids())


def _open_files(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def wait_until_calm(hub: Hub) -> None:
    """Until all its processes have started and open no more files: a hub is ready as soon as its first worker is.

    What is compared with what is held now would be found wanting otherwise, for nothing but the other workers' start.
    """
    deadline = time.monotonic() + STARTED_SECONDS
    held, since = -1, time.monotonic()
    while not _all_started(hub) or time.monotonic() - since < CALM_SECONDS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not calm {STARTED_SECONDS} s after its start:\n{hub.log[-3000:]}")
        time.sleep(0.05)
        if (now := open_files(hub)) != held:
            held, since = now, time.monotonic()


def _all_started(hub: Hub) -> bool:
    """Each process that serves or works has the file of its metrics."""
    numbers = {file.stem.rpartition("_")[2] for file in (hub.data / "run" / "metrics").glob("*.db")}
    return len(numbers & set(map(str, hub.pids()))) == hub.workers + 1


def _memory(hub: Hub) -> int:
    """Bytes; asked again when a process has just ended."""
    for _ in range(50):
        with suppress(FileNotFoundError, ProcessLookupError):
            return hub.memory()
    return 0


def connections(hub: Hub, inside: Inside) -> int:
    """How many connections to its database a hub, or all nodes of it, have open."""
    if not hub.database_url.startswith("postgresql"):
        return 0
    name = urlsplit(hub.database_url).path[1:]
    [(number,)] = inside.rows(
        f"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'fairway'"
    )
    return int(number)


def temporary_bytes(inside: Inside, forgotten: Sequence[Span] = ()) -> int:
    """Bytes of uploads that no row knows: nobody can continue them.

    The row of an upload is committed softly, so a database that crashes may forget the last of them.  What was written
    in such a moment is no leak but what the expiry of uploads is for.
    """
    known = {id for (id,) in inside.rows("SELECT id FROM uploads")}
    total = 0
    for file in inside.uploads():
        with suppress(FileNotFoundError):
            found = file.stat()
            excused = any(start <= found.st_mtime <= end for start, end in forgotten)
            total += 0 if excused or file.name in known else found.st_size
    return total
