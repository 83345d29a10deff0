"""The token dance: a few requests at most, and the password stays home (security case T25)."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from fairway.core.wire.challenge import (
    Grants,
    Login,
    Request,
    Response,
    Scope,
    TokenRequest,
    authorized,
    bearer_challenge,
    may_see_password,
)

REALM = "https://hub.example/service/token"
PULL = "repository:team/app:pull"
LOGIN = Login("robot", "s3cret-canary")
ASK = Request("GET", "https://hub.example/v2/team/app/manifests/latest")


@dataclass
class World:
    """A registry and token services: what each URL answers, and what was sent there."""

    answers: dict[str, Callable[[Request], Response]]
    sent: list[Request] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self.answers[request.url.partition("?")[0]](request)

    def dance(
        self,
        login: Login | None = LOGIN,
        request: Request = ASK,
        *,
        scope: str = PULL,
        grants: Grants | None = None,
        now: float = 1000.0,
        trusted: tuple[str, ...] = (),
    ) -> Response:
        flow = authorized(
            request,
            login,
            scope=scope,
            grants=Grants() if grants is None else grants,
            now=now,
            trusted=trusted,
        )
        upcoming = next(flow)
        while True:
            try:
                upcoming = flow.send(self.send(upcoming))
            except StopIteration as done:
                last: Response = done.value
                return last

    def lines(self) -> list[str]:
        return [f"{request.method} {request.url.partition('?')[0]}" for request in self.sent]


def says(status: int, body: object = None, **headers: str) -> Callable[[Request], Response]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: Response(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, raw
    )


def registry(challenge: str, accepts: str = "Bearer t0ken") -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        if request.headers.get("authorization") == accepts:
            return Response(200, {})
        return Response(401, {"www-authenticate": challenge})

    return answer


def bearer(realm: str = REALM) -> str:
    return bearer_challenge(realm, "hub", [Scope.parse(PULL)])


def form_of(request: Request) -> dict[str, list[str]]:
    return parse_qs(request.body.decode())


def secrets_seen_by(world: World, host: str) -> list[Request]:
    """Requests to a host that carried the password, in whatever coat."""
    coats = [LOGIN.password, b64encode(f"{LOGIN.username}:{LOGIN.password}".encode()).decode()]
    return [
        request
        for request in world.sent
        if urlsplit(request.url).netloc == host
        and any(coat in f"{request.url} {request.headers} {request.body!r}" for coat in coats)
    ]


def test_no_challenge_no_dance() -> None:
    world = World({ASK.url: says(404)})
    assert world.dance().status == 404
    assert world.sent == [ASK]


def test_a_login_is_changed_for_a_token_by_oauth2() -> None:
    world = World(
        {ASK.url: registry(bearer()), REALM: says(200, {"access_token": "t0ken", "expires_in": 300})}
    )
    assert world.dance().status == 200
    assert world.lines() == [f"GET {ASK.url}", f"POST {REALM}", f"GET {ASK.url}"]
    asked = world.sent[1]
    assert isinstance(asked, TokenRequest)
    assert form_of(asked) == {
        "grant_type": ["password"],
        "service": ["hub"],
        "client_id": ["fairway"],
        "scope": [PULL],
        "username": [LOGIN.username],
        "password": [LOGIN.password],
    }


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_where_oauth2_is_not_spoken_the_token_is_fetched_by_get(status: int) -> None:
    def service(request: Request) -> Response:
        return Response(status, {}) if request.method == "POST" else Response(200, {}, b'{"token":"t0ken"}')

    world = World({ASK.url: registry(bearer()), REALM: service})
    assert world.dance().status == 200
    asked = world.sent[2]
    assert isinstance(asked, TokenRequest)
    assert dict(parse_qsl(urlsplit(asked.url).query)) == {
        "service": "hub",
        "scope": PULL,
        "account": LOGIN.username,
        "client_id": "fairway",
    }
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == "robot:s3cret-canary"


def test_without_a_login_an_anonymous_token_is_fetched() -> None:
    world = World({ASK.url: registry(bearer()), REALM: says(200, {"token": "t0ken"})})
    assert world.dance(login=None).status == 200
    assert world.lines() == [f"GET {ASK.url}", f"GET {REALM}", f"GET {ASK.url}"]
    assert "authorization" not in world.sent[1].headers


def test_every_scope_of_the_challenge_is_asked_for() -> None:
    both = [Scope.parse(PULL), Scope.parse("repository:lib/base:pull")]
    world = World(
        {ASK.url: registry(bearer_challenge(REALM, "hub", both)), REALM: says(200, {"token": "t0ken"})}
    )
    world.dance(login=None)
    assert parse_qs(urlsplit(world.sent[1].url).query)["scope"] == [str(scope) for scope in both]


def test_a_challenge_without_scope_is_answered_with_the_expected_one() -> None:
    realm = f"{REALM}?tenant=7"
    world = World({ASK.url: registry(bearer_challenge(realm, "hub")), REALM: says(200, {"token": "t0ken"})})
    world.dance(login=None)
    assert parse_qs(urlsplit(world.sent[1].url).query) == {
        "tenant": ["7"],
        "service": ["hub"],
        "scope": [PULL],
    }


def test_basic_is_answered_with_the_password() -> None:
    accepts = "Basic cm9ib3Q6czNjcmV0LWNhbmFyeQ=="
    world = World({ASK.url: registry('Basic realm="x"', accepts)})
    assert world.dance().status == 200
    assert world.lines() == [f"GET {ASK.url}"] * 2


def test_a_token_is_preferred_to_sending_the_password_every_time() -> None:
    world = World({ASK.url: registry(f'Basic realm="x", {bearer()}'), REALM: says(200, {"token": "t0ken"})})
    assert world.dance().status == 200
    assert secrets_seen_by(world, "hub.example") == [world.sent[1]]


def test_a_grant_is_used_until_it_ends() -> None:
    world = World({ASK.url: registry(bearer()), REALM: says(200, {"token": "t0ken", "expires_in": 100})})
    grants = Grants()
    world.dance(grants=grants, now=1000)
    world.sent.clear()
    assert world.dance(grants=grants, now=1089).status == 200
    assert world.lines() == [f"GET {ASK.url}"]
    world.dance(grants=grants, now=1091)
    assert world.lines()[1:] == [f"GET {ASK.url}", f"POST {REALM}", f"GET {ASK.url}"]


def test_a_grant_is_used_only_for_its_scope() -> None:
    world = World({ASK.url: registry(bearer()), REALM: says(200, {"token": "t0ken"})})
    grants = Grants()
    world.dance(grants=grants)
    assert grants.header(PULL, 1000) == "Bearer t0ken"
    assert grants.header("repository:team/app:push", 1000) == ""


def test_a_refused_grant_is_forgotten_and_asked_for_anew() -> None:
    world = World({ASK.url: registry(bearer()), REALM: says(200, {"token": "t0ken"})})
    grants = Grants()
    grants.keep(PULL, "Bearer old", 9999)
    assert world.dance(grants=grants).status == 200
    assert grants.header(PULL, 1000) == "Bearer t0ken"


def test_there_is_only_one_second_try() -> None:
    world = World({ASK.url: registry(bearer(), accepts="nothing"), REALM: says(200, {"token": "t0ken"})})
    grants = Grants()
    assert world.dance(grants=grants).status == 401
    assert world.lines() == [f"GET {ASK.url}", f"POST {REALM}", f"GET {ASK.url}"]
    assert grants.header(PULL, 1000) == ""


def test_a_wrong_password_is_not_sent_twice_to_a_registry_that_wants_basic() -> None:
    world = World({ASK.url: registry("Basic", accepts="nothing")})
    grants = Grants()
    grants.keep(PULL, "Basic cm9ib3Q6czNjcmV0LWNhbmFyeQ==", 9999)
    assert world.dance(grants=grants).status == 401
    assert world.lines() == [f"GET {ASK.url}"]


def test_grants_are_bounded() -> None:
    grants = Grants(most=2)
    for name in "abc":
        grants.keep(name, f"Bearer {name}", 9999)
    assert [grants.header(name, 0) for name in "abc"] == ["", "Bearer b", "Bearer c"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_service_that_is_down_is_not_taken_for_a_refusal(status: int) -> None:
    assert World({ASK.url: registry(bearer()), REALM: says(status)}).dance().status == status


@pytest.mark.parametrize(
    "grant",
    [
        says(403),
        says(302, None, location="https://evil.example/"),
        says(200, b"<html>"),
        says(200, []),
        says(200, {}),
        says(200, {"token": 7}),
        says(200, {"token": ""}),
        says(200, {"token": "a b"}),
        says(200, {"token": "a\r\nX: y"}),
        says(200, {"token": "é"}),
        says(200, {"token": "x" * 100_000}),
        says(200, b"[" * 100_000),
        says(200, b'{"token":"' + b"x" * 10**6 + b'"}'),
    ],
)
def test_an_answer_that_holds_no_token_leaves_the_401(grant: Callable[[Request], Response]) -> None:
    assert World({ASK.url: registry(bearer()), REALM: grant}).dance().status == 401


@pytest.mark.parametrize("life", [None, -1, 0, True, "300", 1.5, 10**30])
def test_a_strange_life_does_not_make_a_strange_grant(life: object) -> None:
    world = World({ASK.url: registry(bearer()), REALM: says(200, {"token": "t0ken", "expires_in": life})})
    grants = Grants()
    assert world.dance(grants=grants).status == 200
    assert grants.header(PULL, 1040)
    assert not grants.header(PULL, 1000 + 86400)


# ---- where the password may go


@pytest.mark.parametrize(
    ("realm", "trusted", "allowed"),
    [
        ("https://hub.example/token", (), True),
        ("https://hub.example:443/token", (), True),
        ("https://HUB.example/token", (), True),
        ("https://hub.example:8443/token", (), False),
        ("http://hub.example/token", (), False),
        ("https://auth.example/token", (), False),
        ("https://auth.example/token", ("auth.example",), True),
        ("https://auth.example:8443/token", ("auth.example",), False),
        ("https://auth.example:8443/token", ("auth.example:8443",), True),
        ("http://auth.example/token", ("auth.example",), False),
        ("https://hub.example.evil.example/token", (), False),
        ("https://evil.example/hub.example", (), False),
        ("https://sub.hub.example/token", (), False),
    ],
)
def test_a_token_service_sees_the_password_only_at_home_or_by_allowance(
    realm: str, trusted: tuple[str, ...], allowed: bool
) -> None:
    assert may_see_password(realm, ASK.url, trusted) is allowed


def test_a_realm_elsewhere_is_asked_anonymously() -> None:
    evil = "https://evil.example/token"
    world = World({ASK.url: registry(bearer(evil)), evil: says(200, {"token": "t0ken"})})
    assert world.dance().status == 200
    assert world.lines()[1] == f"GET {evil}"
    assert LOGIN.username not in world.sent[1].url
    assert secrets_seen_by(world, "evil.example") == []


def test_a_listed_host_gets_the_login() -> None:
    other = "https://auth.example/token"
    world = World({ASK.url: registry(bearer(other)), other: says(200, {"token": "t0ken"})})
    assert world.dance(trusted=("auth.example",)).status == 200
    assert secrets_seen_by(world, "auth.example")


@pytest.mark.parametrize(
    "realm",
    [
        "http://hub.example/token",
        "https://hub.example@evil.example/token",
        "https://evil.example\\@hub.example/token",
        "https://hub.example\\.evil.example/",
        "https://hub.example:99999/token",
        "https://[::1/token",
        "https://hub.example/token#x",
        "https:///token",
        "https:hub.example",
        "//hub.example/token",
        "/token",
        "ftp://hub.example/token",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://hub.example/a b",
        "https://hüb.example/token",
        "",
    ],
)
def test_a_realm_that_is_no_plain_url_is_not_visited(realm: str) -> None:
    escaped = realm.replace("\\", "\\\\")
    world = World({ASK.url: registry(f'Bearer realm="{escaped}",service="hub"')})
    assert world.dance().status == 401
    assert world.sent == [ASK]


def test_plain_http_is_answered_over_plain_http() -> None:
    ask, realm = Request("GET", "http://localhost:5000/v2/"), "http://localhost:5000/token"
    world = World({ask.url: registry(bearer(realm)), realm: says(200, {"token": "t0ken"})})
    assert world.dance(request=ask).status == 200


def test_secrets_do_not_show_in_a_repr() -> None:
    request = TokenRequest("POST", REALM, {"authorization": "Basic c2VjcmV0"}, b"password=s3cret-canary")
    response = Response(200, {}, b'{"token":"s3cret-canary"}')
    shown = repr([LOGIN, request, response])
    assert "s3cret" not in shown
    assert "c2VjcmV0" not in shown
