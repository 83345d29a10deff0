"""harborapi as it is on PyPI, watched: each answer it gets has the exact status Harbor's inventory names, and Harbor's form."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import httpx
from harborapi import HarborAsyncClient

from hub import PASSWORD, Hub
from inventory import MOMENT

API = "/api/v2.0"
_SECONDS = 60
_SUCCESS = {"GET": 200, "HEAD": 200, "PUT": 200, "PATCH": 200, "DELETE": 200, "POST": 201}
_POSTS_WITH_200 = re.compile(r"/metadatas|/artifacts/[^/]+/labels")
"""Where Harbor makes something and says 200 all the same."""

_NOWHERE = ("/schedule", "/tags")
"""What is made there has no place of its own."""


class Watched:
    """One user of one hub.  `api` is the client; `refused` counts what was asked in order to be told no."""

    def __init__(self, hub: Hub, user: str, password: str) -> None:
        self.api = HarborAsyncClient(
            url=f"{hub.url}{API}", username=user, secret=password, retry=None, timeout=_SECONDS
        )
        self.api.client.event_hooks = {"response": [self._see]}
        self.answers: list[httpx.Response] = []

    async def _see(self, answer: httpx.Response) -> None:
        await answer.aread()
        self.answers.append(answer)

    def complaints(self) -> list[str]:
        """What is not as Harbor has it, of the answers that were no refusals."""
        return [
            f"{answer.request.method} {unquote(answer.request.url.path)} {answer.status_code}: {wrong}"
            for answer in self.answers
            if answer.status_code < 400
            for wrong in _wrong(answer)
        ]


@asynccontextmanager
async def logged_in(
    hub: Hub, user: str = "admin", password: str = PASSWORD
) -> AsyncIterator[HarborAsyncClient]:
    """The client of somebody; afterwards every answer it got is judged."""
    watched = Watched(hub, user, password)
    try:
        yield watched.api
    finally:
        await watched.api.client.aclose()
    assert watched.answers
    complaints = watched.complaints()
    assert not complaints, complaints


def _wrong(answer: httpx.Response) -> Iterator[str]:
    method, path = answer.request.method, answer.request.url.path.removeprefix(API)
    success = _SUCCESS[method]
    if method == "POST" and _POSTS_WITH_200.search(path):
        success = 200
    if answer.status_code != success:
        yield f"should be {success}"
    placed = answer.headers.get("location", "").startswith(f"{API}/") or path.endswith(_NOWHERE)
    if success == 201 and not placed:
        yield "has no Location"
    if not answer.headers.get("x-request-id"):
        yield "has no X-Request-Id"
    if answer.headers.get("content-type", "").startswith("application/json"):
        content = answer.json()
        yield from _wrong_times(content)
        paged = isinstance(content, list) and "page_size" in answer.request.url.params
        if paged and not answer.headers.get("x-total-count", "").isdecimal():
            yield "has no X-Total-Count"


def _wrong_times(content: Any, name: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _wrong_times(value, key)
    elif isinstance(content, list):
        for value in content:
            yield from _wrong_times(value, name)
    elif name.endswith("_time") and not MOMENT.fullmatch(str(content)):
        yield f"{name} is {content!r}"
