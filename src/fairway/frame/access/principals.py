"""Who is asking.

A principal is an immutable id and a name for the log; it carries no rights. What it may do in a project depends on
its role there, which is read together with the project on every request and never kept in a session or a token.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular: a request that brought no credentials."""

    name: str = "anonymous"


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a program using a person's account.  `sysadmin` administers the whole server.

    `credentials_version` is that of the password they have just shown, None when they showed none.
    """

    id: int
    name: str
    sysadmin: bool = False
    credentials_version: int | None = field(default=None, compare=False)


Principal = Anonymous | User

ANONYMOUS = Anonymous()
