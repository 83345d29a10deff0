"""What supervised processes need: not to miss the word to stop, and to notice when nobody supervises them any more."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS = 1.0
_STOP = (signal.SIGTERM, signal.SIGINT)


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
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells us but the number
        await asyncio.sleep(_SECONDS)
    then()
