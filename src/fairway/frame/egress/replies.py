"""What comes back: bounded, and as it was sent."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

import aiohttp

from fairway.core.wire.client import plain_headers
from fairway.frame.egress import addresses
from fairway.frame.egress.errors import EgressFailed, EgressTooLarge
from fairway.frame.log import get_logger

_PIECE = 256 * 1024
_ANY_PORT = 443

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply.  Header names are in lower case; `url` is where it came from, after redirects."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)


class Response(aiohttp.ClientResponse):
    """A response that remembers the address it came from: a connection is let go of as soon as a body is complete."""

    peer = ""

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        where = connection.transport and connection.transport.get_extra_info("peername")
        self.peer = str(where[0]) if where else ""
        return await super().start(connection)


class Stream:
    """A reply whose body may be read while it is open, once.  Header names are in lower case.

    `url` is where it came from, after redirects.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, whom: str, limit: int, *, proxied: bool = False
    ) -> None:
        self.status = response.status
        self.headers = plain_headers(response)
        self.url = str(response.url)
        self._response = response
        self._whom = whom
        self._limit = limit
        self._proxied = proxied

    @property
    def public(self) -> bool:
        """Whether it came from an address that anybody can reach; not from a network that only this hub may reach.

        Where a proxy got it from nobody knows, so from there it never did.
        """
        peer = self._response.peer if isinstance(self._response, Response) else ""
        address = addresses.read(peer)
        return not self._proxied and address is not None and not addresses.why_not(address, _ANY_PORT, ())

    @property
    def length(self) -> int | None:
        """The bytes of the body, as the other side announces them."""
        return self._response.content_length

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives.  Raises EgressTooLarge and EgressFailed."""
        self.refuse_too_large()
        room = self._limit
        try:
            async for piece in self._response.content.iter_chunked(_PIECE):
                room -= len(piece)
                if room < 0:
                    raise self._too_large()
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise failed(self._whom, error) from None

    async def read(self) -> bytes:
        """The whole body.  Raises EgressTooLarge and EgressFailed."""
        return b"".join([piece async for piece in self.pieces()])

    def refuse_too_large(self) -> None:
        """Raises EgressTooLarge when so much is announced that there is no point in reading it."""
        if self._response.method != "HEAD" and (self.length or 0) > self._limit:
            raise self._too_large()

    def _too_large(self) -> EgressTooLarge:
        self._response.close()
        return EgressTooLarge(
            f"{self._whom} answers {self.status} with more than the {self._limit} bytes that are taken"
        )


def failed(whom: str, error: Exception) -> EgressFailed:
    """What an error of the HTTP library means, without its words: they name addresses and quote the other side.

    Raise it `from None`.  The log gets the kind, and the words of those that only the system and TLS write.
    """
    words = str(error) if isinstance(error, OSError) else ""
    _log.info("outgoing request failed", whom=whom, kind=type(error).__name__, words=words)
    return EgressFailed(f"{whom} {_what(error)}")


def _what(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "takes too long to answer"
        case aiohttp.ClientConnectorCertificateError():
            return "has a certificate that cannot be verified; FAIRWAY_EGRESS_CA_FILE may name who issued it"
        case aiohttp.ClientConnectorDNSError():
            return "has a name that leads to no address"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return "cannot be reached through FAIRWAY_EGRESS_PROXY"
        case aiohttp.ClientSSLError():
            return "cannot be spoken to by TLS"
        case aiohttp.ClientConnectorError():
            return "cannot be reached"
        case aiohttp.ClientResponseError():
            return "answers with what cannot be read as HTTP"
        case _:
            return "broke off"
