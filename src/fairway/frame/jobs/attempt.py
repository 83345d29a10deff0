"""One attempt at a task: the `Task` a job sees, fenced off from every other attempt."""

import time
from functools import partial
from typing import TypeVar

from fairway.frame.db import Body, Conn, Database
from fairway.frame.jobs import fenced, records
from fairway.frame.jobs.job import Facts
from fairway.frame.jobs.queue import Claimed

T = TypeVar("T")

REPORT_SECONDS = 1.0
"""Progress is written so often at most."""
MOST_LINES = 5_000
"""Lines of log that a task keeps; later ones are counted only."""
LONGEST_LINE = 2_000
_FLUSHED = 100


class Attempt:
    """See `Task`."""

    def __init__(self, db: Database, claimed: Claimed) -> None:
        self.id = claimed.id
        self.execution = claimed.execution
        self.claimed = claimed
        self._db = db
        self._reported = 0.0
        self._lines: list[str] = []

    async def write(self, body: Body[T], *, soft: bool = False) -> T:
        """See `Task`."""

        async def guarded(conn: Conn) -> T:
            await fenced.fence(conn, self.id, self.claimed.attempt)
            return await body(conn)

        return await self._db.write(guarded, soft=soft)

    async def once(self, step: str, body: Body[Facts]) -> Facts:
        """See `Task`."""

        async def stepped(conn: Conn) -> Facts:
            await fenced.fence(conn, self.id, self.claimed.attempt)
            if (before := await fenced.step_done(conn, self.id, step)) is not None:
                return before
            answer = await body(conn)
            await fenced.do_step(conn, self.id, step, answer)
            return answer

        return await self._db.write(stepped)

    async def report(self, done: int, total: int, what: str = "") -> None:
        """See `Task`."""
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        progress = {"done": done, "total": total, "what": what}
        report = partial(fenced.report, task=self.id, attempt=self.claimed.attempt, progress=progress)
        await self._db.write(report, soft=True)
        await self.flush()

    async def log(self, line: str) -> None:
        """See `Task`."""
        self._lines += [each[:LONGEST_LINE] for each in line.splitlines()]
        if len(self._lines) >= _FLUSHED:
            await self.flush()

    async def flush(self) -> None:
        """Write the lines of log that were kept back."""
        lines, self._lines = self._lines, []
        if lines:
            add = partial(records.add_lines, task=self.id, lines=lines, most=MOST_LINES)
            await self._db.write(add, soft=True)
