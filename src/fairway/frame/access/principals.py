"""Who is asking.

A principal is an immutable id and a name for the log.  What a person may do in a project depends on their role there, which
is read together with the project on every request.  A robot carries what it was granted, as it was read for this request;
one that a token brought carries nothing until it is read again.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.scopes import Scope

EVERY_PROJECT: Final = 0
"""Where a grant holds in all projects there are, and will be; no project has this id."""

SERVER: Final = -1
"""Where a grant is about the whole server."""


class Grant(NamedTuple):
    """One permission that a robot holds: in the project with the id `where`, or EVERY_PROJECT, or on the SERVER."""

    where: int
    permission: Permission


class Narrowed(NamedTuple):
    """One permission that somebody holds in the project with the id `where`, for the repositories that `only` means:
    patterns of narrowing.py."""

    where: int
    permission: Permission
    only: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular: a request that brought no credentials."""

    name: str = "anonymous"


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a program using a person's account.  `sysadmin` administers the whole server.

    `credentials_version` is that of the password they have just shown, None when they showed none.  `scope` is what the
    personal access token covers that they came with; `sysadmin` is then only said when the token includes it.
    """

    id: int
    name: str
    sysadmin: bool = False
    credentials_version: int | None = field(default=None, compare=False)
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Robot:
    """An account of programs, of one `project` or, with None, of the system level.  `name` is what it logs in with.

    It holds its `grants` and what everybody holds, nothing else: neither its name nor its level gives it anything.  What
    it holds for some repositories only is in `narrowed`, so that whoever looks at `grants` alone never takes it for more.
    """

    id: int
    name: str
    project: int | None = None
    grants: frozenset[Grant] = field(default=frozenset(), repr=False)
    narrowed: frozenset[Narrowed] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is logged in with a browser, as they are now, and how long ago they used it.

    `key` names the session and opens nothing.
    """

    id: int
    key: str
    user: User
    unseen_seconds: float = 0.0


Principal = Anonymous | User | Robot


def narrowed_to(principal: Principal) -> Scope | None:
    """What a token of theirs covers; None for whoever came without one."""
    return principal.scope if isinstance(principal, User) else None


ANONYMOUS = Anonymous()
