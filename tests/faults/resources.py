"""I11: what a hub holds on to.  After a load, files, connections, memory and temporary bytes are as before."""

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


@dataclass(frozen=True, slots=True)
class Resources:
    """What all processes of a hub hold at a moment."""

    files: int
    connections: int
    memory: int
    temporary: int

    @classmethod
    def of(cls, hub: Hub, inside: Inside) -> "Resources":
        return cls(
            sum(_open_files(pid) for pid in hub.pids()),
            connections(hub, inside),
            _memory(hub),
            _temporary(inside),
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


def _open_files(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


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


def _temporary(inside: Inside) -> int:
    """Bytes of uploads that no row knows: nobody can continue them."""
    known = {id for (id,) in inside.rows("SELECT id FROM uploads")}
    total = 0
    for file in inside.uploads():
        with suppress(FileNotFoundError):
            total += 0 if file.name in known else file.stat().st_size
    return total
