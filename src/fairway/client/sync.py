"""The client that waits: the standard library's HTTP, one connection that is kept between requests."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TypeVar
from urllib.parse import unquote

from fairway.client.address import Address, Login, parse_address
from fairway.client.call import MOST_ON_A_PAGE, Call, Listing, Page, Reply, Request
from fairway.client.conversation import MOST_BYTES, Send, Step, conversation
from fairway.client.errors import Unreachable, Unreadable
from fairway.client.transport import SECONDS, proxy_for, proxy_parts, tls_for, unreachable

T = TypeVar("T")

_IDLE_SECONDS: Final = 5.0
"""A connection that said nothing for longer may be closed at the other end by now."""


class Hub:
    """A hub as one user sees it; nobody without a login.  Not for several threads at a time.

    `ca_file`: certificates to trust instead of this machine's.  `patient`: what may be repeated is.
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
        self._seconds = seconds
        self._patient = patient
        self._tls = tls_for(self.address, ca_file)
        self._proxy = proxy_for(self.address)
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, call: Call[T]) -> T:
        """What the hub answers.  Raises ClientError."""
        talk = conversation(self.address, self._login, call, patient=self._patient)
        step = next(talk)
        while True:
            try:
                step = talk.send(self._done(step))
            except StopIteration as end:
                answer: T = end.value
                return answer

    def pages(self, listing: Listing[T], size: int = MOST_ON_A_PAGE) -> Iterator[Page[T]]:
        """Page after page of a list, each asked for when the one before it has been used."""
        page = self.ask(listing.first(size))
        yield page
        while page.next:
            page = self.ask(listing.after(page))
            yield page

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Everything on a list; one page is in memory at a time."""
        for page in self.pages(listing):
            yield from page.items

    def _done(self, step: Step) -> Reply | None:
        if isinstance(step, Send):
            return self._send(step.request)
        time.sleep(step.seconds)
        return None

    def _send(self, request: Request) -> Reply:
        kept = self._connection is not None and time.monotonic() - self._used_at < _IDLE_SECONDS
        if not kept:
            self.close()
        try:
            return self._exchange(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not (kept and request.method == "GET" and isinstance(error, ConnectionError)):
                raise unreachable(self.address, error) from None
        # It was closed at the other end while nobody looked; whether a change was carried out would be anybody's guess.
        try:
            return self._exchange(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise unreachable(self.address, error) from None

    def _exchange(self, request: Request) -> Reply:
        connection, path = self._connect(), request.path
        if self._proxy and self._tls is None:
            path = f"{self.address}{path}"
        connection.request(request.method, path, request.body, dict(request.headers))
        answer = connection.getresponse()
        body = answer.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            self.close()
            raise Unreadable(f"the hub's reply is longer than {MOST_BYTES} bytes")
        if answer.length:
            raise Unreachable(f"{self.address} broke off in the middle of its reply; try again")
        self._used_at = time.monotonic()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = self._opened()
        return self._connection

    def _opened(self) -> http.client.HTTPConnection:
        there, login = (self.address, "") if self._proxy is None else proxy_parts(self._proxy)
        headers = {"proxy-authorization": _proxy_login(login)} if login else {}
        if self._tls is None:
            return http.client.HTTPConnection(there.host, there.port, timeout=self._seconds)
        connection = http.client.HTTPSConnection(
            there.host, there.port, timeout=self._seconds, context=self._tls
        )
        if self._proxy is not None:
            connection.set_tunnel(self.address.host, self.address.port, headers)
        return connection


def _proxy_login(text: str) -> str:
    user, _, password = text.partition(":")
    return Login(unquote(user), unquote(password)).header
