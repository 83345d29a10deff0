"""Groups of people.  Who is in one is asked for below `/api/fairway`: Harbor leaves that to a directory."""

from dataclasses import dataclass
from typing import Final

from fairway.client.call import API, Call, Listing, changing, making, reader

OWN_API: Final = "/api/fairway"
KINDS: Final = {"ldap": 1, "http": 2, "oidc": 3}
"""Harbor's group types: where the names of groups come from."""
KIND_NAMES: Final = {number: name for name, number in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Group:
    """Harbor's UserGroup."""

    id: int
    group_name: str
    group_type: int = 0
    ldap_group_dn: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a group."""

    user_id: int
    username: str


def listed(*, name: str = "") -> Listing[Group]:
    """Groups; `name` is a part of theirs.  For system administrators."""
    return Listing(f"{API}/usergroups", reader(Group), {"group_name": name})


def found(name: str) -> Listing[Group]:
    """Groups with this in their name, for everybody who is logged in, without what only administrators see."""
    return Listing(f"{API}/usergroups/search", reader(Group), {"groupname": name})


def create(name: str, kind: int, *, ldap_dn: str = "") -> Call[int]:
    """Make a group; its id."""
    body = {"group_name": name, "group_type": kind, "ldap_group_dn": ldap_dn}
    return making(f"{API}/usergroups", body)


def delete(group: int) -> Call[None]:
    """Delete a group."""
    return changing("DELETE", f"{API}/usergroups/{group}")


def people(group: int) -> Listing[Person]:
    """Who is in a group."""
    return Listing(f"{OWN_API}/usergroups/{group}/members", reader(Person))


def add(group: int, username: str) -> Call[int]:
    """Put somebody into a group; their id."""
    return making(f"{OWN_API}/usergroups/{group}/members", {"username": username})


def remove(group: int, user: int) -> Call[None]:
    """Take somebody out of a group."""
    return changing("DELETE", f"{OWN_API}/usergroups/{group}/members/{user}")
