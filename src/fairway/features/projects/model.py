"""What is known about a project and its members."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fairway.frame.access.roles import Role, strongest

LIBRARY = "library"
"""The public project that every server has from the first start."""

UNLIMITED = -1
"""A storage limit that is none."""

Settings = Mapping[str, str]
"""What Harbor calls a project's metadata, by name: text, without `public`, which is a field of its own."""


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Vulnerabilities that may pass, until `expires_at` (seconds since the epoch), or for ever.

    `project` is 0 for the server's own.  The moments are 0 for one that nobody has written.
    """

    items: tuple[str, ...] = ()
    expires_at: int | None = None
    project: int = 0
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class Project:
    """A project as one viewer sees it; `roles` are the viewer's in it, own and by groups.  Times in µs since the epoch."""

    id: int
    name: str
    public: bool
    owner_id: int
    owner_name: str
    repositories: int
    roles: frozenset[Role]
    created_at: int
    updated_at: int
    settings: Settings = field(default_factory=dict)
    allowlist: Allowlist = Allowlist()

    @property
    def role(self) -> Role | None:
        """The one that counts."""
        return strongest(self.roles)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a project to be made should be like; `storage_limit` in bytes or UNLIMITED."""

    name: str
    public: bool = False
    storage_limit: int = UNLIMITED
    settings: Settings = field(default_factory=dict)
    allowlist: Allowlist | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a project should become: what is None is as it is, a setting that is None is removed, others stay."""

    public: bool | None = None
    settings: Mapping[str, str | None] = field(default_factory=dict)
    allowlist: Allowlist | None = None


PERSON: Final = "u"
GROUP: Final = "g"


@dataclass(frozen=True, slots=True)
class Member:
    """A PERSON or a GROUP of people in a project; `id` is the membership's, `entity` the person's or the group's."""

    id: int
    project: int
    entity: int
    name: str
    role: Role
    kind: str = PERSON


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group as a request names it: by id, or as those of a directory are by DN, or else by name and type."""

    id: int = 0
    dn: str = ""
    name: str = ""
    type: int = 0


ROLE_NAMES: Mapping[Role, str] = {
    Role.PROJECT_ADMIN: "projectAdmin",
    Role.MAINTAINER: "maintainer",
    Role.DEVELOPER: "developer",
    Role.GUEST: "guest",
    Role.LIMITED_GUEST: "limitedGuest",
}
"""Harbor's words."""
