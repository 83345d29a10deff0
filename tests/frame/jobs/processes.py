"""Looking at processes and descriptors, and waiting for what nobody tells."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def children(of: int | None = None) -> dict[int, str]:
    """Child processes, zombies too, and their titles."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            title = (folder / "cmdline").read_text()
        except OSError:
            continue
        if parent == (of or os.getpid()) and ("child.py" in title or not title):
            found[int(folder.name)] = title
    return found


async def until(condition: Callable[[], Any], *, within: float = 60) -> Any:
    async with asyncio.timeout(within):
        while not (answer := condition()):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return answer


def open_here() -> list[str]:
    """Descriptors of this process."""
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())


def at_work(pid: int) -> bool:
    """A child has computed for longer than it takes to start."""
    user = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
    return user / os.sysconf("SC_CLK_TCK") > 0.5


def lives(pid: int) -> bool:
    """It is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
