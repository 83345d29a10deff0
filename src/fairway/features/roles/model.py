"""What is known about a role."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairway.frame.access.catalogue import Permission
from fairway.frame.access.roles import FIRST_CUSTOM, HELD, STRONGEST_FIRST, Role

ROLE_NAMES: Mapping[Role, str] = {
    Role.PROJECT_ADMIN: "projectAdmin",
    Role.MAINTAINER: "maintainer",
    Role.DEVELOPER: "developer",
    Role.GUEST: "guest",
    Role.LIMITED_GUEST: "limitedGuest",
}
"""Harbor's words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a role should be like."""

    name: str
    description: str
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class KnownRole:
    """One of the five, or one that was made here; those have moments, in µs since the epoch.

    `members` is how many memberships of people and groups have it, None where nobody counted.
    """

    id: int
    name: str
    description: str
    permissions: frozenset[Permission]
    created_at: int = 0
    updated_at: int = 0
    members: int | None = None

    @property
    def built_in(self) -> bool:
        """Whether it is one of the five, which nobody can change."""
        return self.id < FIRST_CUSTOM


_DESCRIPTIONS: Mapping[Role, str] = {
    Role.PROJECT_ADMIN: "everything in the project",
    Role.MAINTAINER: "push, pull and delete, and labels",
    Role.DEVELOPER: "push and pull",
    Role.GUEST: "see everything and pull",
    Role.LIMITED_GUEST: "pull, and see no members, robots and logs",
}

BUILT_IN: Final = tuple(
    KnownRole(int(role), ROLE_NAMES[role], _DESCRIPTIONS[role], HELD[role]) for role in STRONGEST_FIRST
)
"""The five, the strongest first."""
