"""Which line of the audit log an event becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CREATE, DELETE = "create", "delete"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `operation` was done to `resource`, with Harbor's words."""

    username: str
    resource: str
    resource_type: str
    operation: str
    description: str


def entries(kind: str, facts: Mapping[str, Any]) -> list[Entry]:
    """The lines for one event; none for what Harbor's log does not have, such as blobs."""
    if kind in _ARTIFACTS:
        return [_artifact(facts, *_ARTIFACTS[kind])]
    if kind in ("tag.created", "tag.deleted"):
        operation = CREATE if kind == "tag.created" else DELETE
        resource = f"{facts['repository']}:{facts['tag']}"
        return [Entry(facts["actor"], resource, "tag", operation, f"{operation} tag: {resource}")]
    if kind == "repository.deleted":
        name = facts["repository"]
        return [Entry(facts["actor"], name, "repository", DELETE, f"delete repository: {name}")]
    if kind in ("project.created", "project.deleted"):
        operation = CREATE if kind == "project.created" else DELETE
        name = facts["name"]
        return [Entry(facts["by"], name, "project", operation, f"{operation} project: {name}")]
    return []


# What is done, and how it is described: Harbor has no word for a deletion that was undone.
_ARTIFACTS = {
    "artifact.pushed": (CREATE, "create"),
    "artifact.restored": (CREATE, "restore"),
    "artifact.deleted": (DELETE, "delete"),
}


def _artifact(facts: Mapping[str, Any], operation: str, verb: str) -> Entry:
    tags = sorted(facts["tags"])
    what = f":{tags[0]}" if tags else f"@{facts['digest']}"
    resource = f"{facts['repository']}{what}"
    description = f"{verb} artifact: {facts['repository']}@{facts['digest']}"
    if tags:
        description += f" with {', '.join(tags)}"
    return Entry(facts["actor"], resource, "artifact", operation, description)


# Harbor's "other" is every event but these.
_NAMED = ("create_artifact", "delete_artifact", "pull_artifact")
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Lines of the log by what they tell of: `events` such as create_artifact, whole `operations` such as pull, and with
    `other` every event but those about artifacts."""

    events: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    other: bool = False

    @property
    def not_other(self) -> frozenset[str]:
        """The events that "other" leaves out."""
        return frozenset(_NAMED)


def chosen(event_types: str, operations: str) -> Chosen:
    """From lists with commas; `operations` is what older clients send.  Names that nothing is called choose nothing."""
    events = _listed(event_types)
    return Chosen(events - {_OTHER}, _listed(operations), _OTHER in events)


def _listed(text: str) -> frozenset[str]:
    return frozenset(each.strip().lower() for each in text.split(",") if each.strip())
