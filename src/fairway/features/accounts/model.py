"""What is known about an account, about the tokens made for it, and about groups of people."""

from dataclasses import dataclass, field
from typing import Protocol

from fairway.frame.access.principals import Robot, User
from fairway.frame.access.scopes import Word


class Login(Protocol):
    """Who may log in with a secret that is kept as `password_hash`; None when no password can be right.

    `credentials_version` moves whenever the secret does: what was proven with an older one is void.
    """

    @property
    def id(self) -> int: ...
    @property
    def password_hash(self) -> str | None: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def credentials_version(self) -> int: ...
    @property
    def principal(self) -> User | Robot: ...
    def opened_by(self, said: str) -> bool:
        """Whether this is a secret that cannot be guessed, and right: then no slow hash is needed."""


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users`; times in µs since the epoch.

    `credentials_version` moves whenever the password does: what was proven with an older one is void.
    """

    id: int
    username: str
    email: str
    realname: str
    comment: str
    password_hash: str = field(repr=False)
    sysadmin: bool
    enabled: bool
    credentials_version: int
    created_at: int
    updated_at: int

    @property
    def user(self) -> User:
        """The account as a principal."""
        return User(self.id, self.username, self.sysadmin, self.credentials_version)

    @property
    def principal(self) -> User:
        """The same, as whoever logs in."""
        return self.user

    def opened_by(self, said: str) -> bool:  # noqa: ARG002 - people choose theirs
        """Never: a password can be guessed."""
        return False


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A long-lived secret that stands for a password at the token endpoint, found by its secret; the account with it."""

    id: int
    service: str
    client_id: str
    expires_at: int
    account: Account


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One browser in which somebody is logged in: from which address, and what it calls itself; times in µs."""

    id: int
    client: str
    browser: str
    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A row of `personal_tokens`; times in µs since the epoch, None for never.  `projects` None means every one."""

    id: int
    user_id: int
    name: str
    description: str
    words: frozenset[Word]
    projects: frozenset[int] | None
    sysadmin: bool
    created_at: int
    expires_at: int | None
    used_at: int | None
    live: bool


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A token that somebody asks for; `lifetime` in µs from now, None for ever."""

    name: str
    description: str
    words: frozenset[Word]
    projects: frozenset[int] | None
    sysadmin: bool
    lifetime: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever came with a personal access token; `unnoted`: its last use is to be written again."""

    user: User
    token: int
    unnoted: bool


@dataclass(frozen=True, slots=True)
class ChosenSecret:
    """A person's CLI secret, which they chose: a token that is checked as their password is."""

    id: int
    password_hash: str = field(repr=False)
    principal: User
    enabled: bool = True
    credentials_version: int = 0  # another one is another row

    def opened_by(self, said: str) -> bool:  # noqa: ARG002 - it can be guessed
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class Failures:
    """Logins that failed in a row for one account from one address, and how long it, and that address, have to wait now."""

    count: int
    wait_seconds: int
    address_wait_seconds: int = 0


NO_FAILURES = Failures(0, 0)


LDAP, HTTP, OIDC = 1, 2, 3
"""Where a group is known from, in Harbor's numbers: a directory, a proxy that logs people in, or an OIDC provider."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people; `dn` is how a directory names it, else empty."""

    id: int
    name: str
    type: int
    dn: str = ""
