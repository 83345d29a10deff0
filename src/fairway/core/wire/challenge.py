"""The token dance: how a registry asks who is there, and how a client answers (RFC 9110 §11, distribution token spec).

Both sides' grammar is here: the server writes its challenge with `bearer_challenge` and reads `Scope`s, the client
reads challenges with `parse_challenge` and answers them with `authorized`, which does no I/O: it yields requests and
is sent responses.  Theory of operation:

    request ──▶ registry ── 200 ──▶ done
                         ── 401 Basic  ──▶ the same request with the password
                         ── 401 Bearer ──▶ TokenRequest to the realm ──▶ the same request with the token

An upstream chooses the realm, so it could choose one that collects passwords (CVE-2026-33540).  The password goes to
the realm only if that is the registry's own origin or a host its operator listed; otherwise we ask anonymously.
"""

import math
import re
from base64 import b64encode
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from fairway.core.oci.json import JsonInvalid, loads

CLIENT_ID = "fairway"
MAX_GRANT = 128 * 1024

_MAX_HEADER = 8192
_MAX_TOKEN = 32 * 1024
_DEFAULT_LIFE = 60  # seconds, when the token service does not say (token spec, "expires_in")
_LONGEST_LIFE = 86400
_MARGIN = 10  # seconds before its end from which a grant is no longer used
_NO_OAUTH = (400, 401, 404, 405)

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110 §5.6.2)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
# Commas between parameters, and quotes around values, may be missing: some registries forget them.
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^ \t,"]+))')
_ESCAPED = re.compile(r"\\(.)")
_VISIBLE = re.compile(r"[!-~]+")
_REALM = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:[/?][!\"$-\[\]-~]*)?")
_SCOPE_TYPE = re.compile(r"[a-z0-9]+(?:\([a-z0-9]+\))?")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate that a server offers: scheme and parameter names in lower case."""

    scheme: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is asked to allow: `repository:a/b:pull,push`."""

    type: str
    name: str
    actions: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Type up to the first colon, actions after the last: a name may hold `host:port`.  Raises ValueError."""
        kind, colon, rest = text.partition(":")
        name, second, actions = rest.rpartition(":")
        if not (colon and second and name and _SCOPE_TYPE.fullmatch(kind)):
            raise ValueError(f"{text[:80]!r} is not a scope: write <type>:<name>:<action>,<action>")
        return cls(kind, name, frozenset(filter(None, actions.split(","))))

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(sorted(self.actions))}"


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """The scopes of all `scope` parameters of a request; each may hold several.  What is no scope is left out."""
    scopes = []
    for text in " ".join(values).split(" "):
        try:
            scopes.append(Scope.parse(text))
        except ValueError:
            continue
    return scopes


def bearer_challenge(realm: str, service: str, scopes: Iterable[Scope] = (), error: str = "") -> str:
    """The `WWW-Authenticate` value that sends a client to our token service.

    `error` is "", or for a request that brought a token `invalid_token` or `insufficient_scope` (RFC 6750 §3.1).
    """
    params = {"realm": realm, "service": service, "scope": " ".join(map(str, scopes)), "error": error}
    return "Bearer " + ",".join(f"{name}={_quoted(value)}" for name, value in params.items() if value)


def _quoted(value: str) -> str:
    """A quoted-string; what cannot stand in one is left out, so that no value ends the header early."""
    kept = "".join(char for char in value if " " <= char <= "~")
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_challenge(header: str) -> list[Challenge]:
    """The challenges of a `WWW-Authenticate` value, as far as it can be read; several header lines joined by commas.

    A parameter given twice keeps its first value.  A token68 (as in `Negotiate`) is passed over.
    """
    challenges: list[Challenge] = []
    params: dict[str, str] = {}
    header = header[:_MAX_HEADER]
    position = 0
    while True:
        while position < len(header) and header[position] in " \t,":
            position += 1
        if challenges and (parameter := _PARAMETER.match(header, position)):
            name, quoted, plain = parameter.groups()
            params.setdefault(name.lower(), plain or _ESCAPED.sub(r"\1", quoted))
            position = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            params = {}
            challenges.append(Challenge(scheme[1].lower(), params))
            token68 = _TOKEN68.match(header, scheme.end())
            position = token68.end() if token68 else scheme.end()
        else:
            return challenges


@dataclass(frozen=True, slots=True)
class Login:
    """What the client was given to prove who it is."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send.  Header names are in lower case; only a body that can be sent twice belongs in one."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def with_header(self, name: str, value: str) -> Self:
        """The same request with one header more, or another value for it."""
        return replace(self, headers={**self.headers, name: value})


