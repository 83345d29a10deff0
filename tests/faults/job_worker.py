"""A worker process with jobs that show what happened to them, to be killed: `python job_worker.py URL FOLDER`.

What a job does to the database is a row of `generations` that it adds one to; what it does outside is a line in a file.
"""

import asyncio
import os
import random
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn, open_database
from fairway.frame.db.tables import generations
from fairway.frame.jobs.job import Facts, Job, Jobs, Task
from fairway.frame.jobs.runner import Runner

LEASE = 4.0

_FIRST = upsert(generations).values(name=bindparam("effect"), value=1)
_ONE_MORE = _FIRST.on_conflict_do_update(index_elements=["name"], set_={"value": generations.c.value + 1})
_VALUE = select(generations.c.value).where(generations.c.name == bindparam("effect"))


@dataclass(frozen=True)
class What:
    """`name` is different for each task: effects are counted by it."""

    name: str = ""


class Deeds:
    """The jobs; `folder` takes what they do outside of the database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def _effect(self, task: Task, what: What) -> Facts:
        async def add(conn: Conn) -> Facts:
            await conn.run(_ONE_MORE, effect=what.name)
            return {"effect": await conn.scalar(_VALUE, effect=what.name)}

        return await task.once("effect", add)

    async def count(self, task: Task, what: What) -> Facts:
        """An effect in the database, and then some more work during which it may be killed."""
        answer = await self._effect(task, what)
        await asyncio.sleep(random.uniform(0, 0.3))
        await task.log("counted")
        return answer

    async def tell(self, task: Task, what: What) -> Facts:
        """Something outside, which says the same id however often."""
        with (self._folder / "told").open("a") as file:
            file.write(f"{what.name}\n")
        await asyncio.sleep(random.uniform(0, 0.2))
        return await self._effect(task, what)

    async def flaky(self, task: Task, what: What) -> Facts:
        """Fails now and then."""
        answer = await self._effect(task, what)
        if random.random() < 0.5:
            raise RuntimeError("not this time")
        return answer

    async def doomed(self, task: Task, what: What) -> None:
        """Always fails, after its effect."""
        await self._effect(task, what)
        raise RuntimeError("never")

    async def deadly(self, task: Task, what: What) -> Facts:
        """Kills its process, the first time."""
        mark = self._folder / f"killed-{what.name}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return await self._effect(task, what)

    async def long(self, task: Task, what: What) -> None:
        """Until somebody stops it."""
        await self._effect(task, what)
        for done in range(10_000):
            await task.report(done, 10_000)
            await asyncio.sleep(0.1)

    async def recurring(self, task: Task, what: What) -> Facts:
        """What schedules ask for."""
        return await self._effect(task, What("recurring"))


def jobs(folder: Path) -> Jobs:
    """Tries are many: how often a process is killed is up to the test, not to the job."""
    deeds = Deeds(folder)

    def job(kind: str, run: object, *, tries: int = 1000, at_once: int = 10) -> Job[What]:
        return Job(kind, What, run, tries=tries, pause=0.2, longest_pause=2, at_once=at_once, kept=100_000)  # type: ignore[arg-type]

    return Jobs(
        [
            job("COUNT", deeds.count),
            job("TELL", deeds.tell, at_once=3),
            job("FLAKY", deeds.flaky),
            job("DOOMED", deeds.doomed, tries=3),
            job("DEADLY", deeds.deadly, at_once=1),
            job("LONG", deeds.long),
            job("RECURRING", deeds.recurring),
        ]
    )


async def main(url: str, folder: Path) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    db = await open_database(url, pool=5)
    await Runner(db, jobs(folder), slots=6, lease_seconds=LEASE, poll_seconds=0.1).run(stop)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
