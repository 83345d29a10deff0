"""How a request becomes a reply: headers, retries, redirects, and what a refusal means.  No I/O, no clock.

`conversation` says what to do next and is told what came of it; the two shells, `sync` and `asynchronous`, only do that:

```text
GET answered with 502, 503 or 504   again, at most three times, after Retry-After or a little longer each time
redirect to a path of the same hub  followed, at most three times; a change only where 307 or 308 keeps it one
redirect to anywhere else           SentElsewhere: neither the request nor the login goes there
any other status than a success     ApiError
```
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from fairway import __version__
from fairway.client.address import Address, Login, parse_address
from fairway.client.call import Call, Reply, Request
from fairway.client.errors import Misaddressed, SentElsewhere, said_no

T = TypeVar("T")

MOST_BYTES: Final = 64 * 2**20
"""No reply is longer than that."""

_MOST_TRIES: Final = 3
_MOST_HOPS: Final = 3
_LONGEST_WAIT: Final = 30.0
_PASSING: Final = (502, 503, 504)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_KEPT: Final = (307, 308)
"""Redirects after which a change is the same change."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this and come back with the reply."""

    request: Request


@dataclass(frozen=True, slots=True)
class Wait:
    """Come back after so many seconds."""

    seconds: float


Step = Send | Wait


def conversation(
    address: Address, login: Login | None, call: Call[T], *, patient: bool = True
) -> Generator[Step, Reply | None, T]:
    """From a call to what it answers; `patient`: ask again what may be repeated.

    Raises ApiError, SentElsewhere, Unreadable.
    """
    request = replace(call.request, headers={**_headers(login), **call.request.headers})
    tries, hops = 1, 0
    while True:
        reply = yield Send(request)
        assert reply is not None
        if reply.status in _REDIRECTS and hops < _MOST_HOPS:
            request, hops = _redirected(request, reply, address), hops + 1
        elif patient and request.method == "GET" and reply.status in _PASSING and tries < _MOST_TRIES:
            yield Wait(_pause(reply, tries))
            tries += 1
        elif 200 <= reply.status < 300:
            return call.read(reply)
        else:
            raise said_no(reply.status, reply.headers, reply.body)


def _headers(login: Login | None) -> Mapping[str, str]:
    headers = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"fairway/{__version__}",
    }
    return headers if login is None else {**headers, "authorization": login.header}


def _redirected(request: Request, reply: Reply, address: Address) -> Request:
    location = reply.headers.get("location", "")
    target = urlsplit(urljoin(f"{address}{request.path}", location))
    try:
        there = parse_address(f"{target.scheme}://{target.netloc}" if location else "")
    except Misaddressed:
        raise SentElsewhere("the hub redirects to what is no address; nothing was sent there") from None
    if there != address:
        raise SentElsewhere(
            f"{address} redirects to {there}, where neither the request nor the login was sent; "
            f"if that is the hub, use its address"
        )
    if request.method not in ("GET", "HEAD") and reply.status not in _KEPT:
        raise SentElsewhere(f"{address} answers a {request.method} with a redirect; nothing was changed")
    path = quote(target.path or "/", safe="/%!$&'()*+,:;=@-._~")
    query = f"?{quote(target.query, safe='/%!$&()*+,:;=?@[]-._~')}" if target.query else ""
    return replace(request, path=f"{path}{query}")


def _pause(reply: Reply, tries: int) -> float:
    asked = reply.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return min(float(asked), _LONGEST_WAIT)
    return 0.5 * 2.0 ** (tries - 1)
