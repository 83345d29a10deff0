"""Finished lines on their way to stderr: a bounded queue, and one thread per process that writes.

Whoever reads our stderr may stall, as a paused terminal or a collector with a full disk does.  Writing then blocks; on
the event loop it would stop every request.  So the thread does it, and lines that nobody takes away are counted and
dropped: from the first one on all, until those that wait are written, so that there is one gap and not many.
"""

import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from queue import SimpleQueue
from typing import Final

MOST_WAITING: Final = 4000
"""Lines; some 2 MB as they usually are."""
FLUSH_SECONDS: Final = 2.0


class Lines:
    """The queue of one process.  `tell` hears, when the queue has emptied, how many lines were dropped."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        # The one queue that may be used by a signal handler which interrupts its use.
        self._queue: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._starting = threading.RLock()
        self._writer: threading.Thread | None = None
        self._dropped = self._told = 0

    def put(self, line: str) -> None:
        """Have a line written, without waiting and without ever raising."""
        waiting = self._queue.qsize()
        # Into an empty queue always: it wakes the writer, which tells of those that were dropped.
        if waiting >= MOST_WAITING or (waiting and self._dropped > self._told):
            self._dropped += 1
            return
        if self._writer is not None or self._start():
            self._queue.put(line)
        else:
            _write(line)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all lines so far are written, but not for longer; whether they are."""
        if self._writer is None:
            return True
        reached = threading.Event()
        self._queue.put(reached)
        return reached.wait(seconds)

    def _start(self) -> bool:
        with self._starting:
            if self._writer is not None:
                return True
            writer = threading.Thread(target=self._write_for_ever, name="log", daemon=True)
            try:
                writer.start()
            except RuntimeError:  # no more threads, or the interpreter is going down
                return False
            self._writer = writer
            # Not atexit, which the processes forked by multiprocessing never come to.
            Finalize(None, self.flush, exitpriority=-1)
            return True

    def _write_for_ever(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, str):
                _write(item)
            if self._dropped > self._told and self._queue.empty():
                lost, self._told = self._dropped - self._told, self._dropped
                self._tell(lost)
                if isinstance(item, threading.Event):
                    self._queue.put(item)  # whoever flushes waits for that line, too
                    continue
            if isinstance(item, threading.Event):
                item.set()


def _write(line: str) -> None:
    try:
        stderr = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # redirected to an object, or gone
        stderr = -1
    try:
        if stderr < 0:
            sys.stderr.write(line)
            return
        # Past the stream's own buffer: a thread that is stuck in it would keep the interpreter from ending.
        rest = line.encode("utf-8", "backslashreplace")
        while rest:
            rest = rest[os.write(stderr, rest) :]
    except (OSError, ValueError, AttributeError):
        return  # stderr is gone, full or closed: nobody is left to be told
