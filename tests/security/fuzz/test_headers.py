"""Headers: ranges, chunks, credentials and challenges.  A value that spells what it came from, or a declared refusal."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import example
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest, RangeNotSatisfiable, SizeInvalid, Unauthorized
from fairway.core.tokens import Access, SigningKeys, Token, TokenInvalid, sign, verify
from fairway.core.wire.challenge import Scope, bearer_challenge, parse_challenge, parse_scopes
from fairway.core.wire.ranges import MAX_RANGES, Span, content_range, parse_content_range, parse_range
from fairway.frame.web.who import _parse_basic
from security.fuzz.budget import fuzzed, told_briefly
from security.fuzz.mutations import damaged_text

RANGES = damaged_text(
    [
        "bytes=0-0",
        "bytes=0-9,5-20",
        "bytes=-5",
        "bytes=7-",
        "bytes=9-3",
        "bytes=-0",
        f"bytes=0-{2**63}",
        f"bytes={2**63}-",
        "bytes=" + ",".join(["0-0"] * 1000),
        "bytes=" + ",".join(f"{n}-{n}" for n in range(1025)),
    ]
)


@fuzzed("Range", RANGES, st.integers(0, 2**40), examples=500)
@example("bytes=0-0" + ",0-0" * 999, 1)
def test_a_range_is_bytes_that_are_there_or_the_whole_or_a_refusal(header: str, size: int) -> None:
    try:
        spans = parse_range(header, size)
    except RangeNotSatisfiable as refused:
        told_briefly(refused)
        return
    if spans is None:
        return
    assert 1 <= len(spans) <= MAX_RANGES
    assert all(0 <= span.start < span.end <= size for span in spans)
    assert len(spans) == 1 or sum(span.length for span in spans) <= size
    canonical = "bytes=" + ",".join(f"{span.start}-{span.end - 1}" for span in spans)
    assert parse_range(canonical, size) == spans


CHUNKS = damaged_text(["0-0", "0-99", "100-199", "bytes 0-99/1234", "bytes 5-9/*", f"0-{2**63}", "9-3"])


@fuzzed("Content-Range", CHUNKS, examples=500)
def test_a_chunk_has_a_place_or_is_refused(header: str) -> None:
    try:
        span = parse_content_range(header)
    except SizeInvalid as refused:
        told_briefly(refused)
        return
    assert 0 <= span.start < span.end <= 10**19
    assert parse_content_range(f"{span.start}-{span.end - 1}") == span
    assert parse_content_range(content_range(Span(span.start, span.end), span.end)) == span


KEYS = SigningKeys.generate()
TOKEN = Token(
    subject="alice",
    subject_id=7,
    issuer="fairway",
    audience="registry",
    access=(Access("repository", "team/app", frozenset({"pull"}), 3),),
    issued_at=1000,
    expires_at=2000,
    id="0123",
)
SIGNED = sign(KEYS, TOKEN)
FOREIGN = sign(SigningKeys.generate(), TOKEN)


def swapped(payload: bytes) -> str:
    """Our token with another payload under the old signature."""
    header, _, signature = SIGNED.split(".")
    return f"{header}.{b64encode(payload, b'-_').rstrip(b'=').decode()}.{signature}"


@fuzzed("tokens", damaged_text([SIGNED, FOREIGN, swapped(b"{}"), "a.b.c", ".."]), st.integers(0, 3000))
def test_only_what_we_signed_is_a_token_and_it_means_what_we_meant(text: str, now: int) -> None:
    try:
        token = verify(KEYS, text, audience="registry", issuer="fairway", now=now)
    except TokenInvalid as refused:
        told_briefly(refused)
        assert text != SIGNED or not 880 <= now < 2010
        return
    assert token == TOKEN
    assert text.rpartition(".")[0] == SIGNED.rpartition(".")[0]
    assert 880 <= now < 2010


BASIC = damaged_text(
    [
        b64encode(each).decode()
        for each in (b"alice:secret", b"a:b:c", "é:ß".encode(), b":", b"alice:", b"\xff:\xff")
    ]
)


@fuzzed("Basic", BASIC)
def test_basic_credentials_are_a_name_and_a_password_or_refused(text: str) -> None:
    try:
        name, password = _parse_basic(text)
    except (Unauthorized, BadRequest) as refused:
        told_briefly(refused)
        return
    assert name
    assert password
    assert ":" not in name
    assert f"{name}:{password}".encode() == b64decode(text)


CHALLENGES = damaged_text(
    [
        'Bearer realm="https://auth.example/token",service="x",scope="repository:a/b:pull,push"',
        'Basic realm="a\\"b", Bearer realm=x',
        "Negotiate YWJj==, Basic realm=x",
        'Bearer realm="' + "\\" * 5000,
    ]
)


@fuzzed("WWW-Authenticate", CHALLENGES)
def test_a_challenge_is_read_as_far_as_it_can_be(header: str) -> None:
    for challenge in parse_challenge(header):
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert all(name == name.lower() != "" for name in challenge.params)


@fuzzed("challenges we send", st.text(), st.text())
def test_no_value_ends_our_challenge_early(realm: str, service: str) -> None:
    header = bearer_challenge(realm, service)
    assert header.isascii()
    assert "\n" not in header
    assert "\r" not in header
    (challenge,) = parse_challenge(header[:8000])
    assert challenge.params.keys() <= {"realm", "service"}


SCOPES = damaged_text(
    ["repository:team/app:pull,push", "registry:catalog:*", "repository(plugin):host:5000/a:pull"]
)


@fuzzed("scopes", SCOPES)
def test_a_scope_spells_itself_or_is_left_out(text: str) -> None:
    for scope in parse_scopes([text]):
        assert Scope.parse(str(scope)) == scope or not scope.actions


def test_the_oracle_of_tokens_can_fail() -> None:
    """What we signed is a token, so that the fuzzing above does not only look at refusals."""
    assert verify(KEYS, SIGNED, audience="registry", issuer="fairway", now=1500) == TOKEN
    with pytest.raises(TokenInvalid):
        verify(KEYS, FOREIGN, audience="registry", issuer="fairway", now=1500)
