"""Personal access tokens, which stand for a person with no more than they need."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairway.client.call import Call, Listing, answering, changing, reader
from fairway.client.groups import OWN_API

_OWN = f"{OWN_API}/users/current/tokens"


@dataclass(frozen=True, slots=True)
class Place:
    """A project that a token is about."""

    project_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret; `projects` None is every project, a time "" is never."""

    id: int
    name: str
    description: str = ""
    access: tuple[str, ...] = ()
    projects: tuple[Place, ...] | None = None
    sysadmin: bool = False
    creation_time: str = ""
    expires_at: str = ""
    expired: bool = False
    last_used: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A token that was just made: the only time that the hub tells its secret, `token`."""

    id: int
    name: str
    access: tuple[str, ...] = ()
    projects: tuple[Place, ...] | None = None
    sysadmin: bool = False
    expires_at: str = ""
    token: str = field(default="", repr=False)


def listed(user: int | None = None, *, sort: str = "") -> Listing[Token]:
    """One's own tokens, or for an administrator those of the user with this id."""
    path = _OWN if user is None else f"{OWN_API}/users/{user}/tokens"
    return Listing(path, reader(Token), {"sort": sort})


def create(
    name: str,
    *,
    access: Sequence[str],
    projects: Sequence[str] = (),
    days: int | None = None,
    sysadmin: bool = False,
    description: str = "",
) -> Call[Made]:
    """Make a token of one's own: `access` all, read, or some of pull, push and delete; in all projects when none is named;
    `days` -1 for ever, None for as long as is usual."""
    body = {
        "name": name,
        "description": description,
        "access": list(access),
        "projects": list(projects) or None,
        "duration": days,
        "sysadmin": sysadmin,
    }
    return answering(reader(Made), "POST", _OWN, body)


def revoke(token: int, user: int | None = None) -> Call[None]:
    """End a token of one's own, or for an administrator one of the user with this id."""
    path = _OWN if user is None else f"{OWN_API}/users/{user}/tokens"
    return changing("DELETE", f"{path}/{token}")