class TokenRequest(Request):
    """A request to the token service.  Whoever sends it reads at most MAX_GRANT bytes of the answer's body into the
    Response, and follows no redirect: the password would go along."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.  Header names are in lower case, repeated lines joined by commas.

    The body is looked at only in answers to a TokenRequest.  `handle` is for the one who sends: it comes back as it is.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    handle: Any = None


class Grants:
    """`Authorization` values won from one registry with one login, by the scope each is good for."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._held: dict[str, tuple[str, float]] = {}

    def header(self, scope: str, now: float) -> str:
        """The value to send for `scope`, or "" when there is none with some life left.  `now` is in seconds."""
        value, until = self._held.get(scope, ("", 0.0))
        return value if now < until - _MARGIN else ""

    def keep(self, scope: str, value: str, until: float) -> None:
        """Remember a value until then; over `most`, the one kept longest is forgotten."""
        self._held.pop(scope, None)
        self._held[scope] = (value, until)
        if len(self._held) > self._most:
            del self._held[next(iter(self._held))]

    def drop(self, scope: str) -> None:
        """Forget a value that was refused."""
        self._held.pop(scope, None)


Flow = Generator[Request, Response, Response]


def authorized(
    request: Request,
    login: Login | None,
    *,
    scope: str,
    grants: Grants,
    now: float,
    trusted: Collection[str] = (),
) -> Flow:
    """Send `request` to the registry that `login` is for, answering one 401 challenge if it asks.

    `scope` is what the caller expects to need and what the grant is kept under; a challenge may ask for more.
    `trusted` are the hosts (`host` or `host:port`, HTTPS only) besides the registry itself whose token service may
    see the password.  Returns the last answer about `request`, or that of a token service that is down or busy.
    """
    held = grants.header(scope, now)
    answer = yield (request.with_header("authorization", held) if held else request)
    if answer.status != 401:
        return answer
    grants.drop(scope)
    offers = {
        offer.scheme: offer.params for offer in parse_challenge(answer.headers.get("www-authenticate", ""))
    }
    if "bearer" in offers and _acceptable(offers["bearer"].get("realm", ""), request.url):
        offer = offers["bearer"]
        shown = login if may_see_password(offer["realm"], request.url, trusted) else None
        grant = yield from _ask(offer, scope, shown)
        if grant.status == 429 or grant.status >= 500:
            return grant
        value, until = _read_grant(grant, now)
    elif "basic" in offers and login is not None:
        value, until = _basic(login), math.inf
    else:
        return answer
    if value in ("", held):
        return answer
    answer = yield request.with_header("authorization", value)
    if answer.status != 401:
        grants.keep(scope, value, until)
    return answer


def may_see_password(realm: str, registry: str, trusted: Collection[str]) -> bool:
    """Whether the token service at `realm` may see the password for the registry at `registry` (both URLs)."""
    scheme, host, port = _origin(realm)
    if (scheme, host, port) == _origin(registry):
        return True
    return scheme == "https" and (f"{host}:{port}" in trusted or (port == 443 and host in trusted))


def _acceptable(realm: str, registry: str) -> bool:
    """Whether `realm` is a plain URL, and not an unencrypted one where the registry is encrypted."""
    if _REALM.fullmatch(realm) is None:
        return False
    try:
        scheme = _origin(realm)[0]
    except ValueError:
        return False
    return scheme == "https" or _origin(registry)[0] == "http"


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _ask(offer: Mapping[str, str], scope: str, login: Login | None) -> Flow:
    """A token from the offer's realm: by OAuth2 with a login, else or when that is not spoken there by GET."""
    realm, service = offer["realm"], offer.get("service", "")
    wanted = (offer.get("scope") or scope).split()
    query = [("service", service), *(("scope", one) for one in wanted)]
    if login is None:
        return (yield _get_token(realm, query))
    form = {
        "grant_type": "password",
        "service": service,
        "client_id": CLIENT_ID,
        "scope": " ".join(wanted),
        "username": login.username,
        "password": login.password,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    grant = yield TokenRequest("POST", realm, headers, urlencode(form).encode("ascii"))
    if grant.status not in _NO_OAUTH:
        return grant
    request = _get_token(realm, [*query, ("account", login.username), ("client_id", CLIENT_ID)])
    return (yield request.with_header("authorization", _basic(login)))


def _get_token(realm: str, query: Sequence[tuple[str, str]]) -> TokenRequest:
    return TokenRequest("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}")


def _basic(login: Login) -> str:
    return "Basic " + b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")


def _read_grant(grant: Response, now: float) -> tuple[str, float]:
    """The `Authorization` value of a token service's answer and when it ends; ("", now) when there is none."""
    if grant.status != 200:
        return "", now
    try:
        body = loads(grant.body, max_bytes=MAX_GRANT, max_depth=16, max_members=1000)
    except JsonInvalid:
        return "", now
    if not isinstance(body, dict):
        return "", now
    token, life = body.get("access_token") or body.get("token"), body.get("expires_in")
    if not isinstance(token, str) or len(token) > _MAX_TOKEN or _VISIBLE.fullmatch(token) is None:
        return "", now
    if type(life) is not int or life <= 0:
        life = _DEFAULT_LIFE
    return f"Bearer {token}", now + min(life, _LONGEST_LIFE)
