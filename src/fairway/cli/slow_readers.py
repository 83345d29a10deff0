"""Clients that do not take what they asked for are disconnected.

A client that stops reading, or reads a byte now and then, keeps a connection, an open file and some megabytes of
buffers for as long as it likes: Granian waits for it, and the kernel sees nothing wrong while the other side answers.
So a thread in each web worker asks the kernel now and then how its connections get on.  Only those count in which
bytes wait that could not even be sent: an idle connection has none, nor has a slow one that keeps up.

So that a connection stays in sight until its reply is nearly out, no more than `_MOST_UNSENT` bytes of it may pile up in
the kernel.  TCP_USER_TIMEOUT would be simpler and is wrong: with a small window it also ends connections that get on.

What a client took is what its kernel confirmed.  That may advance in steps of a sixteenth of its receive buffer, at
most 400 KB as Linux is set up, which is why the time to look back on must not be short.  Linux only; elsewhere nobody
is disconnected.
"""

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fairway.frame import log

_log = log.get_logger(__name__)
_OPEN_FILES = Path("/proc/self/fd")
_LOOKS = 6
"""How often a connection is looked at before it can be found too slow: by default, before it is closed as idle."""
_MOST_UNSENT = 256 * 1024
_BATCH = 100
_LISTENER_SECONDS = 0.05
_PAUSE = 0.002
"""Between batches, so that thousands of connections do not hold up the requests of one moment."""
_RESET = struct.pack("ii", 1, 0)
# struct tcp_info of linux/tcp.h, which only ever grows at its end: tcpi_bytes_acked and tcpi_notsent_bytes
_TCP_INFO_SIZE = 160
_TAKEN = struct.Struct("=120xQ16xI")


@dataclass(frozen=True, slots=True)
class Limits:
    """Over `seconds` in which there was always something to send, a client must take so much on average."""

    seconds: float
    bytes_per_second: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which bytes waited for a client, and how many it had taken since it connected."""

    at: float
    taken: int


def next_mark(since: Mark, now: Mark, limits: Limits) -> Mark | None:
    """What to measure the client's progress from when looking again; None: it is too slow.

    Bytes waited for it at every look between the two.
    """
    seconds = now.at - since.at
    if seconds < limits.seconds:
        return since
    return now if now.taken - since.taken >= seconds * limits.bytes_per_second else None


class SlowReaders:
    """Watches the connections of this process that came in through `port`."""

    def __init__(self, port: int, limits: Limits) -> None:
        self._port = port
        self._limits = limits
        self._marks: Mapping[int, Mark] = {}

    def start(self) -> None:
        """In a thread of its own, until the process ends."""
        if self._limits.bytes_per_second and hasattr(socket, "TCP_INFO") and _OPEN_FILES.exists():
            threading.Thread(target=self._watch, name="slow-readers", daemon=True).start()

    def _watch(self) -> None:
        while not _prepare_listener(self._port):
            time.sleep(_LISTENER_SECONDS)  # Granian opens it once the application has started
        while True:
            time.sleep(self._limits.seconds / _LOOKS)
            try:
                self.look(time.monotonic())
            except Exception as error:  # noqa: BLE001 - the next look may go better; without it nobody looks any more
                _log.warning("slow readers could not be looked for", error=str(error))

    def look(self, at: float) -> None:
        """Look at every connection once, at the moment `at`, and disconnect those that are too slow."""
        marks: dict[int, Mark] = {}
        for fd, inode, taken in _waited_for(self._port):
            now = Mark(at, taken)
            mark = next_mark(self._marks.get(inode, now), now, self._limits)
            if mark is None:
                _disconnect(fd, inode)
            else:
                marks[inode] = mark
        self._marks = marks


def _prepare_listener(port: int) -> bool:
    """Set what connections inherit; whether the listening socket was there."""
    found = False
    for fd, _ in _sockets():
        with suppress(OSError), _borrowed(fd) as own:
            if own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and own.getsockname()[1] == port:
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)
                found = True
    return found


def _waited_for(port: int) -> Iterator[tuple[int, int, int]]:
    """Connections through `port` for which bytes wait to be sent: descriptor, inode, bytes their clients took."""
    for fd, inode in _sockets():
        with suppress(OSError):  # closed meanwhile, or no TCP
            taken, waiting = _progress(fd, port)
            if waiting:
                yield fd, inode, taken


def _sockets() -> Iterator[tuple[int, int]]:
    """Every open socket of this process: descriptor and inode."""
    for number, entry in enumerate(_OPEN_FILES.iterdir()):
        if number % _BATCH == 0:
            time.sleep(_PAUSE)
        with suppress(OSError):  # closed meanwhile
            status = os.fstat(int(entry.name))
            if stat.S_ISSOCK(status.st_mode):
                yield int(entry.name), status.st_ino


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A socket that somebody else will close."""
    own = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)  # named, or it would ask the kernel
    try:
        yield own
    finally:
        own.detach()


def _progress(fd: int, port: int) -> tuple[int, int]:
    """Bytes that the client took, and bytes that are not even under way.  Raises OSError: no TCP."""
    with _borrowed(fd) as own:
        info = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        if len(info) < _TAKEN.size:
            return 0, 0  # a kernel of before 2016
        taken, waiting = _TAKEN.unpack_from(info)
        return (taken, waiting) if waiting and own.getsockname()[1] == port else (taken, 0)


def _disconnect(fd: int, inode: int) -> None:
    with suppress(OSError):
        own = os.dup(fd)
        if os.fstat(own).st_ino != inode:
            os.close(own)  # that one has gone, and its number has a new owner
            return
        with socket.socket(fileno=own) as connection:
            client = connection.getpeername()[0]
            # Nobody wants what is still waiting.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.shutdown(socket.SHUT_RDWR)
        _log.info("a client that reads too slowly was disconnected", client=client)
