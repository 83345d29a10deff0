"""Roles: the five that every server has, and those that its administrators made."""

from collections.abc import Collection
from dataclasses import dataclass

from fairway.client.call import Call, Listing, asking, changing, making, reader

_ROLES = "/api/fairway/roles"


@dataclass(frozen=True, slots=True)
class Pair:
    """One permission."""

    resource: str
    action: str

    def __str__(self) -> str:
        return f"{self.resource}:{self.action}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role; `members`, how many memberships have it, is counted of those that were made."""

    id: int
    name: str
    description: str = ""
    built_in: bool = False
    permissions: tuple[Pair, ...] = ()
    members: int | None = None
    creation_time: str = ""
    update_time: str = ""


def listed(*, name: str = "") -> Listing[Role]:
    """All roles; `name` is a part of theirs."""
    return Listing(_ROLES, reader(Role), {"name": name})


def get(role: int) -> Call[Role]:
    """One role."""
    return asking(reader(Role), f"{_ROLES}/{role}")


def create(name: str, permissions: Collection[str], *, description: str = "") -> Call[int]:
    """Make a role that holds these, such as `repository:pull`; its id."""
    return making(_ROLES, _body(name, permissions, description))


def change(role: int, name: str, permissions: Collection[str], *, description: str = "") -> Call[None]:
    """Let a role be like this, for all who have it."""
    return changing("PUT", f"{_ROLES}/{role}", _body(name, permissions, description))


def delete(role: int) -> Call[None]:
    """Delete a role that nobody has."""
    return changing("DELETE", f"{_ROLES}/{role}")


def _body(name: str, permissions: Collection[str], description: str) -> dict[str, object]:
    pairs = [each.partition(":") for each in permissions]
    return {
        "name": name,
        "description": description,
        "permissions": [{"resource": resource, "action": action} for resource, _, action in pairs],
    }
