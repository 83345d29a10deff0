"""Pages of a list: the `page` and `page_size` parameters, and the X-Total-Count and Link headers.

A Link is relative and looks like Harbor's: `</api/v2.0/projects?page=1&page_size=10>; rel="prev" , <…>; rel="next"`,
parameters in alphabetical order, `page_size` always written out, and the query left readable: only what would break
the URL or the header stays percent-encoded.
"""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, Query
from starlette.requests import Request

MAX_SIZE: Final = 100
_MAX_NUMBER: Final = 2**31 - 1

# RFC 3986 query characters that mean nothing special inside a parameter, plus the brackets and braces of `q=`.
_READABLE: Final = "!$'()*,/:=?@[]{}|~^`"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: page `number` (from 1) of `size` rows."""

    number: int = 1
    size: int = 10

    @property
    def offset(self) -> int:
        """Rows to skip."""
        return (self.number - 1) * self.size


async def _page(
    page: Annotated[int, Query(ge=1, le=_MAX_NUMBER, description="which page, from 1")] = 1,
    page_size: Annotated[
        int, Query(ge=0, le=MAX_SIZE, description="rows on a page; 0 for the most there can be")
    ] = 10,
) -> Page:
    return Page(page, page_size or MAX_SIZE)


Paged = Annotated[Page, Depends(_page)]
"""A handler's parameter for the page that was asked for; a bad value is 422 before the handler runs."""


def page_headers(request: Request, page: Page, total: int) -> dict[str, str]:
    """X-Total-Count and, when there is a neighbour, Link, for the `page` of a list with `total` rows."""
    headers = {"x-total-count": str(total)}
    links = []
    if page.number > 1 and (page.number - 1) * page.size < total:
        links.append(_link(request, page, page.number - 1, "prev"))
    if page.number * page.size < total:
        links.append(_link(request, page, page.number + 1, "next"))
    if links:
        headers["link"] = " , ".join(links)
    return headers


def _link(request: Request, page: Page, number: int, rel: str) -> str:
    asked = [
        (key, value) for key, value in request.query_params.multi_items() if key not in {"page", "page_size"}
    ]
    pairs = sorted([*asked, ("page", str(number)), ("page_size", str(page.size))], key=lambda pair: pair[0])
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe=_READABLE)}" for key, value in pairs)
    # Not request.url.path, which is parsed out of a URL that begins with whatever the Host header says.
    return f'<{quote(request.scope["path"], safe="/:@!$()*,;=+~")}?{query}>; rel="{rel}"'
