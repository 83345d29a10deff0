"""What is known about a project and its members."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fairway.features.roles.model import ROLE_NAMES
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import Narrowed
from fairway.frame.access.roles import FIRST_CUSTOM, Role, strongest

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
    """A project as one viewer sees it; `roles` are the ids of the viewer's in all of it, own and by groups, `more` is what
    those hold that were made here, and `narrowed` what others hold for some repositories only.  Times in µs since the
    epoch."""

    id: int
    name: str
    public: bool
    owner_id: int
    owner_name: str
    repositories: int
    roles: frozenset[int]
    created_at: int
    updated_at: int
    settings: Settings = field(default_factory=dict)
    allowlist: Allowlist = Allowlist()
    more: frozenset[Permission] = field(default=frozenset(), repr=False)
    narrowed: frozenset[Narrowed] = field(default=frozenset(), repr=False)

    @property
    def role(self) -> Role | None:
        """The strongest of the five that every server has; None when the viewer has none of them."""
        return strongest(self.roles)

    @property
    def shown_role(self) -> int:
        """What Harbor's clients show as the viewer's role: the strongest of the five, or else the oldest that was made
        here; 0 for who is no member."""
        return int(self.role or min(self.roles, default=0))

    @property
    def facts(self) -> ProjectFacts:
        """For decisions about the viewer."""
        return ProjectFacts(self.id, self.public, self.role, self.more, self.narrowed)


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
    """A PERSON or a GROUP of people in a project; `id` is the membership's, `entity` the person's or the group's.

    `made_here` is the name of the role if that is not one of the five; `only` the patterns of the repositories that it is
    for, none for all.
    """

    id: int
    project: int
    entity: int
    name: str
    role: int
    kind: str = PERSON
    made_here: str = ""
    only: tuple[str, ...] = ()

    @property
    def role_name(self) -> str:
        """Harbor's word for one of the five roles, or the name of the one that was made here."""
        return ROLE_NAMES[Role(self.role)] if self.role < FIRST_CUSTOM else self.made_here


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group as a request names it: by id, or as those of a directory are by DN, or else by name and type."""

    id: int = 0
    dn: str = ""
    name: str = ""
    type: int = 0
