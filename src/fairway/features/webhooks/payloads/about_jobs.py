"""The `event_data` of what jobs did in a project: scans, replications, retention.

```text
scan.completed, scan.failed, scan.stopped
    repository (full name), actor, digest, tag, scan_type (vulnerability, sbom), overview {media type: summary}
replication.finished
    repository (full name here), actor, status (Success, Error, …), description, artifact_type, authentication_type,
    override_mode, trigger_type, policy_creator, started (seconds), source and destination {registry_name,
    registry_type, endpoint, provider, namespace}, artifacts [{type, status, name_tag, references, fail_reason}],
    execution_id, task_id
retention.finished
    repository (without the project), project, actor, policy_id, rules (as the API has them), total, retained,
    result, deleted [{type, name_tag, digest}]
```
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.features.webhooks.payloads.about_artifacts import repository_of, resource_url
from fairway.features.webhooks.payloads.notice import Surroundings

Facts = Mapping[str, Any]

MOST_ARTIFACTS: Final = 1000
"""Artifacts that one notice names."""

_SBOM: Final = "sbom"


def scan(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's: the artifact with a summary of what was found, if anything was."""
    digest, tag = str(facts.get("digest") or ""), str(facts.get("tag") or "")
    kind = str(facts.get("scan_type") or "")
    resource = {
        "digest": digest,
        "tag": tag,
        "resource_url": resource_url(facts, where, tag or digest),
        "sbom_overview" if kind == _SBOM else "scan_overview": facts.get("overview"),
    }
    return {
        "resources": [_filled(resource)],
        "repository": repository_of(facts, where),
        "scan": _filled({"scan_type": kind}),
    }


_REGISTRY = ("registry_name", "registry_type", "endpoint", "provider", "namespace")
_ALWAYS = ("registry_type", "endpoint")


def replication(facts: Facts, where: Surroundings) -> dict[str, Any]:
    """Harbor's: what went from where to where, and whether it arrived."""
    status = str(facts.get("status") or "")
    copied = [_copied(each) for each in (facts.get("artifacts") or ())[:MOST_ARTIFACTS]]
    said = {
        "harbor_hostname": _hostname(where),
        "job_status": status,
        "description": facts.get("description"),
        "artifact_type": facts.get("artifact_type"),
        "authentication_type": facts.get("authentication_type"),
        "override_mode": facts.get("override_mode"),
        "trigger_type": facts.get("trigger_type"),
        "policy_creator": facts.get("policy_creator"),
        "execution_timestamp": facts.get("started"),
        "src_resource": _registry(facts.get("source")),
        "dest_resource": _registry(facts.get("destination")),
        "successful_artifact": copied if status == "Success" else None,
        "failed_artifact": copied if status == "Error" else None,
        "execution_id": facts.get("execution_id"),
        "task_id": facts.get("task_id"),
    }
    return {"replication": _filled(said)}


def _copied(facts: Facts) -> dict[str, Any]:
    shown = {name: str(facts.get(name) or "") for name in ("type", "status", "name_tag")}
    more = {"references": facts.get("references"), "fail_reason": facts.get("fail_reason")}
    return {**shown, **_filled(more)}


def _registry(facts: Facts | None) -> dict[str, Any]:
    if not facts:
        return {}
    return {name: str(facts.get(name) or "") for name in _REGISTRY if facts.get(name) or name in _ALWAYS}


_OF_RULE = ("template", "params", "tag_selectors", "scope_selectors")


def retention(facts: Facts, where: Surroundings) -> dict[str, Any] | None:
    """Harbor's: what is kept and what was deleted.  Nothing is told when nothing was."""
    deleted: Sequence[Facts] = facts.get("deleted") or ()
    if not deleted:
        return None
    result = str(facts.get("result") or "")
    rules: Sequence[Facts] = facts.get("rules") or ()
    said = {
        "harbor_hostname": _hostname(where),
        "project_name": str(facts.get("project") or where.name),
        "retention_policy_id": facts.get("policy_id"),
        "retention_rule": [_filled({name: rule.get(name) for name in _OF_RULE}) for rule in rules],
        "result": result,
        "deleted_artifact": [
            {
                "type": str(each.get("type") or ""),
                "status": result,
                "name_tag": str(each.get("name_tag") or ""),
            }
            for each in deleted[:MOST_ARTIFACTS]
        ],
    }
    counts = {"total": facts.get("total") or 0, "retained": facts.get("retained") or 0}
    return {"retention": {**counts, **_filled(said)}}


def _hostname(where: Surroundings) -> str:
    """Without the port; an IPv6 address keeps its brackets."""
    host, bracket, _ = where.host.partition("]")
    return host + bracket if bracket else where.host.partition(":")[0]


def _filled(facts: Facts) -> dict[str, Any]:
    """Without what is empty: Harbor leaves that out."""
    return {name: value for name, value in facts.items() if value}
