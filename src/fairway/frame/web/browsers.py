"""Requests of browsers: the cookie of a session, and whether it was our own page that asked.

A browser sends the cookie along whoever made it ask, also a page of somebody else's.  So a request that can change
something needs more: it must not come from elsewhere (`Origin`, `Sec-Fetch-Site`, which pages cannot forge), and it must
carry in `X-Harbor-CSRF-Token` what only our page can have read, in the header of the same name of any reply to its session.

`identify` is the only way from a cookie to somebody, and it has checked all this when it answers: no route can forget to.
The token is an HMAC of the session under the installation's secret key, so every process knows it and none keeps it.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairway.frame.access.principals import Session
from fairway.frame.web.errors import Forbidden

COOKIE: Final = "sid"
TOKEN_HEADER: Final = "X-Harbor-CSRF-Token"  # noqa: S105 - its name
BACKGROUND_HEADER: Final = "X-Harbor-No-Session-Renewal"
READS: Final = frozenset({"GET", "HEAD"})
"""The methods of requests that change nothing."""
_MIN_KEY_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bit


class Sessions(Protocol):
    """Where sessions are kept."""

    async def find(self, secret: str) -> Session | None:
        """The session with this secret, while it is good."""

    async def used(self, session: Session) -> None:
        """It was used just now."""


OriginOf = Callable[[Mapping[str, str], str], str]
"""(headers, the peer's address) → scheme and host under which the client knows us."""


class Browsers:
    """Tells who a browser's request is from, if that is its own."""

    def __init__(self, keys: Sequence[bytes], origin_of: OriginOf, sessions: Sessions) -> None:
        """`keys`: the secret keys, the one in use first.  Raises ValueError for none, or one of less than 32 bytes."""
        if not keys or any(len(key) < _MIN_KEY_BYTES for key in keys):
            raise ValueError(f"tokens of sessions need a key, of at least {_MIN_KEY_BYTES} bytes")
        self._keys = tuple(digest(key, b"fairway session tokens v1", sha256) for key in keys)
        self._origin_of = origin_of
        self._sessions = sessions

    async def identify(self, request: Request) -> Session | None:
        """The session of the request's cookie; None without a good one.

        Raises Forbidden for a request that can change something and comes from another site's page, whether there is a
        session or not, and for one with a session and without its token.
        """
        changes = request.method not in READS
        if changes:
            self.refuse_others(request)
        secret = cookie_of(request)
        session = await self._sessions.find(secret) if secret else None
        if session is None:
            return None
        hand_out(request, self.token(session.key))
        if changes and not self._is_token(request.headers.get(TOKEN_HEADER, ""), session.key):
            raise Forbidden(
                f"a request that can change something and is logged in by a cookie needs the header {TOKEN_HEADER}: send "
                "the value that this reply has in it, or log in with each request (Basic) and without the cookie"
            )
        if request.headers.get(BACKGROUND_HEADER, "").lower() != "true":
            await self._sessions.used(session)
        return session

    def refuse_others(self, request: Request) -> None:
        """Raise Forbidden when the request comes from a page of another site."""
        if self._is_foreign(request):
            raise Forbidden(
                "this request comes from a page of another site; open this server's own address. If that is where you are, "
                "FAIRWAY_EXTERNAL_URL is not what the browser has in its address line: the operator has to set it, or the "
                "proxy in front has to pass on the Host header"
            )

    def is_secure(self, request: Request) -> bool:
        """Whether browsers reach us by https."""
        return self._ours(request).startswith("https://")

    def token(self, key: str) -> str:
        """What has to come with requests of the session that has this key."""
        return _token(self._keys[0], key)

    def _is_token(self, said: str, key: str) -> bool:
        """Also by a former secret key: pages that are open must outlive its replacement."""
        return any(compare_digest(said.encode(), _token(each, key).encode()) for each in self._keys)

    def _is_foreign(self, request: Request) -> bool:
        headers = request.headers
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return True
        origins = headers.getlist("origin")
        if not origins:
            return False  # no browser, or a very old one: the cookie's SameSite and the token are left
        ours = self._ours(request)
        asking = [_plain(each) for each in origins]
        if asking == [_plain(ours)]:
            return False
        scheme, _, host = asking[0].partition("://")
        same_host = host == _plain(f"{scheme}://{headers.get('host', '')}").partition("://")[2]
        downgraded = scheme != "https" and ours.startswith("https://")
        return len(asking) > 1 or scheme not in ("http", "https") or not same_host or downgraded

    def _ours(self, request: Request) -> str:
        return self._origin_of(request.headers, request.client.host if request.client else "")


def _token(key: bytes, session: str) -> str:
    return urlsafe_b64encode(digest(key, session.encode(), sha256)).rstrip(b"=").decode()


def _plain(origin: str) -> str:
    """Scheme and host in lower case, without a port that goes without saying; "" for what is no such thing."""
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port
    except ValueError:
        return ""
    if not parts.hostname or parts.username is not None:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


# ------------------------------------------------------------------------------------------ cookies


def cookie_of(request: Request) -> str:
    """The secret in the request's cookie; "" when there is none, or when there are several different ones: one of them
    was then planted by another site of the same domain."""
    pairs = (
        pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";")
    )
    found = {value.strip().strip('"') for name, _, value in pairs if name.strip() == COOKIE}
    if len(found) != 1:
        return ""
    (said,) = found
    return said if _SECRET.fullmatch(said) else ""


def set_cookie(secret: str, *, secure: bool) -> str:
    """The Set-Cookie header for a session, or with "" to end it.  It lasts as long as the browser is open."""
    ended = "" if secret else "; Max-Age=0"
    return f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}{ended}"


# --------------------------------------------------------------------------------------- handing out


def hand_out(request: Request, token: str) -> None:
    """Let the reply carry this token."""
    request.state.session_token = token


class HandsOutTokens:
    """ASGI middleware: every reply to a session carries its token, errors too, and stays out of every cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})

        async def with_token(message: Message) -> None:
            token = state.get("session_token")
            if token and message["type"] == "http.response.start":
                kept = [each for each in message.get("headers", ()) if each[0].lower() != b"cache-control"]
                message["headers"] = [
                    *kept,
                    (TOKEN_HEADER.lower().encode(), token.encode()),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await self.app(scope, receive, with_token)
