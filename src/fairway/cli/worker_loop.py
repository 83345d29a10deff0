"""The event loop of a web worker: it hears every word to stop, and passes on one.

Granian's worker runs its loop twice, to start the application and to serve.  What arrives between the two is lost,
since uvloop only hears signals while it runs; and a second word to stop blocks the loop for good, with every request
that is under way.  So the signals, blocked since the fork, are let in when the second run has begun.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVarTuple

import uvloop
from granian import loops

from fairway.frame.process import hear_signals

Ts = TypeVarTuple("Ts")


class WorkerLoop(uvloop.Loop):
    """uvloop with better ears."""

    def __init__(self) -> None:
        super().__init__()
        self._runs = 0
        self._told = False

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        def once() -> None:
            if not self._told:
                self._told = True
                callback(*args)

        super().add_signal_handler(sig, once)

    def run_until_complete(self, future: Any) -> Any:
        if self._runs == 1:
            self.call_soon(hear_signals)
        self._runs += 1
        return super().run_until_complete(future)


def install() -> None:
    """Make it what Granian calls uvloop."""

    @loops.register("uvloop")
    def build() -> asyncio.AbstractEventLoop:
        loop = WorkerLoop()
        asyncio.set_event_loop(loop)
        return loop
