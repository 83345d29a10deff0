"""What the clients of a fault test did and what they were told: a file each, flushed to the disk line by line.

A request is *acknowledged* when the whole head of a 2xx reply has arrived, *refused* when that of a 4xx has.  Anything
else, a 5xx or silence, is *ambiguous*: it may have happened or not.
"""

import json
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Deed:
    """One thing a client wanted to change.  Times are nanoseconds of the machine's monotonic clock."""

    kind: str  # blob | mount | manifest | untag | delete | delete_blob
    repo: str
    digest: str = ""
    tags: list[str] = field(default_factory=list)
    subject: str = ""
    started: int = 0
    ended: float = math.inf
    status: int = 0

    @property
    def project(self) -> str:
        return self.repo.partition("/")[0]

    @property
    def acknowledged(self) -> bool:
        # 202 is the answer to a mount that became an upload instead
        return 200 <= self.status < 300 and (self.kind, self.status) != ("mount", 202)

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500 or (self.kind, self.status) == ("mount", 202)


class Journal:
    """The journal of one client.  Use from one thread."""

    def __init__(self, folder: Path, client: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / f"{client}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._next = 0

    def close(self) -> None:
        os.close(self._fd)

    @contextmanager
    def deed(self, kind: str, repo: str, **facts: Any) -> Iterator[Deed]:
        """Write down what is about to happen; the block sets `status` as soon as it knows it."""
        deed = Deed(kind, repo, started=time.monotonic_ns(), **facts)
        number, self._next = self._next, self._next + 1
        self._write({"start": number, **{k: v for k, v in asdict(deed).items() if k != "ended"}})
        try:
            yield deed
        finally:
            if deed.status:
                self._write({"end": number, "at": time.monotonic_ns(), "status": deed.status})

    def restarted(self, killed: int) -> None:
        """All processes of the hub had died at the moment `killed`, and it is ready again: what was under way then is
        decided now.  A request since may have reached the new processes before they were called ready."""
        self._write({"killed": killed, "restarted": time.monotonic_ns()})

    def _write(self, entry: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(entry).encode() + b"\n")
        os.fsync(self._fd)


def read(folders: Iterable[Path]) -> list[Deed]:
    """All deeds in the journals of these folders.  An ambiguous one ended, at the latest, with the next restart."""
    deeds: list[Deed] = []
    restarts: list[tuple[int, int]] = []
    for file in (file for folder in folders for file in sorted(folder.glob("*.jsonl"))):
        mine: dict[int, Deed] = {}
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            if "start" in entry:
                number = entry.pop("start")
                mine[number] = Deed(**entry)
            elif "end" in entry:
                deed = mine[entry["end"]]
                deed.ended, deed.status = entry["at"], entry["status"]
            else:
                restarts.append((entry["killed"], entry["restarted"]))
        deeds += mine.values()
    for deed in deeds:
        if not (deed.acknowledged or deed.refused):
            ends = (ready for killed, ready in restarts if killed > deed.started)
            deed.ended = min(ends, default=math.inf)
    return deeds
