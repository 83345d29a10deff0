"""Workers that are killed at random: every job ends as it should, its effects happen once, schedules fire once (C13, K1).

FAIRWAY_TEST_JOBS_SECONDS says for how long, on each engine; FAIRWAY_TEST_SEED repeats a run's draws.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import generations, schedules
from fairway.frame.jobs import queue, records
from fairway.frame.jobs import schedules as recurring
from faults.clocks import FakeClock
from faults.job_worker import What, jobs
from faults.stage import seed

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = float(os.environ.get("FAIRWAY_TEST_JOBS_SECONDS", "12"))
WORKERS = 3
HOUR = 3600
ENDS = {
    "COUNT": {"Success"},
    "TELL": {"Success"},
    "FLAKY": {"Success"},
    "DEADLY": {"Success"},
    # Who is killed often enough comes to its end without its effect: such a job is given up after three tries.
    "DOOMED": {"Error"},
    "LONG": {"Stopped"},
}


class Workers:
    """Processes that come back when they are gone, with a clock that can be set."""

    def __init__(self, url: str, folder: Path, rng: random.Random) -> None:
        self.clock = FakeClock(folder / "clock")
        self.killed = self.died = 0
        self._command = [sys.executable, str(Path(__file__).with_name("job_worker.py")), url, str(folder)]
        self._log = (folder / "workers.log").open("ab")
        self._rng = rng
        self.processes = [self._start() for _ in range(WORKERS)]

    def _start(self) -> "subprocess.Popen[bytes]":
        path = [self.clock.env["PYTHONPATH"], *filter(None, sys.path)]
        env = {**os.environ, **self.clock.env, "PYTHONPATH": os.pathsep.join(path)}
        return subprocess.Popen(self._command, env=env, stdout=self._log, stderr=self._log)

    def kill_one(self) -> None:
        self._rng.choice(self.processes).send_signal(signal.SIGKILL)
        self.killed += 1

    def stand_still(self) -> "subprocess.Popen[bytes]":
        one = self._rng.choice(self.processes)
        one.send_signal(signal.SIGSTOP)
        return one

    def raise_the_dead(self) -> None:
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                self.died += 1
                self.processes[number] = self._start()

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()


class Load:
    """What is asked for while workers die."""

    def __init__(self, db: Database, folder: Path, rng: random.Random) -> None:
        self.db = db
        self.jobs = jobs(folder)
        self.asked: dict[int, tuple[str, str]] = {}
        self.fired = 0
        self._rng = rng
        self._folder = folder

    async def ask(self) -> None:
        kind = self._rng.choices(list(ENDS), [40, 20, 20, 2, 8, 10])[0]
        name = f"{kind}-{len(self.asked)}"
        add = partial(queue.enqueue, job=self.jobs[kind], arguments=What(name))
        execution = await self.db.write(add)
        assert execution is not None
        self.asked[execution] = (kind, name)

    async def stop_one(self) -> None:
        long = [execution for execution, (kind, _) in self.asked.items() if kind == "LONG"]
        if long:
            await self.db.write(partial(queue.stop, execution=self._rng.choice(long)))

    async def schedule(self) -> None:
        put = partial(
            recurring.put, kind="RECURRING", style="Hourly", cron="0 0 * * * *", parameters={}, asked_by="x"
        )
        await self.db.write(put)

    async def let_it_be_time(self) -> None:
        """Once the last run is over and the schedule has moved on, its moment has come again."""

        async def body(conn: Conn) -> bool:
            schedule = await recurring.of(conn, "RECURRING")
            running = await records.listed(conn, kind="RECURRING", statuses=["Running"], offset=0, limit=1)
            if schedule is None or schedule.next_at == 1 or running[1]:
                return False
            return bool(await conn.run(update(schedules).values(next_at=1)))

        self.fired += await self.db.write(body)

    async def all_over(self, workers: Workers, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while await self._open():
            if time.monotonic() > deadline:
                left, _ = await records.listed(self.db, kind=None, statuses=["Running"], offset=0, limit=3)
                raise AssertionError([await records.tasks_of(self.db, each.id) for each in left])
            workers.raise_the_dead()
            for execution, (kind, _) in self.asked.items():
                if kind == "LONG":
                    await self.db.write(partial(queue.stop, execution=execution), soft=True)
            await asyncio.sleep(0.3)

    async def _open(self) -> bool:
        """Is anything left to do, a schedule's moment included?"""
        running = await records.listed(self.db, kind=None, statuses=["Running"], offset=0, limit=1)
        schedule = await recurring.of(self.db, "RECURRING")
        return bool(running[1]) or (schedule is not None and schedule.next_at == 1)

    async def wrong(self) -> list[str]:
        """What should not be."""
        wrong: list[str] = []
        rows = await self.db.all(select(generations))
        effects = {row["name"]: row["value"] for row in rows}
        told = Counter((self._folder / "told").read_text().split())
        for execution, (kind, name) in self.asked.items():
            record = await records.execution(self.db, execution)
            assert record is not None
            if record.status not in ENDS[kind]:
                wrong.append(f"{name} ended as {record.status}")
            if effects.get(name, 0) > 1:
                wrong.append(f"{name} had its effect {effects[name]} times")
            if record.status == "Success" and effects.get(name, 0) != 1:
                wrong.append(f"{name} is done without its effect")
            if kind == "TELL" and not told[name]:
                wrong.append(f"{name} never told anybody")
        runs = (await records.listed(self.db, kind="RECURRING", offset=0, limit=1))[1]
        if runs != self.fired or effects.get("recurring", 0) != self.fired:
            wrong.append(f"{runs} runs and {effects.get('recurring')} effects of {self.fired} moments")
        self.repeats = sum(told.values()) - len(told)
        return wrong


