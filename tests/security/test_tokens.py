"""Bearer tokens that somebody else made, bent, stole or asked too much for (T11 – T14)."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from fairway.core.oci.digest import Digest
from fairway.core.tokens import Access, Token, sign
from fairway.core.wire.challenge import parse_challenge
from fairway.features.registry.hub import ISSUER, SERVICE
from stories.asgi import Answer
from stories.world import Person, World, image, layer

EVERYTHING = frozenset({"pull", "push", "delete", "*"})
BASE = Digest.of(layer("base"))


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team` and pushed an image to it."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


def token(world: World, person: Person, **changes: Any) -> Token:
    """A token that opens everything, as only we make them; then bent."""
    now = int(world.parts.hub.clock())
    made = Token(
        subject=person.name,
        subject_id=person.id,
        issuer=ISSUER,
        audience=SERVICE,
        access=(Access("repository", "team/app", EVERYTHING, 1), Access("registry", "catalog", EVERYTHING)),
        issued_at=now,
        expires_at=now + 300,
        id="0123",
    )
    return replace(made, **changes)


def claims(good: Token) -> dict[str, Any]:
    return {
        "iss": good.issuer,
        "sub": good.subject,
        "uid": good.subject_id,
        "aud": good.audience,
        "iat": good.issued_at,
        "exp": good.expires_at,
        "jti": good.id,
        "access": [
            {"type": "repository", "name": "team/app", "actions": ["pull", "push", "delete"], "project": 1}
        ],
    }


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def segment(content: Mapping[str, Any]) -> str:
    return encoded(json.dumps(content, separators=(",", ":")).encode())


def with_secret(header: Mapping[str, Any], content: Mapping[str, Any], secret: bytes) -> str:
    """Signed by HMAC, which our library refuses to do with a public key."""
    text = f"{segment(header)}.{segment(content)}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


def signed(header: Mapping[str, Any], content: Mapping[str, Any], key: Any) -> str:
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    return jws.serialize_compact(dict(header), json.dumps(content).encode(), key, registry=registry)


def forged(world: World, person: Person) -> dict[str, str]:
    """Tokens that none of our hubs made."""
    ours, good = world.parts.hub.keys, token(world, person)
    theirs = ECKey.generate_key("P-256")
    jwk, public = theirs.as_dict(private=False), ours.current.as_pem(private=False)
    real = sign(ours, good)
    header, payload, signature = real.split(".")
    es256 = {"alg": "ES256", "kid": ours.kid, "typ": "JWT"}
    evil = "https://evil.example/keys"
    return {
        "alg none": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "alg none, our kid": f"{segment({'alg': 'none', 'kid': ours.kid, 'typ': 'JWT'})}.{payload}.",
        "no signature": f"{header}.{payload}.",
        "signature of something else": f"{header}.{segment(claims(good) | {'sub': 'admin'})}.{signature}",
        "bent signature": f"{header}.{payload}.{'A' * len(signature)}",
        "HS256 with the public key": with_secret(es256 | {"alg": "HS256"}, claims(good), public),
        "unknown kid": signed(es256 | {"kid": theirs.thumbprint()}, claims(good), theirs),
        "no kid": signed({"alg": "ES256", "typ": "JWT"}, claims(good), theirs),
        "our kid, their key": signed(es256, claims(good), theirs),
        "our kid, their key in jwk": signed(es256 | {"jwk": jwk}, claims(good), theirs),
        "our kid, jku": signed(es256 | {"jku": evil}, claims(good), theirs),
        "our kid, x5u": signed(es256 | {"x5u": evil}, claims(good), theirs),
        "our key, another header": signed(es256 | {"cty": "x"}, claims(good), ours.current),
        "a million bytes": f"{header}.{'A' * 1_000_000}.{signature}",
        "a million dots": "." * 1_000_000,
        "empty": "..",
        "words": "let me in",
    }


def bent(world: World, person: Person) -> dict[str, str]:
    """Tokens signed with our key that do not hold here and now."""
    keys, good = world.parts.hub.keys, token(world, person)
    header = {"alg": "ES256", "kid": keys.kid, "typ": "JWT"}
    whole, now = claims(good), good.issued_at
    made: dict[str, dict[str, Any]] = {
        "another audience": {"aud": "registry.example"},
        "another issuer": {"iss": "somebody"},
        "a list as audience": {"aud": [SERVICE]},
        "expired": {"iat": now - 400, "exp": now - 60},
        "not yet": {"nbf": now + 600},
        "issued in the future": {"iat": now + 200, "exp": now + 500},
        "exp as text": {"exp": str(good.expires_at)},
        "exp as fraction": {"exp": good.expires_at + 0.5},
        "uid as truth": {"uid": True},
        "access as text": {"access": "repository:team/app:pull"},
        "actions as text": {"access": [{"type": "repository", "name": "team/app", "actions": "pull"}]},
    }
    texts = {name: signed(header, whole | change, keys.current) for name, change in made.items()}
    for claim in whole:
        rest = {name: value for name, value in whole.items() if name != claim}
        texts[f"without {claim}"] = signed(header, rest, keys.current)
    texts["no object"] = jws.serialize_compact(header, b"[]", keys.current, algorithms=["ES256"])
    return texts


async def tries(bearer: Person) -> list[Answer]:
    return [
        await bearer("GET", "/v2/"),
        await bearer("GET", "/v2/_catalog"),
        await bearer.pull("team/app:v1"),
        await bearer.blob("team/app", BASE),
        await bearer.push_blob("team/app", b"new"),
        await bearer.push("team/app:v2", image("base")),
        await bearer.delete("team/app:v1"),
    ]


@pytest.mark.parametrize("made", [forged, bent])
async def test_only_our_own_tokens_open_anything(world: World, alice: Person, made: Any) -> None:
    good = alice.bearing(sign(world.parts.hub.keys, token(world, alice)))
    assert (
        await good.pull("team/app:v1")
    ).status == 200  # so that the others fail for what is wrong with them
    before = await world.stored()
    for name, text in made(world, alice).items():
        for answer in await tries(alice.bearing(text)):
            assert answer.short == (401, "UNAUTHORIZED"), name
            (challenge,) = parse_challenge(answer["www-authenticate"])
            assert challenge.params["error"] == "invalid_token", name
    assert await world.stored() == before


async def test_a_token_is_not_a_password_and_the_other_way_round(world: World, alice: Person) -> None:
    text = sign(world.parts.hub.keys, token(world, alice))
    assert (await alice.saying(text)("GET", "/v2/")).status == 401
    assert (
        await replace(alice, authorization=f"Bearer {alice.authorization[6:]}")("GET", "/v2/")
    ).status == 401


async def test_a_token_is_good_for_what_it_names_only(world: World, alice: Person) -> None:
    bearer = await alice.with_token("repository:team/app:pull,push,delete")
    before = await world.stored()
    for answer in (
        await bearer("GET", "/v2/_catalog"),
        await bearer("GET", "/v2/team/app2/tags/list"),
        await bearer("GET", "/v2/team/ap/tags/list"),
        await bearer("GET", "/v2/team/tags/list"),
        await bearer("GET", "/v2/team/app/more/tags/list"),
        await bearer.push_blob("team/other", b"new"),
        await bearer.blob("team/other", BASE, "DELETE"),
        await bearer("GET", "/api/v2.0/projects/team"),
        await bearer("DELETE", "/api/v2.0/projects/team"),
    ):
        assert answer.status in (400, 401)
    assert await world.stored() == before


async def test_a_wide_token_does_not_widen_the_person(world: World, alice: Person) -> None:
    """Signed by us, by whatever mistake: pushing and deleting still take the person's own rights."""
    bob = await world.person("bob")
    bearer = bob.bearing(sign(world.parts.hub.keys, token(world, bob)))
    before = await world.stored()
    for answer in (
        await bearer("GET", "/v2/_catalog"),
        await bearer.push_blob("team/app", b"new"),
        await bearer("POST", "/v2/team/app/blobs/uploads/"),
        await bearer.push_manifest("team/app:v2", image("base")),
        await bearer.delete("team/app:v1"),
        await bearer.blob("team/app", BASE, "DELETE"),
    ):
        assert answer.short == (401, "UNAUTHORIZED")
    assert await world.stored() == before


