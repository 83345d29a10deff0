"""Bearer tokens: ours are read back whole, everybody else's are refused (security case T11)."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.core.tokens import MAX_TOKEN, Access, SigningKeys, Token, TokenInvalid, sign, verify

ES256 = JWSRegistry.algorithms["ES256"]
KEYS = SigningKeys.generate()
NOW = 1_700_000_000
PULL = Access("repository", "team/app", frozenset({"pull"}), project=7)
TOKEN = Token("alice", 42, "fairway", "hub", (PULL,), NOW, NOW + 300, "0f0e")


def read(
    text: str, keys: SigningKeys = KEYS, *, now: float = NOW, audience: str = "hub", issuer: str = "fairway"
) -> Token:
    return verify(keys, text, audience=audience, issuer=issuer, now=now)


def refused(text: str, **options: Any) -> bool:
    try:
        read(text, **options)
    except TokenInvalid as error:
        return isinstance(error, Unauthorized)
    return False


def forge(claims: object = None, *, header: dict[str, Any] | None = None, key: ECKey = KEYS.current) -> str:
    """A token with a good signature and whatever else is wished; `...` leaves a claim out."""
    original = json.loads(decode(sign(KEYS, TOKEN).split(".")[1]))
    if claims is None or isinstance(claims, dict):
        claims = {name: value for name, value in (original | (claims or {})).items() if value is not ...}
    whole = {"alg": "ES256", "kid": KEYS.kid, "typ": "JWT"} | (header or {})
    body = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (whole, claims))
    return f"{body}.{encode(ES256.sign(body.encode(), key))}"


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ---- ours

accesses = st.builds(
    Access,
    st.sampled_from(["repository", "registry"]),
    st.text(max_size=20),
    st.frozensets(st.sampled_from(["pull", "push", "delete", "*"])),
    st.none() | st.integers(0, 2**62),
)
tokens = st.builds(
    Token,
    subject=st.text(max_size=20),
    subject_id=st.integers(0, 2**62),
    issuer=st.just("fairway"),
    audience=st.just("hub"),
    access=st.lists(accesses, max_size=4).map(tuple),
    issued_at=st.just(NOW),
    expires_at=st.integers(NOW + 1, NOW + 10**6),
    id=st.text(min_size=1, max_size=40),
)


@given(tokens)
def test_a_token_is_read_back_whole(token: Token) -> None:
    assert read(sign(KEYS, token)) == token


def test_a_token_has_the_claims_that_others_look_for() -> None:
    header, claims, _ = sign(KEYS, TOKEN).split(".")
    assert json.loads(decode(header)) == {"alg": "ES256", "kid": KEYS.kid, "typ": "JWT"}
    assert json.loads(decode(claims)) == {
        "iss": "fairway",
        "sub": "alice",
        "uid": 42,
        "aud": "hub",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 300,
        "jti": "0f0e",
        "access": [{"type": "repository", "name": "team/app", "actions": ["pull"], "project": 7}],
    }


def test_a_token_too_large_to_be_taken_is_not_made() -> None:
    most = replace(TOKEN, access=(PULL,) * 100)
    assert read(sign(KEYS, most)) == most
    with pytest.raises(BadRequest, match="fewer"):
        sign(KEYS, replace(TOKEN, access=(PULL,) * 1000))


def test_a_token_lasts_until_its_end_and_no_longer_than_clocks_may_differ() -> None:
    text = sign(KEYS, TOKEN)
    assert read(text, now=NOW + 309.9) == TOKEN
    assert refused(text, now=NOW + 310)
    assert read(text, now=NOW - 120) == TOKEN
    assert refused(text, now=NOW - 120.1)


@pytest.mark.parametrize(
    ("name", "value"), [("audience", "other"), ("issuer", "other"), ("audience", ""), ("issuer", "")]
)
def test_a_token_is_good_at_one_service_only(name: str, value: str) -> None:
    assert refused(sign(KEYS, TOKEN), **{name: value})


# ---- keys


def test_keys_survive_being_stored() -> None:
    again = SigningKeys.from_pem(KEYS.to_pem())
    assert again.kid == KEYS.kid
    assert read(sign(again, TOKEN)) == TOKEN
    assert read(sign(KEYS, TOKEN), again) == TOKEN


def test_the_key_id_is_the_thumbprint_of_the_public_key() -> None:
    public = KEYS.current.as_dict(private=False)
    members = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    assert KEYS.kid == encode(hashlib.sha256(members.encode()).digest())


def test_after_a_rotation_older_tokens_hold_and_new_ones_use_the_new_key() -> None:
    fresh = SigningKeys.generate()
    rotated = SigningKeys.from_pem([*fresh.to_pem(), *KEYS.to_pem()])
    assert rotated.kid == fresh.kid
    assert read(sign(KEYS, TOKEN), rotated) == TOKEN
    assert read(sign(rotated, TOKEN), fresh) == TOKEN
    assert refused(sign(rotated, TOKEN), keys=KEYS)
    stored = rotated.to_pem()
    assert [b"PRIVATE" in pem for pem in stored] == [True, False]
    assert read(sign(KEYS, TOKEN), SigningKeys.from_pem(stored)) == TOKEN


def test_only_private_p256_keys_sign() -> None:
    public = KEYS.current.as_pem(private=False)
    other_curve = ECKey.generate_key("P-384").as_pem(private=True)
    rsa = RSAKey.generate_key(2048).as_pem(private=True)
    for pems in ([], [public], [other_curve], [rsa], [b""], [b"no key"], [*KEYS.to_pem(), other_curve]):
        with pytest.raises(ValueError, match="key"):
            SigningKeys.from_pem(pems)


# ---- everybody else's


def test_no_algorithm_is_no_signature() -> None:
    _, claims, signature = sign(KEYS, TOKEN).split(".")
    for algorithm in ("none", "None", "NONE", ""):
        header = encode(json.dumps({"alg": algorithm, "kid": KEYS.kid, "typ": "JWT"}).encode())
        assert refused(f"{header}.{claims}.")
        assert refused(f"{header}.{claims}.{signature}")


def test_the_public_key_is_no_shared_secret() -> None:
    _, claims, _ = sign(KEYS, TOKEN).split(".")
    header = encode(
        json.dumps({"alg": "HS256", "kid": KEYS.kid, "typ": "JWT"}, separators=(",", ":")).encode()
    )
    for secret in (KEYS.current.as_pem(private=False), KEYS.current.as_der(private=False)):
        mac = hmac.digest(secret, f"{header}.{claims}".encode(), "sha256")
        assert refused(f"{header}.{claims}.{encode(mac)}")


def test_a_key_that_is_not_ours_signs_nothing() -> None:
    stranger = SigningKeys.generate()
    assert refused(sign(stranger, TOKEN))
    assert refused(forge(key=stranger.current)), "our kid, their signature"
    assert refused(forge(header={"kid": stranger.kid}, key=stranger.current))


STRANGER = ECKey.generate_key("P-256")


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": STRANGER.as_dict(private=False)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"x5c": ["MIIB"]},
        {"kid": None},
        {"kid": "../../key"},
        {"typ": "JOSE"},
        {"extra": True},
    ],
    ids=lambda more: next(iter(more)) + ("" if "jwk" in more else f" {next(iter(more.values()))}"),
)
@pytest.mark.parametrize("key", [KEYS.current, STRANGER], ids=["our key", "their key"])
def test_a_header_that_we_would_not_write_is_refused_even_with_our_signature(
    more: dict[str, Any], key: ECKey
) -> None:
    assert refused(forge(header=more, key=key))


def test_our_own_forgery_is_good() -> None:
    assert read(forge()) == TOKEN


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": ...},
        {"iat": ...},
        {"aud": ...},
        {"iss": ...},
        {"sub": ...},
        {"uid": ...},
        {"jti": ...},
        {"access": ...},
        {"exp": None},
        {"exp": str(NOW + 300)},
        {"exp": NOW + 300.5},
        {"exp": True},
        {"exp": 10**40},
        {"exp": NOW - 11},
        {"iat": NOW + 121},
        {"nbf": NOW + 121},
        {"nbf": "soon"},
        {"aud": ["hub"]},
        {"aud": "HUB"},
        {"iss": ["fairway"]},
        {"sub": 42},
        {"uid": "42"},
        {"uid": True},
        {"access": {}},
        {"access": ["repository:team/app:pull"]},
        {"access": [{}]},
        {"access": [{"type": "repository", "name": "a", "actions": "pull"}]},
        {"access": [{"type": "repository", "name": "a", "actions": [1]}]},
        {"access": [{"type": "repository", "name": ["a"], "actions": []}]},
        {"access": [{"type": "repository", "name": "a", "actions": [], "project": "7"}]},
        {"access": [{"type": "repository", "name": "a", "actions": [], "project": None}]},
        [],
        "claims",
        7,
    ],
    ids=str,
)
def test_claims_that_we_would_not_make_are_refused_even_with_our_signature(claims: object) -> None:
    assert refused(forge(claims))


def test_not_before_is_honoured_and_may_be_missing() -> None:
    assert read(forge({"nbf": ...})) == TOKEN
    assert read(forge({"nbf": NOW + 120})) == TOKEN  # signed by a node whose clock is ahead


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_part_of_a_token_can_be_changed(place: int) -> None:
    parts = sign(KEYS, TOKEN).split(".")
    other = sign(KEYS, replace(TOKEN, subject="mallory")).split(".")
    for part in (
        "",
        "A",
        "!",
        "é",
        parts[place][:-1],
        parts[place] + "=",
        parts[place] + "\n",
        other[place] if place else "e30",
    ):
        assert refused(".".join([*parts[:place], part, *parts[place + 1 :]]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d",
        "." * 1_000_000,
        "a" * 1_000_000,
        "a" * (MAX_TOKEN + 1) + "..",
        "\0.\0.\0",
        "é.é.é",
        "\ud800..",
    ],
    ids=lambda text: ascii(text)[:12],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text)


def test_an_overlong_payload_is_not_looked_at() -> None:
    header, claims, signature = sign(KEYS, TOKEN).split(".")
    assert refused(f"{header}.{claims * 100}.{signature}")


@given(st.text(max_size=200))
def test_any_text_is_refused_or_ours(text: str) -> None:
    header = sign(KEYS, TOKEN).split(".")[0]
    assert refused(text)
    assert refused(f"{header}.{text}.")
    assert refused(f"{header}..{text}")