async def test_workers_killed_at_random_end_every_job_and_do_nothing_twice(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    run = seed()
    rng = random.Random(run)
    (tmp_path / "told").touch()
    load = Load(db, tmp_path, rng)
    await db.write(partial(queue.know_kinds, kinds=load.jobs.kinds))
    await load.schedule()
    workers = Workers(database_url, tmp_path, rng)
    try:
        end = time.monotonic() + SECONDS
        still: subprocess.Popen[bytes] | None = None
        while time.monotonic() < end:
            lot = rng.random()
            try:
                await load.ask()
                await load.let_it_be_time()
                if 0.06 <= lot < 0.12:
                    await load.stop_one()
            except Unavailable:
                # On SQLite, who stands still in the middle of a transaction keeps everybody else from writing.
                assert still is not None
                assert db.dialect == "sqlite"
                still.send_signal(signal.SIGCONT)
                still = None
            if lot < 0.06:
                workers.kill_one()
            elif 0.12 <= lot < 0.14 and still is None:
                still = workers.stand_still()
            elif 0.14 <= lot < 0.17 and still is not None:
                still.send_signal(signal.SIGCONT)
                still = None
            elif 0.17 <= lot < 0.20:
                # on SQLite this is the database's clock, and may only be right: a moment must not come by mistake
                workers.clock.set(rng.choice([0, 2 * HOUR, -2 * HOUR]) if db.dialect == "postgresql" else 0)
            workers.raise_the_dead()
            await asyncio.sleep(rng.uniform(0, 0.12))
        if still is not None:
            still.send_signal(signal.SIGCONT)
        await load.all_over(workers, 120)
        wrong = await load.wrong()
    finally:
        workers.end()
    kinds = Counter(kind for kind, _ in load.asked.values())
    print(
        f"soak: jobs on {db.dialect}: {len(load.asked)} jobs ({dict(kinds)}), {load.fired} moments, "
        f"{workers.killed} kills, {workers.died} processes died, {load.repeats} repeats outside"
    )
    assert workers.killed
    assert not wrong, f"repeat with FAIRWAY_TEST_SEED={run}:\n" + "\n".join(wrong[:30])
