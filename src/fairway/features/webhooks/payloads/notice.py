"""One thing to be told about a project, before it is written down in a format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PUSH_ARTIFACT: Final = "PUSH_ARTIFACT"
PULL_ARTIFACT: Final = "PULL_ARTIFACT"
DELETE_ARTIFACT: Final = "DELETE_ARTIFACT"
QUOTA_EXCEED: Final = "QUOTA_EXCEED"
QUOTA_WARNING: Final = "QUOTA_WARNING"
SCANNING_FAILED: Final = "SCANNING_FAILED"
SCANNING_STOPPED: Final = "SCANNING_STOPPED"
SCANNING_COMPLETED: Final = "SCANNING_COMPLETED"
REPLICATION: Final = "REPLICATION"
TAG_RETENTION: Final = "TAG_RETENTION"

TAG_CREATED: Final = "TAG_CREATED"
TAG_MOVED: Final = "TAG_MOVED"
TAG_DELETED: Final = "TAG_DELETED"
SIGNATURE_ADDED: Final = "SIGNATURE_ADDED"
REPOSITORY_CREATED: Final = "REPOSITORY_CREATED"
REPOSITORY_DELETED: Final = "REPOSITORY_DELETED"
PROJECT_UPDATED: Final = "PROJECT_UPDATED"
PROJECT_DELETED: Final = "PROJECT_DELETED"
MEMBER_ADDED: Final = "MEMBER_ADDED"
MEMBER_CHANGED: Final = "MEMBER_CHANGED"
MEMBER_REMOVED: Final = "MEMBER_REMOVED"

CLOUD_TYPES: Final[Mapping[str, str]] = {
    PUSH_ARTIFACT: "harbor.artifact.pushed",
    PULL_ARTIFACT: "harbor.artifact.pulled",
    DELETE_ARTIFACT: "harbor.artifact.deleted",
    QUOTA_EXCEED: "harbor.quota.exceeded",
    QUOTA_WARNING: "harbor.quota.warned",
    SCANNING_FAILED: "harbor.scan.failed",
    SCANNING_STOPPED: "harbor.scan.stopped",
    SCANNING_COMPLETED: "harbor.scan.completed",
    REPLICATION: "harbor.replication.status.changed",
    TAG_RETENTION: "harbor.tag_retention.finished",
    TAG_CREATED: "fairway.tag.created",
    TAG_MOVED: "fairway.tag.moved",
    TAG_DELETED: "fairway.tag.deleted",
    SIGNATURE_ADDED: "fairway.signature.added",
    REPOSITORY_CREATED: "fairway.repository.created",
    REPOSITORY_DELETED: "fairway.repository.deleted",
    PROJECT_UPDATED: "fairway.project.updated",
    PROJECT_DELETED: "fairway.project.deleted",
    MEMBER_ADDED: "fairway.member.added",
    MEMBER_CHANGED: "fairway.member.changed",
    MEMBER_REMOVED: "fairway.member.removed",
}
"""Every type of event there is, Harbor's first, and what it is called in CloudEvents."""

EVENT_TYPES: Final = tuple(CLOUD_TYPES)
"""Their names, as policies have them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What events do not say and payloads do."""

    host: str
    """Under which clients know this registry, with its port."""
    project: int
    name: str
    """The project's."""
    public: bool
    created_at: int | None
    """Microseconds; when the repository was made, None when it is gone or the event is about none."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told: in the words of the default payload, `type`, `occur_at`, `operator` and `event_data`."""

    id: str
    """What receivers tell repeats by."""
    type: str
    operator: str
    at: int
    """Microseconds since the epoch."""
    data: Mapping[str, Any]
    repository: str = ""
    """Its full name, "" when it is about none: selectors of repositories do not ask then."""
    tags: tuple[str, ...] | None = None
    """Those it is about, None when it is not about artifacts: selectors of tags do not ask then."""
