"""Who sent this request?  Authorization header in, identity out; what they may do is decided elsewhere.

Two schemes, for the management API and the registry alike: Bearer with a token of ours or a personal access token, and
Basic.  No header is `ANONYMOUS`.  A header that is there but wrong is always Unauthorized and never quietly anonymous.

A token says who it was made for, not who they are today: the User in its Identity has `sysadmin=False`, the Robot no
grants, the scope of a personal access token covers nothing, and `current` reads them again.  Whoever answers a question
about rights beyond what the token itself carries (push, delete) asks `current` first.
"""

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from fairway.core.oci.errors import BadRequest, Unauthorized
from fairway.core.tokens import SigningKeys, Token, verify
from fairway.frame.access.principals import ANONYMOUS, Anonymous, Principal, Robot, User
from fairway.frame.access.scopes import Scope
from fairway.frame.clock import Clock

Passwords = Callable[[str, str, str], Awaitable[User | Robot]]
"""(login name, password or secret, client address) → whose they are; raises Unauthorized or TooManyRequests."""

Users = Callable[[int], Awaitable[User | None]]
"""The user with this id as they are now; None when gone or disabled."""

Robots = Callable[[int], Awaitable[Robot | None]]
"""The robot with this id as it is now, with all it was granted; None when gone, disabled or expired."""


class Personal(Protocol):
    """What is asked about personal access tokens."""

    async def opened_by(self, text: str, client: str, /) -> User | None:
        """Whose token this text is; None when it is no such token at all; raises Unauthorized or TooManyRequests."""

    async def current(self, token: int, /) -> User | None:
        """Whom the token with this id stands for now; None when it is gone or expired, or its owner."""


_MAX_BASIC: Final = 8192
_CACHED_TOKENS: Final = 4096
_MAX_CACHED_LENGTH: Final = 4096

_REFUSED: Final = "these credentials are not valid; check the user name and password, or log in again"


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal, and the token that brought it when there was one."""

    principal: Principal
    token: Token | None = None


NOBODY: Final = Identity(ANONYMOUS)


async def no_robots(_id: int) -> Robot | None:
    """Where there are none."""
    return None


class NoPersonalTokens:
    """Where there are none."""

    async def opened_by(self, _text: str, _client: str, /) -> User | None:
        return None

    async def current(self, _token: int, /) -> User | None:
        return None


class Authenticators:
    """Tells identities from headers.  Verified tokens are remembered until they expire; passwords are not, here."""

    def __init__(
        self,
        *,
        keys: SigningKeys,
        issuer: str,
        audience: str,
        passwords: Passwords,
        users: Users,
        clock: Clock,
        robots: Robots = no_robots,
        personal: Personal | None = None,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._passwords = passwords
        self._users = users
        self._robots = robots
        self._personal = personal or NoPersonalTokens()
        self._clock = clock
        self._verified: dict[str, Identity] = {}

    async def identify(self, headers: Mapping[str, str], client: str) -> Identity:
        """Who sent these headers (lower-case or case-insensitive names) from the address `client`.

        Raises Unauthorized for credentials that are wrong, expired or malformed, TooManyRequests while an account
        is throttled, and BadRequest for a header of absurd length.
        """
        header = headers.get("authorization")
        if header is None:
            return NOBODY
        scheme, _, credentials = header.strip().partition(" ")
        credentials = credentials.strip()
        match scheme.lower():
            case "bearer":
                owner = await self._personal.opened_by(credentials, client)
                return self._bearer(credentials) if owner is None else Identity(owner)
            case "basic":
                username, password = _parse_basic(credentials)
                return Identity(await self._passwords(username, password, client))
            case _:
                raise Unauthorized("authenticate with Basic or Bearer")

    async def password(self, username: str, password: str, client: str) -> User | Robot:
        """Who has this name and password, sent otherwise than in a header.  Raises as `identify`."""
        if not (username and password) or len(username) + len(password) > _MAX_BASIC:
            raise Unauthorized(_REFUSED)
        return await self._passwords(username, password, client)

    async def current(self, identity: Identity, *, again: bool = False) -> Principal:
        """The principal as it is now.  Raises Unauthorized when the token's user or robot is gone, disabled or expired, or
        the personal access token behind it.

        Who came with a password has just been read, and is read again only when asked for: after a long body.
        """
        came = identity.principal
        if isinstance(came, Anonymous) or (identity.token is None and not again):
            return came
        now: Principal | None
        if isinstance(came, Robot):
            now = await self._robots(came.id)
        elif came.scope is not None:
            now = await self._personal.current(came.scope.token)
        else:
            now = await self._users(came.id)
        if now is None:
            raise Unauthorized(_REFUSED)
        return now

    def _bearer(self, text: str) -> Identity:
        now = self._clock()
        known = self._verified.pop(text, None)
        if known is not None and known.token is not None and now < known.token.expires_at:
            self._verified[text] = known  # at the end: the first one is the one used longest ago
            return known
        token = verify(self._keys, text, audience=self._audience, issuer=self._issuer, now=now)
        identity = Identity(_subject(token), token)
        if len(text) <= _MAX_CACHED_LENGTH:
            self._verified[text] = identity
            if len(self._verified) > _CACHED_TOKENS:
                del self._verified[next(iter(self._verified))]
        return identity


def _subject(token: Token) -> Principal:
    if token.robot_id:
        return Robot(token.robot_id, token.subject)
    if not token.subject_id:
        return ANONYMOUS
    scope = Scope(token.personal_id) if token.personal_id else None
    return User(token.subject_id, token.subject, scope=scope)


def _parse_basic(credentials: str) -> tuple[str, str]:
    """User name and password of RFC 7617 credentials in UTF-8; both must be there."""
    if len(credentials) > _MAX_BASIC:
        raise BadRequest("the Authorization header is too long")
    try:
        username, colon, password = b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthorized("the Basic credentials are malformed: base64 of user:password in UTF-8") from None
    if not (colon and username and password):
        raise Unauthorized(_REFUSED)
    return username, password
