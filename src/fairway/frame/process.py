"""What supervised processes need: not to miss the word to stop, and to notice when nobody supervises them any more."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

_SECONDS = 1.0
_STOP = (signal.SIGTERM, signal.SIGINT)


class Alarm:
    """A `threading.Event` that the handler of a signal may set.

    An Event may not: its lock is held for a moment by whoever waits for it, and a handler that runs in this moment, in
    the same thread, waits for that lock for ever.  What is put into a SimpleQueue never waits.
    """

    def __init__(self) -> None:
        self._words: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake whoever waits, and whoever will, until `clear`."""
        self._words.put(None)

    def clear(self) -> None:
        """Forget that it was set."""
        with suppress(Empty):
            while True:
                self._words.get_nowait()

    def wait(self) -> None:
        """Until it is set."""
        self._words.put(self._words.get())


@contextmanager
def signals_wait() -> Iterator[None]:
    """SIGTERM and SIGINT arrive afterwards.  A process forked meanwhile keeps them waiting until it can `hear_signals`:
    before it has handlers of its own, its copy of ours would swallow them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_signals() -> None:
    """Let in the signals that a fork under `signals_wait` left waiting; to be called in the main thread."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)


async def when_orphaned(then: Callable[[], object]) -> None:
    """Call `then` once the parent process has died without a word (kill -9): nobody would stop or restart us."""
    # As it was at the fork: it may have died before this is reached.
    forked = multiprocessing.parent_process()
    parent = os.getppid() if forked is None else forked.pid
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells us but the number
        await asyncio.sleep(_SECONDS)
    then()
