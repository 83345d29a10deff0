"""Stop means stop, also when the worker is gone, the queue is paused, or the task fails just then."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import text, update

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import Conn, open_database
from fairway.frame.db.tables import tasks
from fairway.frame.jobs import queue
from fairway.frame.jobs.attempt import Attempt
from fairway.frame.jobs.job import Task
from frame.jobs.bench import Bench


async def test_one_that_is_stopped_as_it_fails_is_not_tried_again(bench: Bench) -> None:
    async def deed(task: Task) -> None:
        await bench.db.write(partial(queue.stop, execution=task.execution))
        raise Unavailable("no")

    bench.deed = deed
    execution = await bench.ask(single="one")
    runner = await bench.runner()
    await runner.take()
    await runner.idle()
    assert await bench.status(execution) == "Stopped"
    assert await bench.ask(single="one") is not None


@pytest.mark.parametrize("one_task", [False, True])
async def test_one_whose_worker_is_gone_stops_at_once_in_a_paused_queue_too(
    bench: Bench, one_task: bool
) -> None:
    execution = await bench.ask(single="one")
    await bench.runner()
    claim = partial(queue.claim, worker="dead", limits={"TEST": 5}, free=1, lease_seconds=30)
    [claimed] = await bench.db.write(claim)
    await bench.db.run(update(tasks).values(due_at=0))
    await bench.db.write(partial(queue.pause, kind="TEST", paused=True))
    stop = partial(queue.stop_task, task=claimed.id) if one_task else partial(queue.stop, execution=execution)
    assert await bench.db.write(stop)
    assert await bench.status(execution) == "Stopped"
    assert await bench.ask(single="one") is not None


async def test_a_claim_under_way_when_the_worker_ends_is_handed_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.deed = lambda _task: asyncio.sleep(600)
    committed, go_on = asyncio.Event(), asyncio.Event()
    execution = await bench.ask()
    runner = await bench.runner()
    write = bench.db.write

    async def slowly(body: object, *, soft: bool = False) -> object:
        answer = await write(body, soft=soft)  # type: ignore[arg-type]
        if getattr(body, "func", None) is queue.claim:
            committed.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(bench.db, "write", slowly)
    stop = asyncio.Event()
    working = asyncio.create_task(runner.run(stop))
    await committed.wait()
    stop.set()
    await asyncio.sleep(0.05)
    go_on.set()
    await working
    task = await bench.only_task(execution)
    assert (task.status, task.tries) == ("Pending", 0)


async def test_leases_are_renewed_and_stops_heard_while_many_write_for_one_task(
    bench: Bench, database_url: str
) -> None:
    """On PostgreSQL, several transactions hold a task's row at any time: they must not keep others from marking it."""
    if bench.db.dialect == "sqlite":
        pytest.skip("one write at a time")
    pool = await open_database(database_url, pool=8)
    execution = await bench.ask()
    await bench.runner()
    claim = partial(queue.claim, worker="w", limits={"TEST": 5}, free=1, lease_seconds=30)
    [claimed] = await bench.db.write(claim)
    attempt = Attempt(pool, claimed)
    over = asyncio.Event()

    async def body(conn: Conn) -> None:
        await conn.all(text("SELECT pg_sleep(0.2)"))

    async def write_on(after: float) -> None:
        await asyncio.sleep(after)
        while not over.is_set():
            await attempt.write(body)

    writers = [asyncio.create_task(write_on(number * 0.04)) for number in range(5)]
    try:
        await asyncio.sleep(0.5)
        # Each would be refused after the time that a statement may take.
        renewed = await bench.db.write(partial(queue.beat, worker="w", held=[claimed.id], lease_seconds=30))
        assert renewed == {(claimed.id, claimed.attempt): False}
        assert await bench.db.write(partial(queue.stop, execution=execution))
        assert await queue.to_stop(bench.db, "w", [claimed.id]) == {(claimed.id, claimed.attempt)}
    finally:
        over.set()
        await asyncio.gather(*writers)
        await pool.close()
