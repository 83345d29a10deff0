"""What is known about a project, and how projects are asked for."""

from dataclasses import dataclass

from fairway.frame.access.roles import Role

LIBRARY = "library"
"""The public project that every server has from the first start."""

UNLIMITED = -1
"""A storage limit that is none."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as one viewer sees it; `role` is the viewer's own in it.  Times in µs since the epoch."""

    id: int
    name: str
    public: bool
    owner_id: int
    owner_name: str
    repositories: int
    role: Role | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a project to be made should be like; `storage_limit` in bytes or UNLIMITED."""

    name: str
    public: bool = False
    storage_limit: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of the visible projects to list: part of the name, visibility, the owner's user name."""

    name: str = ""
    public: bool | None = None
    owner: str = ""
