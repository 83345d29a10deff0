"""Who is asking.

A principal is an immutable id and a name for the log; it carries no rights. What it may do in a project depends on
its role there, which is read together with the project on every request and never kept in a session or a token.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular: a request that brought no credentials."""

    name: str = "anonymous"


@dataclass(frozen=True, slots=True)
class User:
    """A person, or a program using a person's account.  `sysadmin` administers the whole server."""

    id: int
    name: str
    sysadmin: bool = False


Principal = Anonymous | User

ANONYMOUS = Anonymous()
