"""What can be asked of a hub, as values: one call, or a listing that has pages.  Pure.

A page names the next one in its Link header, and that is asked for as it stands, as long as it is a path on the same hub.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from fairway.client.errors import Unreadable
from fairway.client.fields import read

T = TypeVar("T")
K = TypeVar("K")

API: Final = "/api/v2.0"
BY_NAME: Final = {"x-is-resource-name": "true"}
"""In the path is a project's name, even if it is all digits."""
MOST_ON_A_PAGE: Final = 100

_NEXT: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?', re.IGNORECASE)
_READABLE: Final = "/%!$&'()*+,:;=?@[]-._~"

Query = Mapping[str, str | int | bool | None]
"""Parameters by name; None and "" are left out."""


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire; `path` begins with / and has the query in it, header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """The body.  Raises Unreadable."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreadable("the hub's reply is not JSON; is this the address of a hub?") from None


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One operation of the API: what to send, and what its reply means."""

    request: Request
    read: Callable[[Reply], T]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `total` is how many there are of all (None: unknown), `next` the path of what follows or ""."""

    items: tuple[T, ...]
    total: int | None = None
    next: str = ""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that comes in pages."""

    path: str
    item: Callable[[object], T]
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def first(self, size: int = MOST_ON_A_PAGE) -> Call[Page[T]]:
        """The call for the first page, of at most `size` items."""
        asked = {**self.query, "page": 1, "page_size": max(1, min(size, MOST_ON_A_PAGE))}
        return self._page(with_query(self.path, asked))

    def after(self, page: Page[T]) -> Call[Page[T]]:
        """The call for the page that follows one with a `next`."""
        return self._page(page.next)

    def _page(self, path: str) -> Call[Page[T]]:
        return Call(Request("GET", path, self.headers), self._read)

    def _read(self, reply: Reply) -> Page[T]:
        told = reply.json()
        if not isinstance(told, list | None):
            raise Unreadable("the hub's reply is no list")
        items = tuple(self.item(each) for each in told or ())
        total = reply.headers.get("x-total-count", "")
        # A page with nothing on it is the last one, whatever its Link says: following it could go on for ever.
        following = _next(reply.headers.get("link", "")) if items else ""
        return Page(items, int(total) if total.isascii() and total.isdigit() else None, following)


def _next(link: str) -> str:
    found = _NEXT.search(link)
    if found is None:
        return ""
    path = found[1]
    if not path.startswith("/") or path.startswith("//"):
        raise Unreadable("the hub's list goes on elsewhere, where nothing was sent")
    return quote(path, safe=_READABLE)  # Harbor leaves blanks and braces as they are


def with_query(path: str, query: Query) -> str:
    """A path and its parameters."""
    pairs = [(name, _text(value)) for name, value in query.items() if value is not None and value != ""]
    return f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def filters(q: str) -> str | None:
    """`q` as a parameter: the hub takes one more layer of percent-encoding off it than off others."""
    return quote(q) if q else None


def matching(**wanted: str | int | None) -> str:
    """A `q` for which each of the fields is exactly so, `__part` behind a name: contains it.  None and "" are left out."""
    terms = []
    for name, value in wanted.items():
        if value is None or value == "":
            continue
        key, part, _ = name.partition("__part")
        text = str(value)
        plain = f"\\{text}" if text[0] in "\\~[{(" else text
        terms.append(f"{key}=~{text}" if part else f"{key}={plain}")
    return ",".join(terms)


def segment(text: str) -> str:
    """One segment of a path."""
    return quote(text, safe="@:")


def repository_segment(text: str) -> str:
    """A repository's name without its project as a segment: a slash is encoded twice."""
    return quote(quote(text, safe=""), safe="")


def asking(
    kind: Callable[[object], T],
    path: str,
    query: Query | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Call[T]:
    """A GET whose reply is read by `kind`."""
    return Call(
        Request("GET", with_query(path, query or {}), headers or {}), lambda reply: kind(reply.json())
    )


def changing(
    method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
) -> Call[None]:
    """A change whose reply says nothing but that it was done."""
    return Call(_sending(method, path, body, headers), lambda _reply: None)


def answering(
    kind: Callable[[object], T],
    method: str,
    path: str,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
) -> Call[T]:
    """A change whose reply is read by `kind`."""
    return Call(_sending(method, path, body, headers), lambda reply: kind(reply.json()))


def making(path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Call[int]:
    """A POST that makes something and answers with its id at the end of a Location; 0 where it names none."""
    return Call(_sending("POST", path, body, headers), _id)


def _sending(method: str, path: str, body: object, headers: Mapping[str, str] | None) -> Request:
    request = Request(method, path, headers or {})
    if body is None:
        return request
    content = {"content-type": "application/json"}
    return replace(request, headers={**request.headers, **content}, body=json.dumps(body).encode())


def _id(reply: Reply) -> int:
    last = reply.headers.get("location", "").rstrip("/").rpartition("/")[2]
    return int(last) if last.isascii() and last.isdigit() else 0


def reader(kind: type[K]) -> Callable[[object], K]:
    """What reads JSON as a `kind`."""
    return lambda told: read(kind, told)
