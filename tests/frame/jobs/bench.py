"""A job whose doing each test says, and workers to run it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import generations
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import Facts, Job, Jobs, Task
from fairway.frame.jobs.runner import Runner


@dataclass(frozen=True)
class Asked:
    """What the jobs here are told."""

    name: str = "x"
    number: int = 0


_EFFECTS = select(generations.c.value).where(generations.c.name == "effects")
_FIRST = upsert(generations).values(name="effects", value=1)
_ONE_MORE = _FIRST.on_conflict_do_update(index_elements=["name"], set_={"value": generations.c.value + 1})


async def count(conn: Conn) -> Facts:
    """An effect that can be seen to happen once or twice."""
    await conn.run(_ONE_MORE)
    return {"is": await conn.scalar(_EFFECTS)}


async def effects(db: Database) -> int:
    return int(await db.scalar(_EFFECTS) or 0)


class Bench:
    """A job whose doing each test says, and runners for it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.seen: list[Asked] = []
        self.deed: Callable[[Task], Awaitable[Facts | None]] = self._nothing
        self.jobs = Jobs([self.job(), self.job("OTHER")])

    def job(self, kind: str = "TEST", *, at_once: int = 10, tries: int = 3, kept: int = 50) -> Job[Asked]:
        return Job(kind, Asked, self._run, at_once=at_once, tries=tries, pause=0.0, kept=kept)

    async def _nothing(self, _task: Task) -> None:
        return None

    async def _run(self, task: Task, asked: Asked) -> Facts | None:
        self.seen.append(asked)
        return await self.deed(task)

    async def ask(self, kind: str = "TEST", *, single: str | None = None, delay: float = 0.0) -> int | None:
        add = partial(queue.enqueue, job=self.jobs[kind], arguments=Asked("n", 7), single=single, delay=delay)
        return await self.db.write(add)

    async def runner(self, *, slots: int = 10, lease: float = 30.0) -> Runner:
        made = Runner(self.db, self.jobs, slots=slots, lease_seconds=lease, poll_seconds=0.05)
        await made.beat()
        return made

    @asynccontextmanager
    async def working(self, runner: Runner) -> AsyncIterator[None]:
        stop = asyncio.Event()
        loop = asyncio.create_task(runner.run(stop))
        try:
            yield
        finally:
            stop.set()
            await loop

    async def status(self, execution: int | None) -> str:
        assert execution is not None
        found = await records.execution(self.db, execution)
        assert found is not None
        return found.status

    async def over(self, execution: int | None, *, within: float = 20) -> str:
        async with asyncio.timeout(within):
            while (status := await self.status(execution)) == "Running":  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.02)
        return status

    async def only_task(self, execution: int | None) -> records.TaskRecord:
        assert execution is not None
        [task] = await records.tasks_of(self.db, execution)
        return task
