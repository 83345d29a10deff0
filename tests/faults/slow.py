"""Clients that take their time: many bare connections, driven by one thread."""

import resource
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from hub import Hub

_ESTABLISHED = 1
_SPARE_FILES = 300
_BUFFER = 4096


def allow_sockets(number: int) -> None:
    """Raise this process's limit of open files as far as needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + _SPARE_FILES
    if hard < wanted:
        raise RuntimeError(f"{number} sockets need a limit of {wanted} open files (ulimit -Hn), not {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Until it holds; much longer than it should take, for machines that are busy."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Slow:
    """Connections that each said `head`, and then a byte of `drip`, or read `sips` bytes, every `every` seconds.

    With neither they do nothing at all.
    """

    def __init__(
        self,
        hub: Hub,
        number: int,
        head: bytes | Callable[[], bytes],
        *,
        drip: bytes = b"",
        sips: int = 0,
        every: float = 0.3,
    ) -> None:
        self.number = number
        self._drip, self._sips, self._every = drip, sips, every
        self._over = threading.Event()
        self._sockets = [
            self._connect(hub, head if isinstance(head, bytes) else head()) for _ in range(number)
        ]
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    @staticmethod
    def _connect(hub: Hub, head: bytes) -> socket.socket:
        host, port = hub.place.split(":")
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        line.settimeout(30)
        line.connect((host, int(port)))
        line.sendall(head)
        line.setblocking(False)
        return line

    def _go_on(self) -> None:
        while (self._drip or self._sips) and not self._over.wait(self._every):
            for line in self._sockets:
                with suppress(OSError):
                    if self._drip:
                        line.send(self._drip[:1])
                    else:
                        line.recv(self._sips)

    @property
    def connected(self) -> int:
        """How many the hub has not closed yet."""
        return sum(
            line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] == _ESTABLISHED
            for line in self._sockets
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        for line in self._sockets:
            line.close()
