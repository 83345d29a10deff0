"""A bounded set of threads for blocking file work.

A thread cannot be interrupted.  So a cancelled caller gets its CancelledError only after its thread has come back:
no file is closed, and no lock given up, while a thread still works with it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs blocking calls off the event loop, at most `count` at a time."""

    def __init__(self, count: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin a call; wait for it with `finished`."""
        return asyncio.wrap_future(self._pool.submit(call, *args, **kwargs))

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
            self._pool.submit(call, *args, **kwargs)
        except RuntimeError:
            call(*args, **kwargs)

    def close(self) -> None:
        """Let the calls that were begun end, and take no more."""
        self._pool.shutdown(wait=True)


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
