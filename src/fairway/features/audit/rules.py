"""Which line of the audit log an event becomes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

CREATE, UPDATE, DELETE = "create", "update", "delete"
LOGIN, LOGOUT = "login", "logout"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `operation` was done to `resource`, with Harbor's words."""

    username: str
    resource: str
    resource_type: str
    operation: str
    description: str
    succeeded: bool = True

    @property
    def event_type(self) -> str:
        """Such as create_artifact."""
        return f"{self.operation}_{self.resource_type}"


def syslog(entry: Entry, event: str, at: int, host: str) -> str:
    """The line as a message of RFC 5424, whose text is a JSON object in ASCII; `at` is microseconds since the epoch.

    Facility 13 is the one for audit logs, severity 6 is informational.
    """
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = {
        "event_id": event,
        "operation": entry.operation,
        "resource_type": entry.resource_type,
        "resource": entry.resource,
        "username": entry.username,
        "description": entry.description,
        "result": "success" if entry.succeeded else "failure",
    }
    name = "".join(each for each in host if "!" <= each <= "~")[:255] or "-"
    return f"<110>1 {moment} {name} fairway - {entry.event_type[:32]} - {json.dumps(said)}"


def entries(kind: str, facts: Mapping[str, Any]) -> list[Entry]:
    """The lines for one event; none for what Harbor's log does not have, such as blobs."""
    if kind in _ARTIFACTS:
        return [_artifact(facts, *_ARTIFACTS[kind])]
    if kind in _TAGS:
        operation = _TAGS[kind]
        resource = f"{facts['repository']}:{facts['tag']}"
        return [Entry(facts["actor"], resource, "tag", operation, f"{operation} tag: {resource}")]
    if kind == "repository.deleted":
        name = facts["repository"]
        return [Entry(facts["actor"], name, "repository", DELETE, f"delete repository: {name}")]
    if kind in _LABELS:
        resource = f"{facts['repository']}@{facts['digest']}"
        told = f"{_LABELS[kind].format(**facts)}: {resource}"
        return [Entry(facts["actor"], resource, "artifact", UPDATE, told)]
    if kind == "configuration.updated":
        what = f"update configuration: {', '.join(facts['keys'])}"
        return [Entry(facts["by"], "configuration", "configuration", UPDATE, what)]
    if kind in _SESSIONS:
        operation, succeeded = _SESSIONS[kind]
        told = f"{operation} user: {facts['name']} from {facts['client']}"
        return [Entry(facts["by"], facts["name"], "user", operation, told, succeeded)]
    if kind in _NAMES:
        return [Entry(facts["by"], facts["name"], "project", UPDATE, _NAMES[kind].format(**facts))]
    what, _, happened = kind.partition(".")
    if what in _NAMED and happened in _OPERATIONS:
        operation, name = _OPERATIONS[happened], facts["name"]
        more = _NAMED[what].format(**facts)
        if facts.get("repositories"):
            more += f" for repositories {', '.join(facts['repositories'])}"
        return [Entry(facts["by"], name, what, operation, f"{operation} {what}: {name}{more}")]
    return []


_OPERATIONS = {"created": CREATE, "updated": UPDATE, "deleted": DELETE}

# What has a name, and what is said beyond it.
_NAMED = {
    "project": "",
    "user": "",
    "robot": "",
    "token": " of user {user}",
    "role": " with {permissions}",
    "member": " as {role} of project {project}",
    "label": "{where}",
    "webhook": " of project {project}",
    "usergroup": "",
    "groupmember": " in group {group}",
    "immutablerule": " of project {project}",
    "quota": " to {hard} bytes",
}

# What is done, and whether it came to it.
_SESSIONS = {
    "user.logged_in": (LOGIN, True),
    "user.login_refused": (LOGIN, False),
    "user.logged_out": (LOGOUT, True),
}

# A project's line is called by the name it has after it.
_NAMES = {
    "project.name-changed": "rename project: {former} to {name}",
    "project.alias-dropped": "let go of the former name {former} of project: {name}",
}

_LABELS = {
    "artifact.labelled": "put label {label} on artifact",
    "artifact.unlabelled": "take label {label} off artifact",
}

_TAGS = {"tag.created": CREATE, "tag.moved": UPDATE, "tag.deleted": DELETE}

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
_NOT_OTHER = ("create_artifact", "delete_artifact", "pull_artifact")
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
        return frozenset(_NOT_OTHER)


def chosen(event_types: str, operations: str) -> Chosen:
    """From lists with commas; `operations` is what older clients send.  Names that nothing is called choose nothing."""
    events = listed(event_types)
    return Chosen(events - {_OTHER}, listed(operations), _OTHER in events)


def listed(text: str) -> frozenset[str]:
    """The names in a list with commas."""
    return frozenset(each.strip().lower() for each in text.split(",") if each.strip())


# In the order of Harbor's list; what it has names for beyond these does not happen here yet.
EVENT_TYPES = (
    "create_artifact",
    "delete_artifact",
    "delete_tag",
    "create_project",
    "delete_project",
    "create_user",
    "update_user",
    "delete_user",
    "update_configuration",
    "create_robot",
    "delete_robot",
    "login_user",
    "logout_user",
)
"""What a line can tell of, as operation_resource."""
