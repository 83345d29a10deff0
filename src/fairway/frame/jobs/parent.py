"""A child process as its parent holds it: told, listened to, killed and buried, whatever else happens.

Theory of operation.  One pair of sockets carries what the child is told and what it answers, another what it prints.  They
need nothing of asyncio that would have to be closed, and what waits for them can be cancelled.  The number of a process is
its own until somebody waits for it: so we only look (WNOWAIT), kill the whole group, and wait last.  Then nobody else is
ever hit, and a grandchild that still holds our sockets keeps nobody waiting, since they are shut down on our side.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from fairway.core.oci.errors import Unavailable
from fairway.frame.jobs import child

GRACE_SECONDS: Final = 2.0
"""How long a child that has closed its socket may take to end."""
LAST_WORDS: Final = 4_000
"""Bytes that are kept of what it printed."""
_CHUNK: Final = 1 << 18
# By its path, and without site packages: nothing is searched, read or run before the child has taken on its limits.
_COMMAND: Final = (
    *(sys.executable, "-I", "-S", "-B", "-X", "utf8", "-X", "faulthandler"),
    str(Path(child.__file__).absolute()),
)


class Child:
    """A child process, our ends of its sockets, and what became of it.  Use `started`."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self._line, its_line = (opened.enter_context(end) for end in socket.socketpair())
            self._voice, its_voice = (opened.enter_context(end) for end in socket.socketpair())
            self._process = _start(its_line, its_voice)
            opened.pop_all()
        its_line.close()
        its_voice.close()
        self._line.setblocking(False)
        self._voice.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._hearing = self._loop.create_task(self._hear_voice())
        self._telling: asyncio.Task[None] | None = None
        self.heard = bytearray()
        """Its answer so far."""
        self.ended = False
        """Whether it came to an end by itself."""
        self.closed = False
        """Whether it has said all it had to say."""
        self.status = 0
        """Its exit status, or the number of a signal below 0.  Like `said`, known once it is buried."""
        self.said = ""
        """The end of what it printed."""
        self.not_told: Exception | None = None
        """What the stream it was to be told raised."""

    def tell(self, parts: Sequence[bytes], stream: AsyncIterator[bytes] | None) -> None:
        """Begin to send all that; meanwhile, `listen`."""
        self._telling = self._loop.create_task(self._tell(parts, stream))

    async def listen(self, most: int) -> None:
        """Return when it has answered and ended, or will not end, or has answered more than `most` bytes."""
        while len(self.heard) <= most and (chunk := await self._received(self._line)):
            self.heard += chunk
        self.closed = len(self.heard) <= most
        if self.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await self._end()
                    self.ended = True

    def kill(self) -> None:
        """End it now, and what it may have started."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def bury(self) -> None:
        """After `kill`: leave no zombie, no task and no descriptor behind."""
        await self._end()
        self.status = self._process.wait()
        for end in (self._line, self._voice):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)  # what is there can still be read
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        await asyncio.wait([self._hearing])
        self._line.close()
        self._voice.close()

    async def _end(self) -> None:
        pause = 0.001
        while self._lives():
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)

    def _lives(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    async def _tell(self, parts: Sequence[bytes], stream: AsyncIterator[bytes] | None) -> None:
        for part in parts:
            await self._sent(part)
        if stream is not None:
            try:
                async for chunk in stream:
                    if not await self._sent(chunk):
                        return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is for the caller
                self.not_told = error
                self.kill()
                return
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    async def _sent(self, chunk: bytes) -> bool:
        """False when it wants no more, or is dead: its answer says which."""
        try:
            await self._loop.sock_sendall(self._line, chunk)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    async def _hear_voice(self) -> None:
        said = b""
        while chunk := await self._received(self._voice):
            said = (said + chunk)[-LAST_WORDS:]
        self.said = said.decode(errors="replace").strip()

    async def _received(self, end: socket.socket) -> bytes:
        """The next bytes; none at the end, which is a reset when it did not read all we sent."""
        try:
            return await self._loop.sock_recv(end, _CHUNK)
        except ConnectionResetError:
            return b""


_burials: set["asyncio.Future[None]"] = set()


@asynccontextmanager
async def started() -> AsyncIterator[Child]:
    """A child that is gone afterwards.  Raises Unavailable when none can be started."""
    try:
        made = Child()
    except OSError as error:
        raise Unavailable(f"no child process can be started: {error.strerror}") from error
    try:
        yield made
    finally:
        made.kill()
        burial = asyncio.ensure_future(made.bury())
        _burials.add(burial)  # the loop alone would forget it
        burial.add_done_callback(_burials.discard)
        await asyncio.shield(burial)  # who is cancelled twice does not wait for it


def _start(line: socket.socket, voice: socket.socket) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own file in our own interpreter
        _COMMAND,
        stdin=line.fileno(),
        stdout=line.fileno(),
        stderr=voice.fileno(),
        env={},
        cwd="/",
        start_new_session=True,  # a group of its own, and no terminal
    )
