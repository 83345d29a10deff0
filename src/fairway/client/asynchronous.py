"""The client that does not block the event loop, on aiohttp."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from fairway.client.address import Address, Login, parse_address
from fairway.client.call import MOST_ON_A_PAGE, Call, Listing, Page, Reply, Request
from fairway.client.conversation import MOST_BYTES, Send, Step, conversation
from fairway.client.errors import Unreachable, Unreadable
from fairway.client.transport import SECONDS, proxy_for, tls_for, unreachable

T = TypeVar("T")


class AsyncHub:
    """A hub as one user sees it, for `async with`; for any number of tasks at a time.

    The parameters are those of `sync.Hub`.
    """

    def __init__(
        self,
        address: Address | str,
        login: Login | None = None,
        *,
        ca_file: Path | None = None,
        seconds: float = SECONDS,
        patient: bool = True,
    ) -> None:
        self.address = parse_address(address) if isinstance(address, str) else address
        self._login = login
        self._patient = patient
        self._tls = tls_for(self.address, ca_file)
        self._proxy = proxy_for(self.address)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
        )
        # It would send a DELETE or PUT again on a connection that broke, and nobody could tell what came of the first.
        session._retry_connection = False  # noqa: SLF001 - there is no public way, and a test watches it
        self._session = session
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, call: Call[T]) -> T:
        """What the hub answers.  Raises ClientError."""
        talk = conversation(self.address, self._login, call, patient=self._patient)
        step = next(talk)
        while True:
            try:
                step = talk.send(await self._done(step))
            except StopIteration as end:
                answer: T = end.value
                return answer

    async def pages(self, listing: Listing[T], size: int = MOST_ON_A_PAGE) -> AsyncIterator[Page[T]]:
        """Page after page of a list, each asked for when the one before it has been used."""
        page = await self.ask(listing.first(size))
        yield page
        while page.next:
            page = await self.ask(listing.after(page))
            yield page

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Everything on a list; one page is in memory at a time."""
        async for page in self.pages(listing):
            for item in page.items:
                yield item

    async def _done(self, step: Step) -> Reply | None:
        if isinstance(step, Send):
            return await self._send(step.request)
        await asyncio.sleep(step.seconds)
        return None

    async def _send(self, request: Request) -> Reply:
        try:
            return await self._exchange(request)
        except aiohttp.ServerDisconnectedError as error:
            if request.method != "GET":
                raise unreachable(self.address, error) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(self.address, error) from None
        try:  # a kept connection had been closed at the other end
            return await self._exchange(request)
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(self.address, error) from None

    async def _exchange(self, request: Request) -> Reply:
        if self._session is None:
            raise RuntimeError("use it as `async with AsyncHub(…) as hub:`")
        async with self._session.request(
            request.method,
            URL(f"{self.address}{request.path}", encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            proxy=self._proxy,
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unreadable(f"the hub's reply is longer than {MOST_BYTES} bytes")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, headers, bytes(body))


def _failed(address: Address, error: BaseException) -> Unreachable:
    """aiohttp wraps what the network said; the words are about the cause."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    return unreachable(address, cause or error)
