"""The token service: credentials and wishes in, a short-lived token with requested ∩ granted out.

GET as docker does it, POST as OAuth2 (password and refresh_token grants) as containerd and others do.  A wrong password
is 401 and never an anonymous token.  Asking for more than one may have is no error: the token says what it is good for,
and a repository that was asked for and refused is listed without actions, whether it exists or not.

Sources: distribution's token specifications (token.md, oauth.md); RFC 6749 §4.3, §6.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeGuard
from urllib.parse import parse_qs

from fairway.core.oci.errors import (
    BadRequest,
    BodyTooLarge,
    FairwayError,
    MethodNotAllowed,
    NameInvalid,
    Unauthorized,
)
from fairway.core.oci.names import Repository
from fairway.core.tokens import Access, Token, sign
from fairway.core.wire.bodies import Body, Message, Receive, in_time
from fairway.core.wire.challenge import Scope, parse_scopes
from fairway.core.wire.replies import Reply, Send, error_reply, json_reply, send_reply
from fairway.core.wire.server import App, headers_of
from fairway.features.accounts.store import refresh
from fairway.features.projects.rules import is_name
from fairway.features.projects.store import projects
from fairway.features.registry import rights
from fairway.features.registry.hub import ISSUER, SERVICE, Hub
from fairway.features.registry.origin import Origin
from fairway.features.registry.sight import sight_in
from fairway.frame.access.may import may
from fairway.frame.access.principals import ANONYMOUS, Anonymous, Principal, Robot, User, narrowed_to
from fairway.frame.log import get_logger
from fairway.frame.metrics import metrics

_log = get_logger(__name__)
_MAX_FORM = 64 * 1024
_MAX_FIELDS = 200
_MAX_SCOPES = 100
_MAX_CLIENT_ID = 255
_NO_STORE = (b"cache-control", b"no-store")
_OPERATION = "token"
_LOG_IN = 'Basic realm="fairway"'

Fields = Mapping[str, Sequence[str]]


def token_routes(hub: Hub, origin: Origin) -> App:
    """The ASGI app for /service/token."""
    counted = metrics()
    counted.know_operations([_OPERATION])

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        started = hub.clock()
        try:
            reply = await _answer(hub, origin, scope, receive)
        except Unauthorized as error:
            error.challenge = error.challenge or _LOG_IN
            reply = error_reply(error, None)
        except FairwayError as error:
            reply = error_reply(error, None)
        except Exception as error:  # noqa: BLE001 - whatever it was, its detail stays in the house
            counted.unexpected_error(_OPERATION)
            _log.error("token request failed", exc_info=error)
            reply = error_reply(FairwayError("the token service failed; the operator's log says more"), None)
        await send_reply(reply, scope, receive, send)
        counted.request_finished(scope["method"], _OPERATION, reply.status, hub.clock() - started)

    return app


async def _answer(hub: Hub, origin: Origin, scope: Message, receive: Receive) -> Reply:
    headers = headers_of(scope)
    peer = scope["client"][0] if scope.get("client") else ""
    client = origin.client(headers.get("x-forwarded-for", ""), peer)
    query = _fields(scope["query_string"].decode("latin-1"))
    match scope["method"]:
        case "GET":
            return await _by_get(hub, query, headers, client)
        case "POST":
            body = Body(receive, "POST", headers, scope["http_version"])
            form = _fields((await _read(body)).decode("utf-8", "replace"))
            return await _by_post(hub, {**query, **form}, headers, client)
        case _:
            raise MethodNotAllowed("ask for a token with GET or POST", allowed=("GET", "POST"))


async def _read(body: Body) -> bytes:
    read = b""
    async with in_time():
        async for piece in body:
            read += piece
            if len(read) > _MAX_FORM:
                raise BodyTooLarge(f"a token request may have up to {_MAX_FORM} bytes")
    return read


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, max_num_fields=_MAX_FIELDS, errors="replace")
    except ValueError:
        raise BadRequest(f"a token request may have up to {_MAX_FIELDS} fields") from None


def _field(fields: Fields, name: str) -> str:
    return fields.get(name, ("",))[0]


async def _by_get(hub: Hub, query: Fields, headers: Mapping[str, str], client: str) -> Reply:
    _check_service(query)
    principal = await _identified(hub, headers, client)
    scopes = _scopes(query)
    if principal is ANONYMOUS and not scopes:
        raise Unauthorized("log in: send a user name and password", challenge=_LOG_IN)
    granted = await _granted(hub, principal, scopes)
    answer = _issue(hub, principal, granted)
    if _field(query, "offline_token") in ("true", "1") and _may_stay(principal):
        answer["refresh_token"] = await _refresh_token(hub, principal, _client_id(query))
    return json_reply(200, answer, _NO_STORE)


async def _by_post(hub: Hub, form: Fields, headers: Mapping[str, str], client: str) -> Reply:
    _check_service(form)
    refresh = ""
    match _field(form, "grant_type"):
        case "password":
            username, password = _field(form, "username"), _field(form, "password")
            principal: Principal = await hub.who.password(username, password, client)
        case "refresh_token":
            refresh = _field(form, "refresh_token")
            principal = await _refreshed(hub, refresh)
        case "" if "authorization" in headers:
            principal = await _identified(hub, headers, client)
        case _:
            raise BadRequest("grant_type must be password or refresh_token")
    granted = await _granted(hub, principal, _scopes(form))
    answer = _issue(hub, principal, granted)
    answer["scope"] = " ".join(
        str(Scope(access.type, access.name, access.actions)) for access in granted if access.actions
    )
    if refresh:
        answer["refresh_token"] = refresh
    elif _field(form, "access_type") == "offline" and _may_stay(principal):
        answer["refresh_token"] = await _refresh_token(hub, principal, _client_id(form))
    return json_reply(200, answer, _NO_STORE)


def _may_stay(principal: Principal) -> TypeGuard[User]:
    """A refresh token is for who showed a password: for a personal access token it would outlive it, and be all of them."""
    return isinstance(principal, User) and principal.scope is None


def _check_service(fields: Fields) -> None:
    service = _field(fields, "service")
    if service not in ("", SERVICE):
        raise BadRequest(f"this token service is {SERVICE!r}, not {service[:64]!r}")


def _client_id(fields: Fields) -> str:
    client = _field(fields, "client_id")
    if len(client) > _MAX_CLIENT_ID or not client.isprintable():
        raise BadRequest(f"client_id may have up to {_MAX_CLIENT_ID} printable characters")
    return client


def _scopes(fields: Fields) -> list[Scope]:
    scopes = parse_scopes(fields.get("scope", ()))
    if len(scopes) > _MAX_SCOPES:
        raise BadRequest(f"a token may be asked for up to {_MAX_SCOPES} scopes")
    return scopes


async def _identified(hub: Hub, headers: Mapping[str, str], client: str) -> Principal:
    identity = await hub.who.identify(headers, client)
    if identity.token is not None:
        raise Unauthorized("a token cannot be had for a token; send a user name and password")
    return identity.principal


async def _refreshed(hub: Hub, secret: str) -> Principal:
    """Whose token it is, whichever client sends it: what `docker login` was given serves docker's own engine, containerd
    and all who read docker's logins, each under another client_id.  That is a name and no secret (RFC 6749 §2.2)."""
    found = await refresh.find(hub.token_db, secret)
    if found is None or found.service != SERVICE:
        raise Unauthorized("this refresh token is not valid any more; log in again")
    return found.account.user


