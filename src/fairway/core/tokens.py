"""Bearer tokens: signing them, and telling ours from everybody else's.  Nothing else.

A token is a JWT signed with ES256 (RFC 7519, RFC 7518 §3.4), in the shape of the distribution project's token
specification plus the immutable ids of the person and of the projects.  The agents verify tokens offline with the
public keys alone, so what a token means must not depend on anything else.

We read only what we wrote.  The header of a token is one of as many constants as there are keys, so it is looked up,
never parsed: no `alg`, `jwk`, `jku` or `crit` in it can have any effect.  Claims are looked at after the signature.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.core.oci.json import loads

MAX_TOKEN = 16 * 1024

_ALGORITHM = "ES256"
_CURVE = "P-256"
_MAX_DEPTH = 8
_MAX_MEMBERS = 4096

Claim = TypeVar("Claim", int, str, list[Any])


class TokenInvalid(Unauthorized):
    """A bearer token that we did not sign, or that does not hold here and now."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a token allows on one thing: `repository`, its name, `{"pull"}`, and the id of its project.

    The id binds the name to the project that bore it when the token was made, not to a later one of the same name.
    """

    type: str
    name: str
    actions: frozenset[str]
    project: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Who may do what, and until when.  Times are whole seconds since the epoch.

    `subject_id` is a person's and 0 for anybody else; `robot_id` is a robot's.  `personal_id` is that of the personal
    access token which the person came with, 0 for none.
    """

    subject: str
    subject_id: int
    issuer: str
    audience: str
    access: tuple[Access, ...]
    issued_at: int
    expires_at: int
    id: str
    robot_id: int = 0
    personal_id: int = 0


class SigningKeys:
    """The key we sign with, and the public keys of those we signed with before."""

    def __init__(self, current: ECKey, older: Sequence[ECKey] = ()) -> None:
        if not current.is_private:
            raise ValueError("the first token key must be a private key")
        if any(key.curve_name != _CURVE for key in (current, *older)):
            raise ValueError(f"token keys must be elliptic curve keys on {_CURVE}")
        self.current = current
        self.kid = current.thumbprint()
        self.by_header = {_header(key.thumbprint()): key for key in (current, *older)}

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(ECKey.generate_key(_CURVE))

    @classmethod
    def from_pem(cls, pems: Sequence[bytes]) -> Self:
        """The private key to sign with first, then older keys, private or public.  Raises ValueError."""
        try:
            current, *older = (ECKey.import_key(pem) for pem in pems)
        except (JoseError, ValueError, TypeError) as error:
            raise ValueError("not a list of PEM keys, the one to sign with first") from error
        return cls(current, older)

    def to_pem(self) -> list[bytes]:
        """What `from_pem` takes: the private key to sign with, then the public part of the older ones."""
        older = [key for key in self.by_header.values() if key is not self.current]
        return [self.current.as_pem(private=True), *(key.as_pem(private=False) for key in older)]


def sign(keys: SigningKeys, token: Token) -> str:
    """The token as text.  Raises BadRequest when it names so much that nobody would take it."""
    claims = {
        "iss": token.issuer,
        "sub": token.subject,
        "uid": token.subject_id,
        "aud": token.audience,
        "iat": token.issued_at,
        "nbf": token.issued_at,
        "exp": token.expires_at,
        "jti": token.id,
        "access": [_access_claim(access) for access in token.access],
    }
    if token.robot_id:
        claims["rid"] = token.robot_id
    if token.personal_id:
        claims["pid"] = token.personal_id
    payload = json.dumps(claims, separators=(",", ":")).encode("ascii")
    text = jws.serialize_compact(_protected(keys.kid), payload, keys.current, algorithms=[_ALGORITHM])
    if len(text) > MAX_TOKEN:
        raise BadRequest("a token for all these scopes would be too large: ask for fewer at once")
    return text


def verify(
    keys: SigningKeys,
    text: str,
    *,
    audience: str,
    issuer: str,
    now: float,
    leeway: int = 10,
    ahead: int = 120,
) -> Token:
    """The token that `text` is.  `now` is in seconds since the epoch.

    `leeway` is for how long it may have expired, `ahead` how far the clock of the node that signed it may be ahead of
    ours: generous, since a client behind a load balancer gets its token from one node and uses it on another.
    Raises TokenInvalid.
    """
    if len(text) > MAX_TOKEN or text.count(".") != 2 or not text.isascii():
        raise TokenInvalid("this is not a token")
    key = keys.by_header.get(text.partition(".")[0])
    if key is None:
        raise TokenInvalid("the token is not signed by a key of ours: log in again")
    try:
        payload = jws.deserialize_compact(text, key, algorithms=[_ALGORITHM]).payload
        claims = loads(payload, max_bytes=MAX_TOKEN, max_depth=_MAX_DEPTH, max_members=_MAX_MEMBERS)
    except (JoseError, ValueError) as error:
        raise TokenInvalid("the token's signature does not hold: log in again") from error
    if not isinstance(claims, dict):
        raise TokenInvalid("the token makes no claims")
    token = _token(claims)
    if token.issuer != issuer or token.audience != audience:
        raise TokenInvalid("the token was made for another service")
    if now >= token.expires_at + leeway:
        raise TokenInvalid("the token has expired: log in again")
    if now < max(token.issued_at, _claim(claims, "nbf", int, default=0)) - ahead:
        raise TokenInvalid("the token is not valid yet: check the clocks")
    return token


def _protected(kid: str) -> dict[str, Any]:
    return {"alg": _ALGORITHM, "kid": kid, "typ": "JWT"}


def _header(kid: str) -> str:
    """The first segment of every token signed with this key."""
    text = json.dumps(_protected(kid), separators=(",", ":"))
    return urlsafe_b64encode(text.encode("ascii")).rstrip(b"=").decode("ascii")


def _access_claim(access: Access) -> dict[str, Any]:
    claim: dict[str, Any] = {"type": access.type, "name": access.name, "actions": sorted(access.actions)}
    if access.project is not None:
        claim["project"] = access.project
    return claim


def _token(claims: Mapping[str, Any]) -> Token:
    return Token(
        subject=_claim(claims, "sub", str),
        subject_id=_claim(claims, "uid", int),
        issuer=_claim(claims, "iss", str),
        audience=_claim(claims, "aud", str),
        access=tuple(_access(entry) for entry in _claim(claims, "access", list)),
        issued_at=_claim(claims, "iat", int),
        expires_at=_claim(claims, "exp", int),
        id=_claim(claims, "jti", str),
        robot_id=_claim(claims, "rid", int, default=0),
        personal_id=_claim(claims, "pid", int, default=0),
    )


def _access(entry: object) -> Access:
    if not isinstance(entry, dict):
        raise _lacks("access")
    actions = _claim(entry, "actions", list)
    if not all(isinstance(action, str) for action in actions):
        raise _lacks("actions")
    return Access(
        type=_claim(entry, "type", str),
        name=_claim(entry, "name", str),
        actions=frozenset(actions),
        project=_claim(entry, "project", int) if "project" in entry else None,
    )


def _claim(claims: Mapping[str, Any], name: str, kind: type[Claim], default: Claim | None = None) -> Claim:
    value = claims.get(name, default)
    if type(value) is not kind:  # exactly: True is no number here
        raise _lacks(name)
    return value


def _lacks(name: str) -> TokenInvalid:
    return TokenInvalid(f"the token does not say {name} as ours do")
