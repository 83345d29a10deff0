"""The body of a request: ASGI messages as an async iterator that keeps its word about length and time.

A body ends in one of three ways: complete; with more or fewer bytes than announced (SizeInvalid); or cut off,
because the client went away, fell silent or sent bytes that are no HTTP (BodyIncomplete). Whoever reads it keeps
what arrived if that is of use.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Self

from fairway.core.oci.errors import ManifestTooLarge, SizeInvalid

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

PATIENCE = 60.0
"""Seconds without a byte after which a body is given up."""
GRACE = 60.0
SLOWEST = 1024
"""Bytes a second that must arrive on average once a body was waited for during `GRACE` seconds."""
FORM_SECONDS = 10.0
"""Within which a small body, such as a form or a JSON object, must be there in whole."""

_DRAIN_BYTES = 256 * 1024
_DRAIN_SECONDS = 2.0
_MAX_LENGTH_DIGITS = 18
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


class BodyIncomplete(SizeInvalid):
    """The body broke off: the client is gone, silent, or not speaking HTTP."""


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Read a small body in here.  Raises BodyIncomplete when it takes too long."""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            yield
    except TimeoutError:
        raise BodyIncomplete(f"the body was not there after {FORM_SECONDS:.0f} seconds") from None


class Body:
    """The bytes of one request, to be iterated over once. `length` is what `Content-Length` announces, if it does."""

    __slots__ = (
        *(
            "_alarm",
            "_expects_continue",
            "_http1",
            "_late",
            "_receive",
            "_received",
            "_since",
            "_waited",
            "_waiter",
        ),
        *("ended", "length"),
    )

    def __init__(self, receive: Receive, method: str, headers: Mapping[str, str], http_version: str) -> None:
        self._receive = receive
        self._received = 0
        self._waited = 0.0
        self._since = 0.0
        self._waiter: asyncio.Task[Any] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._late = False
        self._expects_continue = "expect" in headers
        self._http1 = http_version.startswith("1")
        announced = headers.get("content-length", "")
        known = announced.isascii() and announced.isdigit() and len(announced) <= _MAX_LENGTH_DIGITS
        self.length = int(announced) if known else None
        # HTTP/1 frames every body by a header; HTTP/2 needs none.
        framed = not self._http1 or "transfer-encoding" in headers or announced
        self.ended = self.length == 0 or not framed or method in _BODILESS

    @property
    def received(self) -> int:
        """Bytes that have arrived so far."""
        return self._received

    def must_be(self, length: int) -> None:
        """Expect exactly `length` bytes. Raises SizeInvalid, before anything is read, if that is already wrong."""
        if self.length is None and not self.ended:
            self.length = length
        elif (self.length or 0) != length:
            raise SizeInvalid(f"the range names {length} bytes, the body has {self.length or 0}")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self.ended:
            piece, is_last = await self._next_piece()
            if self._waited > GRACE and self._received < self._waited * SLOWEST and not is_last:
                self._end()
                raise BodyIncomplete(f"less than {SLOWEST} bytes of the body arrived per second")
            missing = 0 if self.length is None else self.length - self._received
            if missing < 0 or (is_last and missing):
                self._end()
                raise SizeInvalid(f"the body should have had {self.length} bytes")
            if piece:
                return piece
        raise StopAsyncIteration

    async def _next_piece(self) -> tuple[bytes, bool]:
        waiter = self._waiter = asyncio.current_task()
        self._since = time.monotonic()
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(PATIENCE, self._look)
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            self._end()
            if self._late and waiter is not None and waiter.uncancel() == 0:
                raise BodyIncomplete(f"no byte of the body arrived for {PATIENCE:.0f} seconds") from None
            raise
        finally:
            self._waiter = None
        self._waited += (
            time.monotonic() - self._since
        )  # for the client only, never for whoever takes the bytes
        if message["type"] == "http.disconnect":
            self._end()
            raise BodyIncomplete("the body broke off before its end")
        piece: bytes = message.get("body", b"")
        self._received += len(piece)
        if not message.get("more_body", False):
            self._end()
        return piece, self.ended

    def _look(self) -> None:
        """Is somebody still waiting for the client?  One alarm for many pieces: a time limit for each costs more."""
        self._alarm = None
        if self._waiter is None:
            return
        left = self._since + PATIENCE - time.monotonic()
        if left > 0:
            self._alarm = asyncio.get_running_loop().call_later(left, self._look)
        else:
            self._late = True
            self._waiter.cancel()

    def _end(self) -> None:
        self.ended = True
        self._silence()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises ManifestTooLarge as soon as it is known to have more than `limit` bytes."""
        if self.length is not None and self.length > limit:
            raise ManifestTooLarge(f"a manifest may have {limit} bytes at most")
        pieces = []
        room = limit
        async for piece in self:
            room -= len(piece)
            if room < 0:
                raise ManifestTooLarge(f"a manifest may have {limit} bytes at most")
            pieces.append(piece)
        return b"".join(pieces)

    @property
    def ends_connection(self) -> bool:
        """Whether so much is left unread that giving up the connection is cheaper than reading it away.

        So it is with a client that waits for `100 Continue`: asking now would invite it to send.
        """
        if self.ended or not self._http1:
            return False
        if self._expects_continue and not self._received:
            return True
        return self.length is not None and self.length - self._received > _DRAIN_BYTES

    async def drain(self) -> None:
        """Read away what was left unread, within bounds.

        A client still busy sending then gets to read our answer, and may use the connection again.
        """
        end = self._received + _DRAIN_BYTES
        if self._expects_continue and not self._received:
            return
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.ended and self._received < end:
                    await self._next_piece()
        except (TimeoutError, BodyIncomplete):
            self.ended = True
        finally:
            self._silence()