async def test_a_token_of_somebody_who_never_was_changes_nothing(world: World, alice: Person) -> None:
    ghost = Person(world, "ghost", 4711)
    bearer = ghost.bearing(sign(world.parts.hub.keys, token(world, ghost)))
    assert (await bearer.push_blob("team/app", b"new")).short == (401, "UNAUTHORIZED")
    assert (await bearer.delete("team/app:v1")).short == (401, "UNAUTHORIZED")


async def test_wishes_are_read_from_both_ends_and_never_granted_blindly(world: World, alice: Person) -> None:
    wishes = {
        "repository:registry.example:5000/team/app:pull": {},  # no repository of ours
        "repository(plugin):team/app:pull": {},
        "registry:catalog:*": {"catalog": []},
        "registry:everything:*": {},
        "repository:team/app:": {"team/app": []},
        "repository:team/app:PULL": {"team/app": []},
        "repository:team/app": {},
        "repository::pull": {},
        "repository:team/../team/app:pull": {},
        "repository:team/app:pull,pull,push": {"team/app": ["pull", "push"]},
    }
    for wish, expected in wishes.items():
        answer = await alice.ask_token(wish)
        assert answer.status == 200, wish
        payload = answer.json["token"].split(".")[1]
        access = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["access"]
        assert {each["name"]: each["actions"] for each in access} == expected, wish


async def test_too_many_wishes_are_refused(world: World, alice: Person) -> None:
    many = [f"repository:team/app{n}:pull" for n in range(101)]
    assert (await alice.ask_token(" ".join(many))).short == (400, "BAD_REQUEST")
    assert (await alice.ask_token(*many)).short == (400, "BAD_REQUEST")
    long = [f"repository:team/{'x' * 200}{n}:pull,push" for n in range(100)]
    assert (await alice.ask_token(" ".join(long))).short == (400, "BAD_REQUEST")
    assert (await alice("GET", f"/service/token?{'&'.join('scope=x' for _ in range(10_000))}")).status == 400
    assert (await alice("POST", "/service/token", b"a" * 100_000)).short == (413, "REQUEST_ENTITY_TOO_LARGE")
