"""A TCP proxy in user space, in a thread of its own, that does what networks do: delay, throttle, cut and swallow.

It stands between a client and a hub, or between a hub and its database.  Every fault can be switched on and off while
connections are open; it then holds for those that are open and for those that come.  What it draws by lot comes from
its seed.
"""

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self, TypeVar

from postgres import free_port

Side = Literal["server", "client"]
SIDES: tuple[Side, Side] = ("server", "client")
T = TypeVar("T")

_PIECE = 16 * 1024
_PIECES_UNDER_WAY = 64
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: close says RST, not FIN


class _Cut(Exception):
    """This connection ends now."""


class FaultProxy:
    """Listens on a free port of loopback.  All methods may be called from any thread once it is started."""

    def __init__(self, target: tuple[str, int], seed: object = 0) -> None:
        self.target = target
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        self.passed: dict[Side, int] = dict.fromkeys(SIDES, 0)
        """Bytes handed on so far, by whom they were for."""
        self._rng = random.Random(f"{seed}")
        self._seconds = 0.0
        self._per_second: float = 0
        self._limit: dict[Side, int | None] = dict.fromkeys(SIDES)
        self._mean: float = 0
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))  # a port that is named stays ours while nobody listens
        self._listener.setblocking(False)

    def start(self) -> Self:
        self._thread.start()
        self.refuse(False)
        return self

    def close(self) -> None:
        """End everything, connections included."""
        self.refuse(True)
        self.reset_all()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.close()

    # -- faults

    def delay(self, seconds: float) -> None:
        """Every byte arrives so much later, in both directions."""
        self._seconds = seconds

    def rate(self, bytes_per_second: float) -> None:
        """Each direction of each connection is so narrow; 0 is as wide as it gets."""
        self._per_second = bytes_per_second

    def cut_after(self, number: int | None, to: Side = "server", *, to_next: bool = False) -> None:
        """Reset each connection once `number` more bytes went that way, not one more; None: never.

        With `to_next` only the connections still to come.
        """

        def change() -> None:
            self._limit[to] = number
            for link in () if to_next else self._links:
                flow = link.flows[to]
                flow.limit = None if number is None else flow.passed + number

        self._do(change)

    def cut_at_random(self, mean: float) -> None:
        """Reset each new connection after a random number of bytes in either direction, so many on average; 0: do not."""
        self._mean = mean

    def black_hole(self, on: bool) -> None:
        """Nothing gets through, and nobody is told; what was sent meanwhile arrives when this is over."""
        self._do(self._flowing.clear if on else self._flowing.set)

    def half_close(self, side: Side) -> None:
        """Tell this side that the other has nothing more to say; it may go on speaking itself."""

        def tell() -> None:
            for link in self._links:
                link.flows[side].end()

        self._do(tell)

    def reset_all(self) -> None:
        """RST to both sides of every connection."""

        async def reset() -> None:
            links = list(self._links)
            for link in links:
                link.task.cancel()
            await asyncio.gather(*(link.task for link in links), return_exceptions=True)

        asyncio.run_coroutine_threadsafe(reset(), self._loop).result(30)

    def refuse(self, on: bool) -> None:
        """Nobody listens: who wants to connect is refused.  Open connections stay."""

        def change() -> None:
            self._loop.remove_reader(self._listener)
            if on:
                with suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)  # on Linux the opposite of listen
            else:
                self._listener.listen(4096)
                self._loop.add_reader(self._listener, self._accept)

        self._do(change)

    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    # -- in the thread

    def _do(self, change: Callable[[], T]) -> T:
        async def call() -> T:
            return change()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                link = _Link(self, client)
                self._links.add(link)

    def limit(self, to: Side) -> int | None:
        """After how many bytes a new connection is cut."""
        if not self._mean:
            return self._limit[to]
        return min(int(self._rng.expovariate(1 / self._mean)), self._limit[to] or 2**62)

    async def _passable(self) -> None:
        await self._flowing.wait()


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        server = socket.socket()
        self.flows = {
            "server": _Flow(proxy, "server", client, server),
            "client": _Flow(proxy, "client", server, client),
        }
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._proxy, self._client, self._server = proxy, client, server
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        running: list[asyncio.Task[None]] = []
        try:
            await self._proxy._passable()
            await asyncio.get_running_loop().sock_connect(self._server, self._proxy.target)
            running = [asyncio.create_task(step()) for flow in self.flows.values() for step in flow.steps]
            await asyncio.gather(*running)
        except _Cut:
            self._reset()
        except OSError:
            await self._proxy._passable()  # a RST gets lost like everything else
            self._reset()
        except asyncio.CancelledError:
            self._reset()
            raise
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._client.close()
            self._server.close()
            self._proxy._links.discard(self)

    def _reset(self) -> None:
        for end in (self._client, self._server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class _Flow:
    """One direction of a connection: a reader and a writer, with what is under way between them."""

    def __init__(self, proxy: FaultProxy, to: Side, source: socket.socket, target: socket.socket) -> None:
        self.passed = 0
        self.limit = proxy.limit(to)
        self.steps = (self._read, self._write)
        self._proxy, self._to, self._source, self._target = proxy, to, source, target
        self._ended = False
        self._pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_UNDER_WAY)

    def end(self) -> None:
        """Say to the target that nothing more comes."""
        if not self._ended:
            self._ended = True
            with suppress(OSError):
                self._target.shutdown(socket.SHUT_WR)

    async def _read(self) -> None:
        piece = b"-"
        while piece:
            piece = await asyncio.get_running_loop().sock_recv(self._source, _PIECE)
            await self._pieces.put((time.monotonic() + self._proxy._seconds, piece))

    async def _write(self) -> None:
        while True:
            due, piece = await self._pieces.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._proxy._passable()
            if not piece:
                return self.end()
            while piece and not self._ended:
                piece = await self._write_some(piece)

    async def _write_some(self, piece: bytes) -> bytes:
        """Send as much as may be sent at once; the rest."""
        await self._proxy._passable()
        rate = self._proxy._per_second
        number = max(1, int(rate / 20)) if rate else len(piece)
        if self.limit is not None:
            number = min(number, self.limit - self.passed)
            if number <= 0:
                raise _Cut
        now = piece[:number]
        await asyncio.get_running_loop().sock_sendall(self._target, now)
        self.passed += len(now)
        self._proxy.passed[self._to] += len(now)
        if self.limit is not None and self.passed >= self.limit:
            raise _Cut
        if rate:
            await asyncio.sleep(len(now) / rate)
        return piece[number:]
