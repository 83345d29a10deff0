"""A thread is never left alone with a file: whoever waits for it waits to the end, even when cancelled."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from fairway.core.stores.threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(2, "test")
    yield threads
    threads.close()


async def test_a_call_runs_off_the_loop_and_returns_its_result(threads: Threads) -> None:
    assert await threads.run(threading.get_ident) != threading.get_ident()


async def test_an_error_comes_back_as_it_was(threads: Threads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


@pytest.mark.parametrize("cancellations", [1, 3])
async def test_a_cancelled_task_ends_after_its_thread(threads: Threads, cancellations: int) -> None:
    started, may_end, ended = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        may_end.wait(10)
        ended.append(True)

    task = asyncio.create_task(threads.run(work))
    await started.wait()
    for _ in range(cancellations):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_what_nobody_waits_for_is_done_even_after_closing() -> None:
    threads, done = Threads(1, "test"), []
    threads.forget(done.append, "before")
    threads.close()
    threads.forget(done.append, "after")
    assert done == ["before", "after"]