async def _refresh_token(hub: Hub, user: User, client_id: str) -> str:
    secret = secrets.token_urlsafe(32)
    made = await hub.token_db.write(
        lambda conn: refresh.create(
            conn,
            user,
            secret,
            service=SERVICE,
            client_id=client_id,
            seconds=hub.refresh_token_seconds,
        )
    )
    if not made:
        raise Unauthorized("the password was changed just now, or the account closed; log in again")
    return secret


async def _granted(hub: Hub, principal: Principal, scopes: Sequence[Scope]) -> list[Access]:
    """requested ∩ granted, an entry per repository asked for; several scopes on one repository add up."""
    asked: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        key = scope.type, scope.name
        asked[key] = asked.get(key, frozenset()) | scope.actions
    granted = []
    for (kind, name), actions in asked.items():
        if kind == "repository":
            access = await _repository_access(hub, principal, name, actions)
            if access is not None:
                granted.append(access)
        elif (kind, name) == rights.CATALOG:
            may_list = "*" in actions and may(principal, rights.CATALOG_PERMISSION)
            granted.append(Access(kind, name, frozenset({"*"}) if may_list else frozenset()))
    return granted


async def _repository_access(
    hub: Hub, principal: Principal, name: str, actions: frozenset[str]
) -> Access | None:
    try:
        repo = Repository(name)
    except NameInvalid:
        return None
    facts = await projects.facts(hub.token_db, principal, repo.project)
    allowed = rights.allowed(principal, actions, facts, repo.rest)
    unseen = facts is None or not may(principal, rights.PERMISSIONS[rights.PULL], facts, repo.rest)
    if unseen and hub.makes_projects_for(principal) and is_name(repo.project):
        # A first push will make the project and ask again then.  So it is with one that is hidden, which the push will
        # refuse: the token must not say which of the two it is.
        return Access("repository", repo, actions & {rights.PULL, rights.PUSH})
    # By a project's id a token opens all its blobs: whoever does not see them all is decided about at each use.
    opens = facts is not None and bool(allowed) and sight_in(principal, facts) is None
    return Access("repository", repo, allowed, facts.id if facts is not None and opens else None)


def _issue(hub: Hub, principal: Principal, access: Sequence[Access]) -> dict[str, Any]:
    now, life = int(hub.clock()), hub.token_life
    token = Token(
        subject="" if isinstance(principal, Anonymous) else principal.name,
        subject_id=principal.id if isinstance(principal, User) else 0,
        robot_id=principal.id if isinstance(principal, Robot) else 0,
        personal_id=scope.token if (scope := narrowed_to(principal)) else 0,
        issuer=ISSUER,
        audience=SERVICE,
        access=tuple(access),
        issued_at=now,
        expires_at=now + life,
        id=secrets.token_hex(8),
    )
    text = sign(hub.keys, token)
    return {
        "token": text,
        "access_token": text,
        "expires_in": life,
        "issued_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
