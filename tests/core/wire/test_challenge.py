"""Challenges and scopes: what we write is read back, what others write is read as far as it makes sense (T12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.wire.challenge import (
    Challenge,
    Scope,
    bearer_challenge,
    parse_challenge,
    parse_scopes,
)

REALM = "https://hub.example/service/token"

# ---- scopes


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:team/app:pull", Scope("repository", "team/app", frozenset({"pull"}))),
        ("repository:team/app:pull,push", Scope("repository", "team/app", frozenset({"pull", "push"}))),
        ("repository:host:5000/team/app:*", Scope("repository", "host:5000/team/app", frozenset({"*"}))),
        ("repository:[::1]:5000/a:pull", Scope("repository", "[::1]:5000/a", frozenset({"pull"}))),
        ("repository(plugin):a:pull", Scope("repository(plugin)", "a", frozenset({"pull"}))),
        ("registry:catalog:*", Scope("registry", "catalog", frozenset({"*"}))),
        ("repository:a:", Scope("repository", "a", frozenset())),
        ("repository:a:,pull,", Scope("repository", "a", frozenset({"pull"}))),
    ],
)
def test_a_scope_is_read_from_both_ends(text: str, scope: Scope) -> None:
    assert Scope.parse(text) == scope
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize(
    "text", ["", ":", "::", "repository", "repository:a", "repository::pull", ":a:pull", "Bad:a:b"]
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a scope"):
        Scope.parse(text)


def test_scopes_come_in_one_parameter_or_in_several() -> None:
    expected = [Scope.parse("repository:a:pull"), Scope.parse("repository:b:push")]
    assert parse_scopes(["repository:a:pull repository:b:push"]) == expected
    assert parse_scopes(["repository:a:pull", "nonsense", "", " repository:b:push "]) == expected


# ---- challenges

visible = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30)
scopes = st.builds(
    Scope,
    st.sampled_from(["repository", "registry"]),
    st.sampled_from(["a", "team/app", "host:5000/a"]),
    st.frozensets(st.sampled_from(["pull", "push", "delete", "*"])),
)


@given(
    visible,
    visible,
    st.lists(scopes, max_size=3),
    st.sampled_from(["", "invalid_token", "insufficient_scope"]),
)
def test_our_challenge_is_read_back(realm: str, service: str, wanted: list[Scope], error: str) -> None:
    params = {"realm": realm, "service": service, "scope": " ".join(map(str, wanted)), "error": error}
    expected = Challenge("bearer", {name: value for name, value in params.items() if value})
    assert parse_challenge(bearer_challenge(realm, service, wanted, error)) == [expected]


def test_our_challenge_is_written_as_clients_expect_it() -> None:
    wanted = [Scope.parse("repository:a/b:push,pull"), Scope.parse("repository:c/d:pull")]
    assert bearer_challenge(REALM, "harbor-registry", wanted) == (
        'Bearer realm="https://hub.example/service/token",service="harbor-registry",'
        'scope="repository:a/b:pull,push repository:c/d:pull"'
    )


def test_nothing_ends_our_challenge_early() -> None:
    header = bearer_challenge('x"\r\nSet-Cookie: a=b', "é")
    assert not set("\r\né") & set(header)
    assert (
        parse_challenge(header) == [Challenge("bearer", {"realm": 'x"Set-Cookie: a=b'})]
        or "service" in header
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [Challenge("basic", {})]),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("BEARER Realm=x", [Challenge("bearer", {"realm": "x"})]),
        ('Bearer realm = "x" , service="y"', [Challenge("bearer", {"realm": "x", "service": "y"})]),
        ('Bearer realm="x" service="y"', [Challenge("bearer", {"realm": "x", "service": "y"})]),
        (
            "Bearer realm=https://hub.example/token",
            [Challenge("bearer", {"realm": "https://hub.example/token"})],
        ),
        ('Bearer realm="a, Basic b=\\"c\\""', [Challenge("bearer", {"realm": 'a, Basic b="c"'})]),
        ('Bearer realm="x",realm="y"', [Challenge("bearer", {"realm": "x"})]),
        (
            'Basic realm="x", Bearer realm="y",scope="a:b:c d:e:f"',
            [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y", "scope": "a:b:c d:e:f"})],
        ),
        ("Negotiate, Basic", [Challenge("negotiate", {}), Challenge("basic", {})]),
        ("Negotiate YWJj==, Basic a=b", [Challenge("negotiate", {}), Challenge("basic", {"a": "b"})]),
        (',, Bearer realm="x",,', [Challenge("bearer", {"realm": "x"})]),
        ('Bearer realm=""', [Challenge("bearer", {"realm": ""})]),
        ('Bearer realm="x', [Challenge("bearer", {})]),
        ('realm="x"', []),
        ("<html>", []),
        ('"', []),
    ],
)
def test_a_challenge_is_read_as_far_as_it_makes_sense(header: str, expected: list[Challenge]) -> None:
    assert parse_challenge(header) == expected


@given(st.text(alphabet='Bearer realm="\\,= x\t\r\né', max_size=200) | st.text())
def test_any_header_is_read_or_left(header: str) -> None:
    for challenge in parse_challenge(header):
        assert challenge.scheme == challenge.scheme.lower() != ""
