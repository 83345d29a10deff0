"""Sending one request, if it may go where it would go.  The only place that opens connections (T24, T27).

What a name leads to is looked at when the connection is made, and the connection is made to what was looked at: a name
that gets another address afterwards gains nothing by it.  Three looks, because what passes one is not always an address:

    places.read       the URL: scheme, login, port, hosts that are addresses
    _Resolver         every address that a name has
    _Sockets          the address of the very socket, whoever it came from

Behind a proxy the second and third see only the proxy, which has to refuse by itself what names lead to.
"""

import socket
import ssl
from collections.abc import AsyncIterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from fairway.frame.egress import addresses, places
from fairway.frame.egress.addresses import Network
from fairway.frame.egress.errors import EgressRefused
from fairway.frame.egress.replies import Response
from fairway.frame.log import get_logger

CONNECT_SECONDS = 30.0
"""For the name, the connection and TLS, with the wait for one of the connections to the same host."""

_CONNECTIONS = 256
_PER_HOST = 32
_ONE_ADDRESS_SECONDS = 10.0
_MAX_ADDRESSES = 8
_MAX_HEADER = 16 * 1024
_MAX_HEADERS = 128
_AGENT = {"User-Agent": "Fairway"}

_log = get_logger(__name__)


class _NotAllowed(OSError):
    """An address that nothing is sent to.  An OSError, because that is what the HTTP library passes on."""


class Doorway:
    """Sends requests.  `request` is that of an `aiohttp.ClientSession`, with the looks before it and no redirects.

    Replies come as they were sent: what is compressed stays so.  Cookies are not kept, and nothing is taken from the
    environment.
    """

    def __init__(self, session: aiohttp.ClientSession, allowed: Sequence[Network], proxy: URL | None) -> None:
        self._session = session
        self._allowed = allowed
        self._proxy = proxy and proxy.with_user(None)
        self._proxy_headers: Mapping[str, str] = {}
        if proxy is not None and proxy.user is not None:
            login = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
            self._proxy_headers = MappingProxyType({"Proxy-Authorization": login})

    @property
    def proxied(self) -> bool:
        """Whether a proxy is asked for everything."""
        return self._proxy is not None

    def look(self, url: str) -> URL:
        """The URL as it is sent to.  Raises EgressRefused."""
        try:
            return places.read(url, self._allowed)
        except ValueError as why:
            raise _refused(url, str(why)) from None

    async def request(
        self,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | AsyncIterable[bytes] | None = None,
        allow_redirects: Literal[False] = False,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (called as a ClientSession is)
    ) -> aiohttp.ClientResponse:
        """The reply, its body still to come.  `timeout.connect` is CONNECT_SECONDS when it is not set.

        Raises EgressRefused, and what aiohttp raises.
        """
        place = self.look(str(url))
        options: dict[str, Any] = {}
        if self._proxy is not None:
            # A tunnel is asked for with these headers, an unencrypted request bears them itself.
            proxied = place.scheme == "http"
            headers = {**(headers or {}), **self._proxy_headers} if proxied else headers
            options = {"proxy": self._proxy, "proxy_headers": {} if proxied else dict(self._proxy_headers)}
        try:
            return await self._session.request(
                method,
                place,
                headers=headers,
                data=data,
                allow_redirects=allow_redirects,
                timeout=_complete(timeout),
                **options,
            )
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _NotAllowed):
                raise _refused(place, str(error.os_error)) from None
            raise

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()


def open_doorway(
    tls: ssl.SSLContext | bool,
    allowed: Sequence[Network],
    proxy: URL | None,
    resolver: AbstractResolver | None,
) -> Doorway:
    """A way out.  `tls` is an SSL context, or False for no verification."""
    guarded: dict[str, Any] = {}
    if proxy is None:
        inner = resolver or aiohttp.ThreadedResolver()
        guarded = {"resolver": _Resolver(inner, allowed), "socket_factory": _Sockets(allowed)}
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=_CONNECTIONS, limit_per_host=_PER_HOST, **guarded),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_AGENT,
        response_class=Response,
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MAX_HEADER,
        max_field_size=_MAX_HEADER,
        max_headers=_MAX_HEADERS,
    )
    return Doorway(session, allowed, proxy)


class _Resolver(AbstractResolver):
    """The addresses of a name that may be connected to."""

    def __init__(self, inner: AbstractResolver, allowed: Sequence[Network]) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        kept, why = [], ""
        for found in await self._inner.resolve(host, port, family):
            if reason := _why_not(found["host"], found["port"], self._allowed):
                why = reason
                _log.warning("address not used", host=host, address=found["host"], why=reason)
            else:
                kept.append(found)
        if not kept and why:
            raise _NotAllowed(why)
        return kept[:_MAX_ADDRESSES]

    async def close(self) -> None:
        await self._inner.close()


class _Sockets:
    """Makes the sockets of connections, the last look included."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    def __call__(self, addr_info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, where = addr_info
        if why := _why_not(str(where[0]), int(where[1]), self._allowed):
            raise _NotAllowed(why)
        return socket.socket(family, kind, proto)


def _why_not(text: str, port: int, allowed: Sequence[Network]) -> str:
    address = addresses.read(text)
    return "what is no address" if address is None else addresses.why_not(address, port, allowed)


def _complete(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=timeout.total,
        connect=timeout.connect or CONNECT_SECONDS,
        sock_connect=timeout.sock_connect or _ONE_ADDRESS_SECONDS,
        sock_read=timeout.sock_read,
    )


def _refused(url: str | URL, why: str) -> EgressRefused:
    _log.warning("outgoing request refused", place=places.shown(str(url)), why=why)
    return EgressRefused(f"nothing is sent to {why}")
