"""Schedules on both databases: fired once among many, and they never pile up."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import update

from fairway.frame.db import Database
from fairway.frame.db.tables import schedules
from fairway.frame.jobs import queue, records
from fairway.frame.jobs import schedules as recurring
from frame.jobs.bench import Asked, Bench


async def due_now(db: Database) -> None:
    await db.run(update(schedules).values(next_at=1))


async def put(bench: Bench, kind: str = "TEST", owner: int = 0) -> int:
    return await bench.db.write(
        partial(
            recurring.put,
            kind=kind,
            style="Hourly",
            cron="0 0 * * * *",
            owner=owner,
            parameters={"number": 3, "unknown": 1},
            asked_by="admin",
        )
    )


async def test_a_schedule_fires_once_among_many_and_never_piles_up(bench: Bench) -> None:
    await put(bench)
    workers = [await bench.runner() for _ in range(3)]
    assert sum(await asyncio.gather(*(each.fire() for each in workers))) == 0
    await due_now(bench.db)
    assert sum(await asyncio.gather(*(each.fire() for each in workers))) == 1
    found, total = await records.listed(bench.db, kind="TEST", offset=0, limit=9)
    assert (total, found[0].trigger, found[0].parameters) == (1, "SCHEDULE", {"number": 3, "unknown": 1})
    await due_now(bench.db)
    assert sum(await asyncio.gather(*(each.fire() for each in workers))) == 1
    assert (await records.listed(bench.db, kind="TEST", offset=0, limit=9))[1] == 1
    await workers[0].take()
    await workers[0].idle()
    assert bench.seen == [Asked("x", 3)]
    await due_now(bench.db)
    assert await workers[1].fire() == 1
    assert (await records.listed(bench.db, kind="TEST", offset=0, limit=9))[1] == 2


async def test_a_moment_that_was_run_is_not_run_again_when_the_clock_goes_back(bench: Bench) -> None:
    await put(bench)
    runner = await bench.runner()
    schedule = await recurring.of(bench.db, "TEST")
    assert schedule is not None
    ahead = schedule.next_at + 3600 * 1_000_000
    await bench.db.run(update(schedules).values(next_at=ahead))  # as a clock two hours ahead leaves it
    assert await runner.fire() == 0


async def test_paused_and_unknown_schedules_rest(bench: Bench) -> None:
    await put(bench)
    await put(bench, "OF_ANOTHER_VERSION")
    await due_now(bench.db)
    runner = await bench.runner()
    await bench.db.write(partial(queue.pause, kind="SCHEDULER", paused=True))
    assert await runner.fire() == 0
    await bench.db.write(partial(queue.pause, kind="SCHEDULER", paused=False))
    assert await runner.fire() == 1


async def test_schedules_of_another_version_do_not_stand_in_the_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurring, "AT_A_TIME", 2)
    for owner in range(3):
        await put(bench, "OF_ANOTHER_VERSION", owner)
    await due_now(bench.db)
    await put(bench)
    await bench.db.run(update(schedules).where(schedules.c.kind == "TEST").values(next_at=2))
    assert await (await bench.runner()).fire() == 1


async def test_one_that_cannot_be_read_is_told_of_and_the_others_fire(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(bench)
    await put(bench, "OTHER")
    await due_now(bench.db)
    await bench.db.run(update(schedules).where(schedules.c.kind == "TEST").values(cron="every day"))
    runner = await bench.runner()
    assert await runner.fire() == 1
    assert "cannot be read" in capsys.readouterr().out
    assert await runner.fire() == 0  # nor is it tried at once again
    assert (await records.listed(bench.db, kind="OTHER", offset=0, limit=9))[1] == 1


async def test_putting_replaces_and_removing_removes(bench: Bench) -> None:
    first = await put(bench)
    assert await put(bench) == first
    await put(bench, owner=4)
    found, total = await recurring.listed(bench.db, offset=0, limit=1)
    assert (len(found), total) == (1, 2)
    assert await bench.db.write(partial(recurring.remove, kind="TEST"))
    assert not await bench.db.write(partial(recurring.remove, kind="TEST"))
    assert await recurring.of(bench.db, "TEST") is None
