"""Readers that are hard on a server: those who hang up early, and those who hardly read at all."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from wire import Address, Refused

_BUFFER = 128 * 1024
_PIECE = 64 * 1024
_SLOW_PIECE = 16 * 1024
_SLOW_PAUSE = 0.25  # with the piece above: 64 KiB/s for each reader

T = TypeVar("T")


class Reader:
    """One connection with a small window, so that little is under way when it is closed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)

    async def ask(self, path: str, headers: Mapping[str, str], status: int) -> int:
        """Send a GET and read the head of its reply; how many bytes of body came with it. Raises Refused."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._address[0]}:{self._address[1]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self._loop.sock_connect(self._socket, self._address)
        await self._loop.sock_sendall(self._socket, "\r\n".join([*lines, "", ""]).encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            piece = await self._loop.sock_recv(self._socket, _PIECE)
            if not piece:
                raise Refused(f"GET {path}: hung up on after {reply[:300]!r}")
            reply += piece
        if not reply.startswith(b"HTTP/1.1 %d" % status):
            raise Refused(f"GET {path}: {reply[:300]!r}")
        return len(reply.partition(b"\r\n\r\n")[2])

    async def take(self, most: int) -> int:
        """Read up to so many bytes; 0 at the end."""
        return len(await self._loop.sock_recv(self._socket, most))

    def hang_up(self) -> None:
        """Close, with whatever is still coming."""
        self._socket.close()


async def ranges(
    address: Address, path: str, headers: Mapping[str, str], *, size: int, readers: int, each: int, seed: int
) -> int:
    """containerd's parallel pull: open-ended ranges of a blob of `size` bytes, hung up on after 1 MB.

    `readers` at a time ask `each` times. How many bytes they got in all.
    """
    enough = 1_000_000

    async def one(number: int) -> int:
        chance = random.Random(f"{seed}/{number}")
        got = 0
        for _ in range(each):
            start = chance.randrange(size - 2 * enough)
            reader = Reader(address)
            try:
                have = await reader.ask(path, {**headers, "Range": f"bytes={start}-"}, 206)
                while have < enough:
                    piece = await reader.take(min(_PIECE, enough - have))
                    if not piece:
                        raise Refused(f"GET {path}: the range from {start} ended after {have} bytes")
                    have += piece
                got += have
            finally:
                reader.hang_up()
        return got

    return sum(await asyncio.gather(*(one(number) for number in range(readers))))


async def beside_slow_readers(
    address: Address, path: str, headers: Mapping[str, str], readers: int, work: Callable[[], Awaitable[T]]
) -> T:
    """What `work` comes to while so many readers take 64 KiB/s each of a large blob."""

    async def read_slowly(reader: Reader) -> None:
        while True:
            await asyncio.sleep(_SLOW_PAUSE)
            if not await reader.take(_SLOW_PIECE):
                raise Refused(f"GET {path}: a slow reader was hung up on")

    everyone = [Reader(address) for _ in range(readers)]
    tasks: list[asyncio.Task[None]] = []
    try:
        for reader in everyone:
            await reader.ask(path, headers, 200)
            tasks.append(asyncio.create_task(read_slowly(reader)))
        found = await work()
        for task in tasks:
            if task.done():
                task.result()
        return found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for reader in everyone:
            reader.hang_up()
