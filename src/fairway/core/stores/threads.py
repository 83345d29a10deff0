"""A bounded set of threads for blocking file work.

A thread cannot be interrupted.  So a cancelled caller gets its CancelledError only after its thread has come back:
no file is closed, and no lock given up, while a thread still works with it.

Most calls take microseconds, and a small push makes six of them.  Handing them over by concurrent.futures costs more
than they do, hence a queue of our own.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Call:
    """Work for a thread, and who waits for it: nobody when `result` is None."""

    __slots__ = ("loop", "make", "result")

    def __init__(self, make: Callable[[], Any], result: asyncio.Future[Any] | None) -> None:
        self.make: Callable[[], Any] | None = make
        self.result = result
        self.loop = result.get_loop() if result is not None else None

    def run(self) -> None:
        make, self.make = self.make, None
        assert make is not None
        try:
            made, error = make(), None
        except BaseException as raised:  # noqa: BLE001 - whoever waits must hear of it, and the thread lives on
            made, error = None, raised
        del make  # with what it holds, such as a batch of bytes, before the next one is on its way
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._tell, made, error)

    def _tell(self, made: Any, error: BaseException | None) -> None:
        assert self.result is not None
        if self.result.done():
            return
        if error is None:
            self.result.set_result(made)
        else:
            self.result.set_exception(error)


class Threads:
    """Runs blocking calls off the event loop, at most `count` at a time."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()
        self._closed = False

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin a call; wait for it with `finished`.  Raises RuntimeError after `close`."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Call(partial(call, *args, **kwargs), result))
        return result

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call and wait for its result."""
        return await finished(self.start(call, *args, **kwargs))

    @asynccontextmanager
    async def opened(self, call: Callable[P, int], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[int]:
        """The file descriptor that a call opens, closed at the end of the `with` block.

        It is closed too when the waiting task is cancelled while the thread is opening it.
        """
        opening = self.start(call, *args, **kwargs)
        try:
            yield await finished(opening)
        finally:
            if not opening.cancelled() and opening.exception() is None:
                self.forget(os.close, opening.result())

    def forget(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Make a call whose end nobody waits for; after `close`, make it here and now."""
        try:
            self._put(_Call(partial(call, *args, **kwargs), None))
        except RuntimeError:
            call(*args, **kwargs)

    def close(self) -> None:
        """Let the calls that were begun end, and take no more."""
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _put(self, call: _Call) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("these threads have been stopped")
            if self._idle:
                self._idle -= 1  # it is promised to this call
            elif len(self._threads) < self._count:
                self._add_thread()
            self._calls.put(call)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            if not self._threads:
                raise
            return  # those there are will come to it
        self._threads.append(thread)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()
            with self._lock:
                self._idle += 1


async def finished(work: asyncio.Future[T]) -> T:
    """The result of a call begun with `start`, waited for even when the waiting task is cancelled."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await settled(work)
        raise


async def settled(work: asyncio.Future[T]) -> None:
    """Wait until a call has ended, however it ended and however often the waiting task is cancelled."""
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            continue
    if not work.cancelled():
        work.exception()
