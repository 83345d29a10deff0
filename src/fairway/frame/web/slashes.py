"""Slashes in repository names that a client has encoded once, `%2F`, where Harbor's API wants them encoded twice.

The server decodes the path before anybody can tell such a slash from one between two segments, so the path is made again
from what was sent.  Below a project's repositories only: elsewhere no parameter has slashes.
"""

import re
from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_BELOW: Final = re.compile(rb"(/api/v2\.0/projects/[^/]+/repositories/)(.+)", re.DOTALL)
_SLASH: Final = re.compile(rb"%2f", re.IGNORECASE)


class EncodedSlashes:
    """ASGI middleware: `%2F` in a repository's name stays as it is for the router, as if it had been sent as `%252F`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        below = _BELOW.fullmatch(scope.get("raw_path") or b"") if scope["type"] == "http" else None
        if below is not None and _SLASH.search(below[2]):
            scope["path"] = unquote((below[1] + _SLASH.sub(b"%252F", below[2])).decode("latin-1"))
        await self.app(scope, receive, send)
