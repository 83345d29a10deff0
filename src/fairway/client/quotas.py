"""How much projects may store, and do.  Only a system administrator sees and sets it for all."""

from dataclasses import dataclass, field

from fairway.client.call import API, Call, Listing, asking, changing, reader
from fairway.client.projects import Storage


@dataclass(frozen=True, slots=True)
class Ref:
    """The project of a quota."""

    id: int = 0
    name: str = ""
    owner_name: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """Harbor's Quota."""

    id: int
    ref: Ref = field(default_factory=Ref)
    hard: Storage = field(default_factory=Storage)
    used: Storage = field(default_factory=lambda: Storage(0))
    creation_time: str = ""
    update_time: str = ""


def listed(*, project_id: int | None = None, sort: str = "") -> Listing[Quota]:
    """Quotas of all projects, or of the one with this id."""
    query = {"reference": "project", "reference_id": project_id, "sort": sort}
    return Listing(f"{API}/quotas", reader(Quota), query)


def get(quota: int) -> Call[Quota]:
    """One quota by its id."""
    return asking(reader(Quota), f"{API}/quotas/{quota}")


def set_limit(quota: int, storage: int) -> Call[None]:
    """How many bytes may be stored; -1 for no limit."""
    return changing("PUT", f"{API}/quotas/{quota}", {"hard": {"storage": storage}})
