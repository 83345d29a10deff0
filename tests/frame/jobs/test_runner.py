"""Jobs on both databases: queued, handed out, retried, stopped, taken over, and never done twice."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import update

from fairway.frame.db import Conn, Database
from fairway.frame.db.tables import tasks
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.job import Facts, GiveUp, Jobs, Superseded, Task
from frame.jobs.bench import Asked, Bench, count, effects


async def test_a_job_runs_with_its_arguments_and_its_result_is_kept(bench: Bench) -> None:
    async def deed(task: Task) -> Facts:
        await task.log("one\ntwo")
        await task.report(1, 2, "halves")
        return {"freed": 3}

    bench.deed = deed
    execution = await bench.ask()
    runner = await bench.runner()
    assert await runner.take() == 1
    await runner.idle()
    assert await bench.status(execution) == "Success"
    assert bench.seen == [Asked("n", 7)]
    task = await bench.only_task(execution)
    assert (task.status, task.result, task.progress["done"]) == ("Success", {"freed": 3}, 1)
    assert task.ended_at is not None
    assert [row["line"] for row in await records.lines(bench.db, task.id)] == ["one", "two"]
    assert await runner.take() == 0


async def test_what_is_enqueued_in_a_transaction_that_fails_was_never_asked_for(bench: Bench) -> None:
    async def body(conn: Conn) -> None:
        await queue.enqueue(conn, bench.jobs["TEST"], Asked())
        raise GiveUp("no")

    with pytest.raises(GiveUp):
        await bench.db.write(body)
    assert await (await bench.runner()).take() == 0


async def test_of_one_key_one_is_open_at_a_time(bench: Bench) -> None:
    first = await bench.ask(single="gc")
    assert await bench.ask(single="gc") is None
    assert (await records.listed(bench.db, kind="TEST", offset=0, limit=9))[1] == 1
    runner = await bench.runner()
    await runner.take()
    await runner.idle()
    assert await bench.status(first) == "Success"
    assert await bench.ask(single="gc") is not None


async def test_later_means_later(bench: Bench) -> None:
    execution = await bench.ask(delay=3600)
    assert await (await bench.runner()).take() == 0
    assert await bench.status(execution) == "Running"
    assert (await bench.only_task(execution)).status == "Pending"


async def test_no_more_than_allowed_at_once_on_all_workers_together(bench: Bench) -> None:
    bench.jobs = Jobs([bench.job(at_once=2), bench.job("OTHER")])
    gate = asyncio.Event()
    bench.deed = lambda _task: gate.wait()  # type: ignore[assignment,return-value]
    for _ in range(5):
        await bench.ask()
    one, two = await bench.runner(), await bench.runner()
    assert [await one.take(), await two.take(), await one.take()] == [2, 0, 0]
    await bench.ask("OTHER")
    assert await two.take() == 1
    gate.set()
    await one.idle()
    await two.idle()
    while await one.take() + await two.take():
        await one.idle()
        await two.idle()
    assert len(bench.seen) == 6


async def test_many_workers_take_each_task_once(bench: Bench) -> None:
    executions = [await bench.ask() for _ in range(40)]
    bench.deed = lambda task: task.once("count", count)
    workers = [await bench.runner(slots=3) for _ in range(4)]
    while any(await asyncio.gather(*(each.take() for each in workers))):
        await asyncio.gather(*(each.idle() for each in workers))
    assert {await bench.status(each) for each in executions} == {"Success"}
    assert await effects(bench.db) == len(bench.seen) == 40


async def test_what_fails_is_tried_again_and_then_given_up(bench: Bench) -> None:
    async def deed(_task: Task) -> None:
        raise RuntimeError("secret detail")

    bench.deed = deed
    execution = await bench.ask()
    runner = await bench.runner()
    for _ in range(3):
        assert await runner.take() == 1
        await runner.idle()
    assert await runner.take() == 0
    task = await bench.only_task(execution)
    assert (await bench.status(execution), task.status, task.tries) == ("Error", "Error", 3)
    assert "secret" not in task.message
    assert len(await records.lines(bench.db, task.id)) == 3


async def test_who_gives_up_is_not_tried_again(bench: Bench) -> None:
    async def deed(_task: Task) -> None:
        raise GiveUp("the policy is gone")

    bench.deed = deed
    execution = await bench.ask()
    runner = await bench.runner()
    await runner.take()
    await runner.idle()
    task = await bench.only_task(execution)
    assert (task.status, task.message) == ("Error", "the policy is gone")


async def test_stop_takes_what_waits_at_once_and_what_runs_soon(bench: Bench) -> None:
    begun = asyncio.Event()

    async def deed(_task: Task) -> None:
        begun.set()
        await asyncio.sleep(600)

    bench.deed = deed
    waiting, running = await bench.ask(delay=60), await bench.ask()
    assert await bench.db.write(partial(queue.stop, execution=waiting or 0))
    assert await bench.status(waiting) == "Stopped"
    async with bench.working(await bench.runner()):
        await begun.wait()
        await bench.db.write(partial(queue.stop, execution=running or 0))
        assert await bench.over(running) == "Stopped"
    assert not await bench.db.write(partial(queue.stop, execution=999_999))


async def test_a_worker_that_ends_hands_back_what_it_runs(bench: Bench) -> None:
    begun = asyncio.Event()

    async def deed(_task: Task) -> None:
        begun.set()
        await asyncio.sleep(600)

    bench.deed = deed
    execution = await bench.ask()
    async with bench.working(await bench.runner()):
        await begun.wait()
    task = await bench.only_task(execution)
    assert (task.status, task.tries) == ("Pending", 0)
    assert await records.workers_seen(bench.db) == []
    bench.deed = bench._nothing
    runner = await bench.runner()
    assert await runner.take() == 1
    await runner.idle()
    assert await bench.status(execution) == "Success"


async def expire(db: Database) -> None:
    """As if every worker had been silent for as long as its leases last."""
    await db.run(update(tasks).where(tasks.c.status == "Running").values(due_at=0))


async def test_a_worker_that_stood_still_changes_nothing_any_more(bench: Bench) -> None:
    gate, errors = asyncio.Event(), []

    async def deed(task: Task) -> Facts | None:
        if len(bench.seen) == 1:
            await gate.wait()
            try:
                await task.write(count)
            except Superseded as error:
                errors.append(error)
                raise
        return await task.once("count", count)

    bench.deed = deed
    execution = await bench.ask()
    zombie, other = await bench.runner(), await bench.runner()
    assert await zombie.take() == 1
    await asyncio.sleep(0)
    await expire(bench.db)
    assert await other.take() == 1
    await other.idle()
    assert await bench.status(execution) == "Success"
    gate.set()
    await zombie.idle()
    assert errors
    assert await effects(bench.db) == 1
    assert (await bench.only_task(execution)).status == "Success"


async def test_a_worker_hears_at_its_next_beat_that_it_lost_a_task(bench: Bench) -> None:
    bench.deed = lambda _task: asyncio.sleep(600)
    await bench.ask()
    zombie, other = await bench.runner(), await bench.runner()
    await zombie.take()
    await expire(bench.db)
    await other.take()
    await zombie.beat()
    async with asyncio.timeout(10):
        await zombie.idle()
    assert len(other._running) == 1
    for each in other._running.values():
        each.cancel()
    await other.idle()


async def test_a_step_is_done_once_however_often_the_task_is_tried(bench: Bench) -> None:
    async def deed(task: Task) -> Facts:
        answer = await task.once("count", count)
        if len(bench.seen) < 3:
            raise RuntimeError("dies after its effect")
        return answer

    bench.deed = deed
    execution = await bench.ask()
    runner = await bench.runner()
    for _ in range(3):
        await runner.take()
        await runner.idle()
    assert await effects(bench.db) == 1
    assert (await bench.only_task(execution)).result == {"is": 1}


async def test_a_task_that_kills_its_process_is_given_up_after_its_tries(bench: Bench) -> None:
    bench.deed = lambda _task: asyncio.sleep(600)
    execution = await bench.ask()
    dead = []
    for _ in range(3):
        runner = await bench.runner()
        assert await runner.take() == 1
        dead.append(runner)
        await expire(bench.db)
    last = await bench.runner()
    await last.take()
    await last.idle()
    task = await bench.only_task(execution)
    assert (task.status, task.message) == ("Error", "3 times its process ended before it did")
    for each in dead:
        await each.beat()
        await each.idle()


async def test_a_paused_queue_hands_out_nothing(bench: Bench) -> None:
    runner = await bench.runner()
    assert await bench.db.write(partial(queue.pause, kind="TEST", paused=True))
    await bench.ask()
    await bench.ask("OTHER")
    assert await runner.take() == 1
    states = {
        row["kind"]: (bool(row["paused"]), row["waiting"]) for row in await records.queue_states(bench.db)
    }
    assert states == {"TEST": (True, 1), "OTHER": (False, 0), "SCHEDULER": (False, 0)}
    await bench.db.write(partial(queue.pause, kind="TEST", paused=False))
    assert await runner.take() == 1
    await runner.idle()
    assert not await bench.db.write(partial(queue.pause, kind="NONE", paused=True))


async def test_history_keeps_the_newest_of_each_owner(bench: Bench) -> None:
    made = [await bench.ask() for _ in range(7)]
    runner = await bench.runner()
    await runner.take()
    await runner.idle()
    still_open = await bench.ask(delay=60)
    assert await bench.db.write(partial(records.sweep, kind="TEST", kept=3, limit=2)) == 2
    assert await bench.db.write(partial(records.sweep, kind="TEST", kept=3, limit=100)) == 3
    left, total = await records.listed(bench.db, kind="TEST", offset=0, limit=10)
    assert [each.id for each in left] == [still_open, made[6], made[5]]
    assert total == 3


async def test_the_log_of_a_task_is_bounded(bench: Bench) -> None:
    execution = await bench.ask()
    task = await bench.only_task(execution)
    for _ in range(3):
        await bench.db.write(partial(records.add_lines, task=task.id, lines=["x"] * 4, most=10))
    kept = [row["line"] for row in await records.lines(bench.db, task.id)]
    assert len(kept) == 11
    assert kept[9:] == ["x", "… the log is full; what follows is not kept"]
    await bench.db.write(partial(records.add_lines, task=task.id, lines=["y"], most=10))
    assert len(await records.lines(bench.db, task.id)) == 11
