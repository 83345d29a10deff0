"""Work in child processes: each way it can end, and that nothing of it stays behind."""

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from fairway.frame.jobs import apart as module
from fairway.frame.jobs import queue, records
from fairway.frame.jobs.apart import (
    MIB,
    AnswerTooLarge,
    Broken,
    Failed,
    Interrupted,
    OutOfMemory,
    OutOfTime,
    Raised,
    apart,
)
from fairway.frame.jobs.job import Facts, GiveUp, Task
from frame.jobs import deeds
from frame.jobs.bench import Bench
from frame.jobs.processes import at_work, children, lives, open_here, until

pytestmark = pytest.mark.usefixtures("no_child_left")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other tests, too."""
    monkeypatch.setattr(module, "PATIENCE", 200)


# -- how it may end


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "Interrupt"])
async def test_an_exception_comes_back_by_name(kind: str) -> None:
    with pytest.raises(Raised, match=r"frame\.jobs\.deeds\.fail raised") as raised:
        await apart(deeds.fail, kind, "line\n\x1b[31mred " + "x" * 5_000_000)
    assert raised.value.kind in {"ValueError", "SystemExit", "KeyboardInterrupt"}
    assert "line ?[31mred xxx" in raised.value.message
    assert len(raised.value.message) < 1_000
    assert raised.value.message.isprintable()


async def test_a_function_that_is_not_there_any_more_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def new(value: int) -> int:
        return value

    new.__module__, new.__qualname__ = deeds.__name__, "new"
    monkeypatch.setattr(deeds, "new", new, raising=False)
    with pytest.raises(Raised, match="AttributeError"):
        await apart(new, 1)


async def test_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match=r"more than 96 MiB of memory"):
        await apart(deeds.hoard, memory=96 * MIB)


async def test_out_of_memory_before_it_begins() -> None:
    with pytest.raises(OutOfMemory):
        await apart(deeds.echo, bytes(40 * MIB), memory=32 * MIB)


async def test_out_of_time(patient: None) -> None:
    with pytest.raises(OutOfTime, match="computed for more than 1 s"):
        await apart(deeds.spin, seconds=1)


async def test_who_does_not_get_to_compute_is_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    with pytest.raises(Interrupted, match="too busy"):
        await apart(deeds.wait, seconds=1)


@pytest.mark.parametrize("status", [0, 3])
async def test_an_end_without_an_answer(status: int) -> None:
    with pytest.raises(Broken, match=f"exit status {status}"):
        await apart(deeds.leave, status)


async def test_silence_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.frame.jobs.parent.GRACE_SECONDS", 0.1)
    with pytest.raises(Broken, match="fell silent"):
        await apart(deeds.fall_silent)


async def test_a_crash() -> None:
    with pytest.raises(Broken, match="SIGSEGV"):
        await apart(deeds.die, int(signal.SIGSEGV))


async def test_killed_from_outside() -> None:
    work = asyncio.create_task(apart(deeds.spin))
    [pid] = await until(children)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Interrupted, match="SIGKILL"):
        await work


async def test_an_answer_that_is_too_large() -> None:
    with pytest.raises(AnswerTooLarge, match="more than 1 MiB"):
        await apart(deeds.flood, answer=MIB)


async def test_an_answer_of_too_many_values() -> None:
    assert len(await apart(deeds.many_values, 900_000)) == 900_000
    with pytest.raises(AnswerTooLarge, match="1,000,000 values"):
        await apart(deeds.many_values, 1_100_000)


def test_who_tries_again_in_vain_is_told_apart() -> None:
    kinds = (Raised, OutOfMemory, OutOfTime, AnswerTooLarge, Broken)
    assert all(issubclass(kind, Failed) and issubclass(kind, GiveUp) for kind in kinds)
    assert not issubclass(Interrupted, GiveUp)


# -- nobody outlives anybody


async def test_who_is_cancelled_takes_the_child_along() -> None:
    work = asyncio.create_task(apart(deeds.spin, "sesame"))  # type: ignore[arg-type]
    [(pid, title)] = (await until(children)).items()
    assert "sesame" not in title
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not lives(pid)


async def test_who_is_cancelled_twice_too() -> None:
    work = asyncio.create_task(apart(deeds.spin))
    await until(children)
    work.cancel()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await until(lambda: not children())


async def test_who_waits_for_a_place_can_be_cancelled() -> None:
    module._places[asyncio.get_running_loop()] = asyncio.Semaphore(1)
    first, second = (asyncio.create_task(apart(deeds.spin)) for _ in range(2))
    await until(children)
    for work in (second, first):
        work.cancel()
    await asyncio.wait([first, second])
    assert await apart(deeds.echo, 1) == 1


ORPHANING = """
import asyncio
from fairway.frame.jobs.apart import apart
from frame.jobs import deeds
asyncio.run(apart(deeds.spin))
"""


async def test_a_child_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = _start(ORPHANING)
    try:
        [pid] = await until(lambda: children(parent.pid))
        await until(lambda: at_work(pid))
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: not lives(pid))


def _start(script: str) -> "subprocess.Popen[bytes]":
    env = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", script], env=env)


async def test_nothing_leaks_however_it_ends() -> None:
    await apart(deeds.echo, 1)
    before = open_here()
    for _ in range(10):
        assert await apart(deeds.echo, 1) == 1
        with pytest.raises(Broken):
            await apart(deeds.leave, 1)
        work = asyncio.create_task(apart(deeds.wait))
        await until(children)
        work.cancel()
        await asyncio.wait([work])
    assert open_here() == before
    assert len(asyncio.all_tasks()) == 1


async def test_no_more_at_a_time_than_cores_and_first_come_first_served() -> None:
    done: list[int] = []

    async def one(number: int) -> None:
        done.append(await apart(deeds.echo, number))

    most = 0
    works = [asyncio.create_task(one(number)) for number in range(4 * len(os.sched_getaffinity(0)))]
    while not all(work.done() for work in works):
        most = max(most, len(children()))
        await asyncio.sleep(0)
    assert 0 < most <= len(os.sched_getaffinity(0))
    module._places[asyncio.get_running_loop()] = asyncio.Semaphore(1)
    done.clear()
    await asyncio.gather(*(one(number) for number in range(6)))
    assert done == list(range(6))


# -- in a job


async def test_a_job_stays_alive_while_its_child_computes_and_takes_it_along_when_stopped(
    bench: Bench,
) -> None:
    async def deed(_task: Task) -> Facts:
        return {"sum": await apart(deeds.spin)}

    async def beats() -> int:
        [worker] = await records.workers_seen(bench.db)
        return int(worker["seen_at"])

    bench.deed = deed
    execution = await bench.ask()
    async with bench.working(await bench.runner(lease=3)):
        await until(children)
        for _ in range(3):
            before = await beats()
            async with asyncio.timeout(60):
                while await beats() == before:  # noqa: ASYNC110 - a row tells nobody
                    await asyncio.sleep(0.02)
        assert children()
        assert await bench.db.write(partial(queue.stop, execution=execution or 0))
        assert await bench.over(execution, within=60) == "Stopped"
        assert not children()
    assert len(bench.seen) == 1


async def test_a_job_whose_child_fails_is_not_tried_again(bench: Bench) -> None:
    async def deed(_task: Task) -> None:
        await apart(deeds.fail, "ValueError", "no SBOM")

    bench.deed = deed
    execution = await bench.ask()
    runner = await bench.runner()
    await runner.take()
    await runner.idle()
    task = await bench.only_task(execution)
    assert (task.status, task.message) == ("Error", "frame.jobs.deeds.fail raised ValueError: no SBOM")
