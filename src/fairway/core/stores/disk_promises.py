"""Whether a file system keeps what was synced to it when the power fails, as far as the table of mounts can tell.

A disk that lies about its cache cannot be found out like this.
"""

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_CARELESS = frozenset({"nobarrier", "barrier=0", "volatile"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: where, of which type, and with which options."""

    point: Path
    type: str
    options: frozenset[str]


def weakness(folder: Path, mounts: Path = MOUNTS) -> str:
    """Why a power cut may take what is synced to `folder`; empty when nothing speaks for that."""
    mount = _mount_of(folder.resolve(), mounts)
    if mount is None:
        return ""
    if mount.type in _IN_MEMORY:
        return f"{folder} lies in memory ({mount.type})"
    careless = sorted(mount.options & _CARELESS)
    return f"the file system of {folder} is mounted with {careless[0]}" if careless else ""


def _mount_of(folder: Path, mounts: Path) -> Mount | None:
    try:
        table = [_read(line) for line in mounts.read_text().splitlines()]
    except (OSError, ValueError, IndexError):  # not a Linux, not shown to us, or not as we know it
        return None
    above = [mount for mount in table if folder.is_relative_to(mount.point)]
    # Of several on one folder the last one mounted is seen: it comes last, and max would take the first.
    return max(reversed(above), key=lambda mount: len(mount.point.parts), default=None)


def _read(line: str) -> Mount:
    """One line of proc_pid_mountinfo(5): fields of the mount, a lonely hyphen, fields of the file system."""
    mount, _, system = line.partition(" - ")
    point = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 8)), mount.split()[4])
    type_, _, options = system.split(" ", 2)  # the source in the middle may be empty
    return Mount(Path(point), type_, frozenset([*mount.split()[5].split(","), *options.split(",")]))
