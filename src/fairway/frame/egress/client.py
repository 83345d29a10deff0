"""Requests to elsewhere: redirects that are looked at one by one, secrets that stay home, replies with an end."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from fairway.core.wire.client import Pieces
from fairway.frame.egress import places, redirects
from fairway.frame.egress.doorway import CONNECT_SECONDS, Doorway, open_doorway
from fairway.frame.egress.errors import EgressFailed, EgressRefused
from fairway.frame.egress.redirects import MAX_HOPS, Outgoing
from fairway.frame.egress.replies import Reply, Stream, failed
from fairway.frame.settings import Settings, SettingsInvalid
from fairway.frame.settings.declared import UNSET

IDLE_SECONDS: Final = 60.0
"""For so long the other side may say nothing."""

_WITH_BODY = ("POST", "PUT", "PATCH")
_METHOD = re.compile(r"[A-Z]{1,20}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]{0,16384}")
# How a request is framed and where it goes is said by what sends it.
_OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


class Egress:
    """The hub's way out, one per process.  `open` makes one from the settings."""

    def __init__(self, verified: Doorway, unverified: Doorway) -> None:
        self._verified = verified
        self._unverified = unverified

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, *, resolver: AbstractResolver | None = None
    ) -> AsyncIterator[Self]:
        """A way out for as long as the context lasts.  `resolver` finds the addresses of names, as the system does
        unless one is given.  Raises SettingsInvalid when `egress_ca_file` cannot be used."""
        tls = await asyncio.to_thread(_tls, settings.egress_ca_file)
        proxy = URL(settings.egress_proxy) if settings.egress_proxy else None
        async with AsyncExitStack() as closing:
            doorways = []
            for trust in (tls, False):
                doorway = open_doorway(trust, settings.egress_allow_networks, proxy, resolver)
                closing.push_async_callback(doorway.close)
                doorways.append(doorway)
            yield cls(*doorways)

    def session(self, *, verify: bool = True) -> Doorway:
        """What `core.wire.client.Client` sends with; it follows redirects and keeps secrets home by itself.

        Without `verify` no certificate is looked at, not even that of a place the registry names.
        """
        return self._verified if verify else self._unverified

    async def request(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
        body_travels: bool = False,
        follow: bool = True,
        verify: bool = True,
        seconds: float = 60.0,
    ) -> Reply:
        """Send a request and read the whole reply, whatever its status, in so many `seconds`.  As `stream` otherwise."""
        async with self.stream(
            method,
            url,
            limit=limit,
            headers=headers,
            secret_headers=secret_headers,
            body=body,
            body_travels=body_travels,
            follow=follow,
            verify=verify,
            seconds=seconds,
        ) as reply:
            encoding = reply.headers.get("content-encoding", "identity").strip().lower()
            if encoding != "identity":
                raise EgressFailed(f"{places.shown(url)} answers in an encoding that was not asked for")
            return Reply(reply.status, reply.headers, await reply.read(), reply.url)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
        body_travels: bool = False,
        follow: bool = True,
        verify: bool = True,
        seconds: float | None = None,
    ) -> AsyncIterator[Stream]:
        """Send a request and open the reply, whatever its status.

        `limit` is how many bytes of body are taken.  `secret_headers`, and headers whose name says that they are one,
        go to the origin of `url` only; so does `body`, unless it `body_travels`.  With `follow`, redirects are followed,
        MAX_HOPS of them.  Without `verify` the certificate of that origin, and of no other, is not looked at.  `seconds`
        is how long all of it may take; None bounds only silence (IDLE_SECONDS).

        Raises EgressRefused, EgressFailed and EgressTooLarge; an error of `body` is passed on.
        """
        if not _METHOD.fullmatch(method):
            raise EgressRefused("a method is a word in capital letters")
        whom = places.shown(url)
        try:
            at = self._verified.look(url)
        except EgressRefused as error:
            raise EgressRefused(f"{whom}: {error.message}") from None
        pieces = None if isinstance(body, bytes) else Pieces(body)
        sent = Outgoing(
            method, at, _readable(headers), _readable(secret_headers), pieces or body, body_travels
        )
        response = None
        try:
            try:
                response = await self._follow(sent, whom, seconds, follow=follow, verify=verify)
            except (aiohttp.ClientError, OSError) as error:
                if pieces is not None and pieces.error is not None:
                    raise pieces.error from None
                raise failed(whom, error) from None
            reply = Stream(response, whom, limit, proxied=self._verified.proxied)
            reply.refuse_too_large()
            yield reply
        finally:
            if response is not None:
                response.release()

    async def _follow(
        self, sent: Outgoing, whom: str, seconds: float | None, *, follow: bool, verify: bool
    ) -> aiohttp.ClientResponse:
        """The reply after redirects, its body still to come."""
        clock = asyncio.get_running_loop().time
        ends = None if seconds is None else clock() + seconds
        doorway = self.session(verify=verify)
        said = whom
        for _ in range(MAX_HOPS + 1):
            try:
                response = await _send(doorway, sent, None if ends is None else ends - clock())
                location = response.headers.get("location", "")
                if not (follow and location and response.status in redirects.STATUSES):
                    return response
                response.release()
                said = f"{whom} redirects"
                at = doorway.look(redirects.target(sent.url, location))
            except EgressRefused as error:
                raise EgressRefused(f"{said}: {error.message}") from None
            try:
                following = redirects.after(sent, response.status, at)
            except ValueError as why:
                raise EgressRefused(f"{said} and asks for {why}") from None
            if not places.same_origin(following.url, sent.url):
                # Whoever is there now was not meant when verification was turned off.
                doorway = self._verified
            sent = following
        raise EgressFailed(f"{said} more than {MAX_HOPS} times")


async def _send(doorway: Doorway, sent: Outgoing, seconds: float | None) -> aiohttp.ClientResponse:
    if seconds is not None and seconds <= 0:
        raise TimeoutError
    # Without an end for the whole, a header that drips must have one; how long a body takes to send is not known.
    opening = CONNECT_SECONDS + IDLE_SECONDS if isinstance(sent.body, bytes) else None
    async with asyncio.timeout(opening):
        return await doorway.request(
            sent.method,
            sent.url,
            headers={"accept-encoding": "identity", **sent.headers, **sent.secret_headers},
            data=sent.body or (b"" if sent.method in _WITH_BODY else None),
            timeout=aiohttp.ClientTimeout(total=seconds, sock_read=IDLE_SECONDS),
        )


def _readable(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers by names in lower case.  Raises EgressRefused for those that no caller may set, or nobody."""
    found = {}
    for name, value in (headers or {}).items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise EgressRefused(f"the header {name[:80]!r} cannot be set")
        if not _VALUE.fullmatch(value):
            raise EgressRefused(f"the header {name!r} has a value that no header may have")
        found[name.lower()] = value
    return found


def _tls(ca_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file != UNSET:
        try:
            context.load_verify_locations(ca_file)
        except OSError as problem:  # an SSLError is one
            raise SettingsInvalid(
                f"egress_ca_file is {str(ca_file)!r}, which cannot be used: {problem.strerror or problem}."
            ) from None
    return context
