"""Every type of event that Harbor has is told with exactly its fields."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairway.features.webhooks.model import CLOUDEVENTS, DEFAULT, HTTP
from fairway.features.webhooks.payloads.formats import render
from fairway.features.webhooks.payloads.notice import EVENT_TYPES, Notice, Surroundings
from fairway.features.webhooks.payloads.notices import KINDS, notices, types

AT = 1_767_225_600_123_456  # 2026-01-01T00:00:00Z
D = "sha256:" + "a" * 64
E = "sha256:" + "b" * 64
HERE = Surroundings("hub.example.com:8443", 7, "team", True, 1_600_000_000_999_999)
COMMON = {"project_id": 7, "repository": "team/web/app", "actor": "alice"}
REPOSITORY = {
    "name": "web/app",
    "namespace": "team",
    "repo_full_name": "team/web/app",
    "repo_type": "public",
}
DATED = {"date_created": 1_600_000_000, **REPOSITORY}
URL = "hub.example.com:8443/team/web/app"

RULE = {
    "template": "latestPushedK",
    "params": {"latestPushedK": 10},
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
SUMMARY = {
    "application/vnd.security.vulnerability.report; version=1.1": {
        "report_id": "5bb6e7b5",
        "scan_status": "Success",
        "severity": "High",
        "summary": {"total": 3, "fixable": 1, "summary": {"High": 1, "Low": 2}},
    }
}
REGISTRY = {
    "registry_name": "elsewhere",
    "registry_type": "harbor",
    "endpoint": "https://elsewhere.example.com",
    "namespace": "theirs",
}
LOCAL = {"registry_type": "harbor", "endpoint": "https://hub.example.com:8443", "namespace": "team"}
REPLICATED = {
    **COMMON,
    "description": "nightly",
    "artifact_type": "image",
    "authentication_type": "basic",
    "override_mode": True,
    "trigger_type": "MANUAL",
    "policy_creator": "admin",
    "started": 1_767_225_000,
    "source": LOCAL,
    "destination": REGISTRY,
    "execution_id": 11,
    "task_id": 12,
}


def told_of_replication(status: str, result: str, **more: Any) -> dict[str, Any]:
    artifact = {"type": "image", "status": status, "name_tag": "app:v1", "references": ["v1"], **more}
    return {
        "replication": {
            "harbor_hostname": "hub.example.com",
            "job_status": status,
            "description": "nightly",
            "artifact_type": "image",
            "authentication_type": "basic",
            "override_mode": True,
            "trigger_type": "MANUAL",
            "policy_creator": "admin",
            "execution_timestamp": 1_767_225_000,
            "src_resource": LOCAL,
            "dest_resource": REGISTRY,
            result: [artifact],
            "execution_id": 11,
            "task_id": 12,
        }
    }


def artifact(tag: str, **more: Any) -> dict[str, Any]:
    url = f"{URL}{'@' if ':' in tag else ':'}{tag}"
    return {"digest": D, "tag": tag, "resource_url": url, **more}


# (kind of event, facts, Harbor's type, event_data)
EVENTS: list[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = [
    (
        "artifact.pushed",
        {**COMMON, "digest": D, "tags": {"v1": {"was": None}}, "media_type": "m", "size": 5},
        "PUSH_ARTIFACT",
        {"resources": [artifact("v1")], "repository": DATED},
    ),
    (
        "artifact.pushed",
        {**COMMON, "digest": D, "tags": []},
        "PUSH_ARTIFACT",
        {"resources": [artifact(D)], "repository": DATED},
    ),
    (
        "artifact.pulled",
        {**COMMON, "digest": D, "tag": "v1", "count": 1},
        "PULL_ARTIFACT",
        {"resources": [artifact("v1")], "repository": DATED},
    ),
    (
        "artifact.pulled",
        {**COMMON, "digest": D, "tag": "", "count": 1},
        "PULL_ARTIFACT",
        {"resources": [artifact(D)], "repository": DATED},
    ),
    (
        "artifact.deleted",
        {**COMMON, "digest": D, "tags": ["v2", "v1"]},
        "DELETE_ARTIFACT",
        {"resources": [artifact("v1"), artifact("v2")], "repository": DATED},
    ),
    (
        "quota.warning",
        {
            **COMMON,
            "project": "team",
            "used": 9,
            "hard": 10,
            "requested": 1,
            "tag": "v1",
            "digest": D,
            "details": "90%",
        },
        "QUOTA_WARNING",
        {
            "resources": [{"digest": D, "tag": "v1"}],
            "repository": REPOSITORY,
            "custom_attributes": {"Details": "90%"},
        },
    ),
    (
        "quota.exceeded",
        {**COMMON, "project": "team", "used": 10, "hard": 10, "requested": 1, "details": "full"},
        "QUOTA_EXCEED",
        {"repository": REPOSITORY, "custom_attributes": {"Details": "full"}},
    ),
    (
        "scan.completed",
        {**COMMON, "digest": D, "tag": "v1", "scan_type": "vulnerability", "overview": SUMMARY},
        "SCANNING_COMPLETED",
        {
            "resources": [artifact("v1", scan_overview=SUMMARY)],
            "repository": REPOSITORY,
            "scan": {"scan_type": "vulnerability"},
        },
    ),
    (
        "scan.completed",
        {**COMMON, "digest": D, "tag": "v1", "scan_type": "sbom", "overview": {"sbom_digest": E}},
        "SCANNING_COMPLETED",
        {
            "resources": [artifact("v1", sbom_overview={"sbom_digest": E})],
            "repository": REPOSITORY,
            "scan": {"scan_type": "sbom"},
        },
    ),
    (
        "scan.failed",
        {**COMMON, "digest": D, "tag": "", "scan_type": "vulnerability"},
        "SCANNING_FAILED",
        {
            "resources": [{"digest": D, "resource_url": f"{URL}@{D}"}],
            "repository": REPOSITORY,
            "scan": {"scan_type": "vulnerability"},
        },
    ),
    (
        "scan.stopped",
        {**COMMON, "digest": D, "tag": "v1", "scan_type": "vulnerability"},
        "SCANNING_STOPPED",
        {"resources": [artifact("v1")], "repository": REPOSITORY, "scan": {"scan_type": "vulnerability"}},
    ),
    (
        "replication.finished",
        {
            **REPLICATED,
            "status": "Success",
            "artifacts": [{"type": "image", "status": "Success", "name_tag": "app:v1", "references": ["v1"]}],
        },
        "REPLICATION",
        told_of_replication("Success", "successful_artifact"),
    ),
    (
        "replication.finished",
        {
            **REPLICATED,
            "status": "Error",
            "artifacts": [
                {
                    "type": "image",
                    "status": "Error",
                    "name_tag": "app:v1",
                    "references": ["v1"],
                    "fail_reason": "no room",
                }
            ],
        },
        "REPLICATION",
        told_of_replication("Error", "failed_artifact", fail_reason="no room"),
    ),
    (
        "retention.finished",
        {
            "project_id": 7,
            "project": "team",
            "repository": "web/app",
            "actor": "alice",
            "policy_id": 4,
            "rules": [{**RULE, "action": "retain", "disabled": False}],
            "total": 12,
            "retained": 10,
            "result": "SUCCESS",
            "deleted": [
                {"type": "image", "name_tag": "web/app:v1", "digest": D},
                {"type": "image", "name_tag": f"web/app@{E}", "digest": E},
            ],
        },
        "TAG_RETENTION",
        {
            "retention": {
                "total": 12,
                "retained": 10,
                "harbor_hostname": "hub.example.com",
                "project_name": "team",
                "retention_policy_id": 4,
                "retention_rule": [RULE],
                "result": "SUCCESS",
                "deleted_artifact": [
                    {"type": "image", "status": "SUCCESS", "name_tag": "web/app:v1"},
                    {"type": "image", "status": "SUCCESS", "name_tag": f"web/app@{E}"},
                ],
            }
        },
    ),
]
HARBORS = EVENT_TYPES[:10]
CLOUD = {
    "PUSH_ARTIFACT": "harbor.artifact.pushed",
    "PULL_ARTIFACT": "harbor.artifact.pulled",
    "DELETE_ARTIFACT": "harbor.artifact.deleted",
    "QUOTA_EXCEED": "harbor.quota.exceeded",
    "QUOTA_WARNING": "harbor.quota.warned",
    "SCANNING_COMPLETED": "harbor.scan.completed",
    "SCANNING_FAILED": "harbor.scan.failed",
    "SCANNING_STOPPED": "harbor.scan.stopped",
    "REPLICATION": "harbor.replication.status.changed",
    "TAG_RETENTION": "harbor.tag_retention.finished",
}


def one(kind: str, facts: Mapping[str, Any]) -> Notice:
    (found,) = notices(kind, facts, HERE, id="e1", at=AT)
    return found


@pytest.mark.parametrize(("kind", "facts", "told_as", "data"), EVENTS)
def test_the_default_payload_is_harbors(
    kind: str, facts: Mapping[str, Any], told_as: str, data: Mapping[str, Any]
) -> None:
    first = notices(kind, facts, HERE, id="e1", at=AT)[0]
    media_type, body = render(first, HTTP, DEFAULT, project=7, policy=3)
    assert media_type == "application/json"
    assert json.loads(body) == {
        "type": told_as,
        "occur_at": 1_767_225_600,
        "operator": "alice",
        "event_data": data,
    }


@pytest.mark.parametrize(("kind", "facts", "told_as", "data"), EVENTS)
def test_the_cloud_event_is_harbors(
    kind: str, facts: Mapping[str, Any], told_as: str, data: Mapping[str, Any]
) -> None:
    first = notices(kind, facts, HERE, id="e1", at=AT)[0]
    media_type, body = render(first, HTTP, CLOUDEVENTS, project=7, policy=3)
    assert media_type == "application/cloudevents+json"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "e1",
        "requestid": "e1",
        "source": "/projects/7/webhook/policies/3",
        "type": CLOUD[told_as],
        "datacontenttype": "application/json",
        "time": "2026-01-01T00:00:00Z",
        "data": data,
        "operator": "alice",
    }


def test_every_type_of_harbors_is_here() -> None:
    assert {told_as for _, _, told_as, _ in EVENTS} == set(HARBORS) == set(CLOUD)


def test_every_notice_knows_its_repository_by_its_whole_name() -> None:
    """So that what is told of one repository is told in order, and is chosen by its name."""
    for kind, facts, _, _ in EVENTS:
        for told in notices(kind, facts, HERE, id="e1", at=AT):
            assert told.repository == "team/web/app", kind


def test_a_retention_that_deleted_nothing_is_not_told() -> None:
    assert notices("retention.finished", {"project_id": 7, "deleted": []}, HERE, id="e", at=AT) == []


def test_a_pull_that_stands_for_several_says_how_many() -> None:
    told = one("artifact.pulled", {**COMMON, "digest": D, "tag": "v1", "count": 17})
    assert told.data["custom_attributes"] == {"pulls": "17"}


def test_a_repository_that_is_gone_has_no_date() -> None:
    gone = Surroundings("hub", 7, "team", False, None)
    (told,) = notices("artifact.deleted", {**COMMON, "digest": D, "tags": []}, gone, id="e", at=AT)
    assert told.data["repository"] == {**REPOSITORY, "repo_type": "private"}


def test_facts_that_are_missing_stop_nothing() -> None:
    for kind in KINDS:
        for told in notices(kind, {}, HERE, id="e", at=AT):
            assert told.type in types(kind)
            for payload_format in (DEFAULT, CLOUDEVENTS):
                json.loads(render(told, HTTP, payload_format, project=7, policy=3)[1])


def test_an_artifact_with_many_tags_is_told_in_bounds() -> None:
    tags = [f"t{n}" for n in range(100_000)]
    for told in notices("artifact.deleted", {**COMMON, "digest": D, "tags": tags}, HERE, id="e", at=AT):
        assert len(told.data["resources"]) == 100
