"""Sending calls to another registry over HTTP: the token dance, redirects, and errors as ours.

The login never leaves the registry's own origin, except for a token service that may see it (`challenge`): an
upload or a redirect on another host is asked without credentials. Connections, TLS, and the addresses that may be
reached at all are the business of the `Session`, which whoever builds the client brings along.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Literal, Protocol

import aiohttp
from yarl import URL

from fairway.core.oci.errors import Unauthorized, Unavailable
from fairway.core.wire import answers, paths
from fairway.core.wire.challenge import (
    MAX_GRANT,
    Grants,
    Login,
    Request,
    Response,
    TokenRequest,
    authorized,
)
from fairway.core.wire.paths import Call

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_MAX_HOPS = 5
_WITH_BODY = ("POST", "PUT", "PATCH")
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 256 * 1024


class Session(Protocol):
    """What sends one request: an `aiohttp.ClientSession`, or what looks at the address first and then asks one."""

    def request(
        self,
        method: str,
        url: URL,
        /,
        *,
        headers: Mapping[str, str] | None,
        data: bytes | AsyncIterable[bytes] | None,
        allow_redirects: Literal[False],
        timeout: aiohttp.ClientTimeout,
    ) -> Awaitable[aiohttp.ClientResponse]: ...


class Answer:
    """A reply with a status that was expected; its body may be read while it is open."""

    def __init__(self, response: aiohttp.ClientResponse, url: str) -> None:
        self._response = response
        self.url = url
        self.status = response.status
        self.headers = plain_headers(response)

    @property
    def length(self) -> int | None:
        """What `Content-Length` announces."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        return self._response.content.iter_chunked(_PIECE)

    async def read(self, limit: int) -> bytes | None:
        """The whole body, None when it has more than `limit` bytes."""
        return await _bounded(self._response, limit)


class Client:
    """One other registry, with the login for it and the grants won with that.

    `trusted` are the hosts besides its own whose token service may see the password.
    """

    def __init__(
        self,
        base_url: str,
        session: Session,
        login: Login | None = None,
        *,
        trusted: Collection[str] = (),
    ) -> None:
        self._base = base_url.rstrip("/")
        self._session = session
        self._login = login
        self._trusted = trusted
        self._grants = Grants()

    def url(self, call: Call) -> str:
        """Where a call goes by the specification."""
        _, path, query = paths.format(call)
        return f"{self._base}{path}?{query}" if query else self._base + path

    @asynccontextmanager
    async def ask(
        self,
        call: Call,
        scope: str,
        *,
        expect: Collection[int],
        url: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
    ) -> AsyncIterator[Answer]:
        """Send a call, to `url` if the registry named one for it, and open the answer.

        `scope` is what a token must allow. An answer whose status is not in `expect` is raised as the error it
        means; an error of `body` is passed on. Raises Unavailable when the registry cannot be reached or breaks off.
        """
        method = paths.format(call)[0]
        pieces = None if isinstance(body, bytes) else Pieces(body)
        request = Request(
            method,
            url or self.url(call),
            {"accept-encoding": "identity", **(headers or {})},
            body if isinstance(body, bytes) else b"",
        )
        response = None
        try:
            response, at = await self._follow(request, scope, pieces)
            if response.status not in expect:
                text = await _bounded(response, answers.MAX_ERROR_BYTES)
                raise answers.failure(call, response.status, plain_headers(response), text or b"")
            yield Answer(response, at)
        except (aiohttp.ClientError, TimeoutError) as error:
            if pieces is not None and pieces.error is not None:
                raise pieces.error from None
            raise Unavailable(f"the other registry cannot be reached ({type(error).__name__})") from error
        finally:
            if response is not None:
                response.release()

    async def _follow(
        self, request: Request, scope: str, pieces: "Pieces | None"
    ) -> tuple[aiohttp.ClientResponse, str]:
        """The answer after redirects, and where it came from. Only reading follows them."""
        for _ in range(_MAX_HOPS):
            response = await self._exchange(request, scope, pieces)
            if response.status not in _REDIRECTS or request.method not in {"GET", "HEAD"}:
                return response, request.url
            response.release()
            target = answers.place(request.url, response.headers.get("location", ""))
            if request.url.startswith("https:") and not target.startswith("https:"):
                raise Unavailable("the other registry redirects to a place without encryption")
            request = Request(request.method, target, request.headers, request.body)
        raise Unavailable("the other registry redirects without end")

    async def _exchange(
        self, request: Request, scope: str, pieces: "Pieces | None"
    ) -> aiohttp.ClientResponse:
        if not answers.same_origin(request.url, self._base):
            return await self._send(request, pieces)
        flow = authorized(
            request,
            self._login,
            scope=scope,
            grants=self._grants,
            now=time.monotonic(),
            trusted=self._trusted,
        )
        following = next(flow)
        while True:
            response = await self._send(following, None if isinstance(following, TokenRequest) else pieces)
            body = b""
            if isinstance(following, TokenRequest):
                body = await _bounded(response, MAX_GRANT) or b""
            answer = Response(response.status, plain_headers(response), body, response)
            try:
                following = flow.send(answer)
            except StopIteration as done:
                if done.value.handle is not response:
                    response.release()
                final: aiohttp.ClientResponse = done.value.handle
                return final

    async def _send(self, request: Request, pieces: "Pieces | None") -> aiohttp.ClientResponse:
        if pieces is not None and pieces.begun:
            raise Unauthorized("the other registry asked who we are after the body was sent; try again")
        return await self._session.request(
            request.method,
            URL(request.url, encoded=True),  # as it was given: signed URLs bear no re-quoting
            headers=request.headers,
            data=pieces or request.body or (b"" if request.method in _WITH_BODY else None),
            allow_redirects=False,
            timeout=_TIMEOUT,
        )


class Pieces:
    """A body to send. Remembers whether it was begun and how it failed, which the HTTP library does not tell."""

    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._body = body
        self.begun = False
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for piece in self._body:
                if piece:
                    yield piece
        except Exception as error:
            self.error = error
            raise


def plain_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The headers of a reply by names in lower case, repeated lines joined by commas."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    pieces, room = [], limit
    async for piece in response.content.iter_chunked(_PIECE):
        room -= len(piece)
        if room < 0:
            response.close()
            return None
        pieces.append(piece)
    return b"".join(pieces)
