"""Projects, their settings and their members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fairway.client.call import (
    API,
    BY_NAME,
    Call,
    Listing,
    asking,
    changing,
    filters,
    making,
    matching,
    reader,
    segment,
    with_query,
)

_OWN: Final = "/api/fairway"

ROLES: Final[Mapping[str, int]] = {
    "admin": 1,
    "maintainer": 4,
    "developer": 2,
    "guest": 3,
    "limited-guest": 5,
}
"""Harbor's role ids, from the one who may do most to the one who may do least."""
ROLE_NAMES: Final = {number: name for name, number in ROLES.items()}


def role_name(number: int) -> str:
    """What a role is called, its number where only the hub knows that; nothing for 0, no role."""
    return ROLE_NAMES.get(number, str(number or ""))


@dataclass(frozen=True, slots=True)
class Project:
    """Harbor's Project; `current_user_role_id` is 0 for who is no member of all of it, `metadata` has the settings as text.

    `current_user_repositories`: patterns of those one is for, if that is not all.
    """

    project_id: int
    name: str
    owner_name: str = ""
    creation_time: str = ""
    update_time: str = ""
    repo_count: int = 0
    current_user_role_id: int = 0
    current_user_repositories: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def public(self) -> bool:
        """Whether everybody may see and pull it."""
        return self.metadata.get("public") == "true"


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes; as a limit -1 is none."""

    storage: int = -1


@dataclass(frozen=True, slots=True)
class SummaryQuota:
    """What a project may store, and does."""

    hard: Storage = field(default_factory=Storage)
    used: Storage = field(default_factory=lambda: Storage(0))


@dataclass(frozen=True, slots=True)
class Summary:
    """Harbor's ProjectSummary; None where the caller may not know."""

    repo_count: int = 0
    project_admin_count: int | None = None
    maintainer_count: int | None = None
    developer_count: int | None = None
    guest_count: int | None = None
    limited_guest_count: int | None = None
    quota: SummaryQuota | None = None


@dataclass(frozen=True, slots=True)
class Deletable:
    """Whether a project can be deleted, and why not."""

    deletable: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """Harbor's ProjectMemberEntity: `id` is the membership's, `entity_type` u for a user and g for a group.

    `repositories`: patterns of those of the project it is for; none for all.
    """

    id: int
    entity_id: int
    entity_name: str
    role_id: int
    role_name: str = ""
    entity_type: str = "u"
    repositories: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """One of `ROLES`, or Harbor's own word."""
        return ROLE_NAMES.get(self.role_id, self.role_name)


@dataclass(frozen=True, slots=True)
class Alias:
    """A former name that leads to a project; `creation_time` is when it became one."""

    name: str
    creation_time: str = ""


def _path(project: str) -> str:
    return f"{API}/projects/{segment(project)}"


def listed(
    *, name: str = "", public: bool | None = None, owner: str = "", q: str = "", sort: str = ""
) -> Listing[Project]:
    """Projects that the caller may see; `name` is a part of it."""
    query = {"name": name, "public": public, "owner": owner, "q": filters(q), "sort": sort}
    return Listing(f"{API}/projects", reader(Project), query)


def get(project: str) -> Call[Project]:
    """One project by its name."""
    return asking(reader(Project), _path(project), headers=BY_NAME)


def summary(project: str) -> Call[Summary]:
    """What is in a project."""
    return asking(reader(Summary), f"{_path(project)}/summary", headers=BY_NAME)


def create(
    name: str,
    *,
    public: bool = False,
    storage_limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Call[int]:
    """Make a project of which the caller becomes administrator; its id."""
    body: dict[str, object] = {
        "project_name": name,
        "metadata": {**(settings or {}), "public": "true" if public else "false"},
    }
    if storage_limit is not None:
        body["storage_limit"] = storage_limit
    return making(f"{API}/projects", body)


def change(project: str, settings: Mapping[str, str]) -> Call[None]:
    """Set some of the settings, `public` among them; the others stay."""
    return changing("PUT", _path(project), {"metadata": dict(settings)}, headers=BY_NAME)


def rename(project: str, name: str) -> Call[None]:
    """Call a project something else; its name of today leads to it from then on."""
    return changing("PUT", f"{_OWN}/projects/{segment(project)}/name", {"name": name}, headers=BY_NAME)


def aliases(project: str) -> Listing[Alias]:
    """The former names of a project."""
    return Listing(f"{_OWN}/projects/{segment(project)}/aliases", reader(Alias), headers=BY_NAME)


def drop_alias(project: str, former: str) -> Call[None]:
    """Let go of a former name of a project."""
    path = f"{_OWN}/projects/{segment(project)}/aliases/{segment(former)}"
    return changing("DELETE", path, headers=BY_NAME)


def deletable(project: str) -> Call[Deletable]:
    """Whether a project can be deleted."""
    return asking(reader(Deletable), f"{_path(project)}/_deletable", headers=BY_NAME)


def delete(project: str) -> Call[None]:
    """Delete a project that has no repositories."""
    return changing("DELETE", _path(project), headers=BY_NAME)


def delete_whole(project: str) -> Call[None]:
    """Delete a project with all that is in it."""
    return changing("DELETE", with_query(_path(project), {"force": True}), headers=BY_NAME)


def members(project: str, *, name: str = "") -> Listing[Member]:
    """Who belongs to a project; `name` is a part of theirs."""
    return Listing(f"{_path(project)}/members", reader(Member), {"entityname": name}, BY_NAME)


def add_member(project: str, username: str, role: int, only: Sequence[str] = ()) -> Call[int]:
    """Take somebody in, or for the repositories that the patterns `only` mean; the membership's id."""
    body = {"role_id": role, "member_user": {"username": username}, **_only(only or None)}
    return making(f"{_path(project)}/members", body, headers=BY_NAME)


def add_group(project: str, group: int, role: int, only: Sequence[str] = ()) -> Call[int]:
    """Take a group of people in, in the same way; the membership's id."""
    body = {"role_id": role, "member_group": {"id": group}, **_only(only or None)}
    return making(f"{_path(project)}/members", body, headers=BY_NAME)


def set_role(project: str, member: int, role: int, only: Sequence[str] | None = None) -> Call[None]:
    """Give a member another role, and `only` these repositories or with () all of them; None leaves that as it is."""
    body = {"role_id": role, **_only(only)}
    return changing("PUT", f"{_path(project)}/members/{member}", body, headers=BY_NAME)


def _only(patterns: Sequence[str] | None) -> dict[str, Any]:
    return {} if patterns is None else {"repositories": list(patterns)}  # else as every hub knows it


def remove_member(project: str, member: int) -> Call[None]:
    """Put a member out."""
    return changing("DELETE", f"{_path(project)}/members/{member}", headers=BY_NAME)


def named(name: str) -> Listing[Project]:
    """Projects of which the name contains `name`, without what only details tell."""
    query = {"q": filters(matching(name__part=name)), "with_detail": False}
    return Listing(f"{API}/projects", reader(Project), query)
