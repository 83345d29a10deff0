"""The manual of the API as a page, under the path Harbor has its own at: what `openapi.json` says, to look at and to search.

Nothing in it comes from elsewhere or from what users wrote, and the browser is told to load nothing else.
"""

from importlib.resources import files
from typing import Final

from fairway.core.oci.errors import MethodNotAllowed
from fairway.core.wire.bodies import Message, Receive
from fairway.core.wire.replies import Reply, Send, error_reply, send_reply
from fairway.core.wire.server import App

PATH: Final = "/devcenter-api-2.0"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}


_METHODS: Final = ("GET", "HEAD")
_OTHER: Final = MethodNotAllowed("this is a page to read; ask for it with GET", allowed=_METHODS)


def manual_pages() -> dict[str, App]:
    """The page and what it loads, by path."""
    return {
        PATH if name == "page.html" else f"{PATH}/{name}": _file(name, kind) for name, kind in _TYPES.items()
    }


def _file(name: str, kind: str) -> App:
    body = files(__name__).joinpath(name).read_bytes()
    headers = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", b"%d" % len(body)),
        (b"content-security-policy", _POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
    ]
    reply = Reply(200, headers, body)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        known = scope["method"] in _METHODS
        await send_reply(reply if known else error_reply(_OTHER, None), scope, receive, send)

    return app
