"""An example of each type of event, for whoever wants to see what a target gets."""

from collections.abc import Mapping
from typing import Any, Final

from fairway.features.webhooks.payloads import notice
from fairway.features.webhooks.payloads.notice import Notice, Surroundings
from fairway.features.webhooks.payloads.notices import notices

_DIGEST: Final = "sha256:" + "0123456789abcdef" * 4
_BEFORE: Final = "sha256:" + "fedcba9876543210" * 4
_OF_TAG: Final = {"digest": _DIGEST, "tag": "v1.0.0"}
_SCAN: Final = {
    **_OF_TAG,
    "scan_type": "vulnerability",
    "overview": {
        "application/vnd.security.vulnerability.report; version=1.1": {
            "scan_status": "Success",
            "severity": "High",
            "summary": {"total": 2, "fixable": 1, "summary": {"High": 1, "Low": 1}},
        }
    },
}
_QUOTA: Final = {**_OF_TAG, "used": 9 * 2**30, "hard": 10 * 2**30, "requested": 2**30}
_REPLICATION: Final = {
    "status": "Success",
    "artifact_type": "image",
    "trigger_type": "MANUAL",
    "started": 1_700_000_000,
    "source": {"registry_type": "harbor", "endpoint": "https://registry.example.com", "namespace": "sample"},
    "destination": {
        "registry_name": "elsewhere",
        "registry_type": "harbor",
        "endpoint": "https://example.org",
    },
    "artifacts": [{"type": "image", "status": "Success", "name_tag": "app:v1.0.0", "references": ["v1.0.0"]}],
    "execution_id": 1,
    "task_id": 1,
}
_RETENTION: Final = {
    "policy_id": 1,
    "rules": [{"template": "latestPushedK", "params": {"latestPushedK": 10}}],
    "total": 11,
    "retained": 10,
    "result": "SUCCESS",
    "deleted": [{"type": "image", "name_tag": "app:v0.1.0", "digest": _DIGEST}],
}
_MEMBER: Final = {"member_id": 1, "user_id": 1, "name": "alice", "role": "developer"}

# The kind of event that each type comes from, and the facts that it needs beyond the common ones.
_EVENTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    notice.PUSH_ARTIFACT: ("artifact.pushed", {"digest": _DIGEST, "tags": ["v1.0.0"]}),
    notice.PULL_ARTIFACT: ("artifact.pulled", _OF_TAG),
    notice.DELETE_ARTIFACT: ("artifact.deleted", {"digest": _DIGEST, "tags": ["v1.0.0"]}),
    notice.QUOTA_EXCEED: ("quota.exceeded", {**_QUOTA, "details": "the project is full"}),
    notice.QUOTA_WARNING: ("quota.warning", {**_QUOTA, "details": "quota usage reach 90%"}),
    notice.SCANNING_FAILED: ("scan.failed", {**_OF_TAG, "scan_type": "vulnerability"}),
    notice.SCANNING_STOPPED: ("scan.stopped", {**_OF_TAG, "scan_type": "vulnerability"}),
    notice.SCANNING_COMPLETED: ("scan.completed", _SCAN),
    notice.REPLICATION: ("replication.finished", _REPLICATION),
    notice.TAG_RETENTION: ("retention.finished", _RETENTION),
    notice.TAG_CREATED: ("tag.created", _OF_TAG),
    notice.TAG_MOVED: ("tag.moved", {**_OF_TAG, "before": _BEFORE}),
    notice.TAG_DELETED: ("tag.deleted", _OF_TAG),
    notice.SIGNATURE_ADDED: (
        "signature.added",
        {"digest": _DIGEST, "signature": _BEFORE, "kind": "signature.cosign"},
    ),
    notice.REPOSITORY_CREATED: ("repository.created", {}),
    notice.REPOSITORY_DELETED: ("repository.deleted", {}),
    notice.PROJECT_UPDATED: ("project.updated", {}),
    notice.PROJECT_DELETED: ("project.deleted", {}),
    notice.MEMBER_ADDED: ("member.created", _MEMBER),
    notice.MEMBER_CHANGED: ("member.updated", _MEMBER),
    notice.MEMBER_REMOVED: ("member.deleted", _MEMBER),
}
_NO_REPOSITORY: Final = ("project.", "member.")


def sample(event_type: str, where: Surroundings, actor: str, *, id: str, at: int) -> Notice:
    """A notice of this type about things that are not there, in the project it is asked for."""
    kind, more = _EVENTS[event_type]
    facts: dict[str, Any] = {"actor": actor, **more}
    if kind.startswith(_NO_REPOSITORY):
        facts["project" if kind.startswith("member.") else "name"] = where.name
    else:
        facts["repository"] = "sample-app" if kind == "retention.finished" else f"{where.name}/sample-app"
    return next(each for each in notices(kind, facts, where, id=id, at=at) if each.type == event_type)
