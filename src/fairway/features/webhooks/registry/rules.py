"""Events in the docker registry's notification format.

https://distribution.github.io/distribution/about/notifications/
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fairway.features.webhooks.registry.model import Endpoint

_BLOB = "application/octet-stream"


def notifications(
    kind: str, facts: Mapping[str, Any], *, id: str, at: int, base: str, node: str
) -> list[dict[str, Any]]:
    """What is told about one event: a notification per tag that was pushed.

    `at`: microseconds since the epoch.  `base`: the URL that clients use for this registry, without a slash at its end.
    """
    return [
        {
            "id": id if number == 0 else f"{id}-{number}",
            "timestamp": datetime.fromtimestamp(at / 1_000_000, UTC).isoformat().replace("+00:00", "Z"),
            "action": action,
            "target": target,
            "request": {"id": id, "host": base.partition("://")[2], "method": _METHODS[action]},
            "actor": {"name": facts.get("actor", "")},
            "source": {"addr": base.partition("://")[2], "instanceID": node},
        }
        for number, (action, target) in enumerate(_targets(kind, facts, base))
    ]


_METHODS = {"push": "PUT", "mount": "POST", "delete": "DELETE"}


def _targets(kind: str, facts: Mapping[str, Any], base: str) -> list[tuple[str, dict[str, Any]]]:
    repository = str(facts.get("repository", ""))
    digest = facts.get("digest", "")
    if kind == "artifact.pushed":
        target = _target(
            facts["media_type"],
            facts["size"],
            digest,
            repository,
            f"{base}/v2/{repository}/manifests/{digest}",
        )
        return [("push", {**target, "tag": tag}) for tag in sorted(facts["tags"])] or [("push", target)]
    if kind == "blob.pushed":
        target = _target(_BLOB, facts["size"], digest, repository, f"{base}/v2/{repository}/blobs/{digest}")
        if "mounted_from" in facts:
            return [("mount", {**target, "fromRepository": facts["mounted_from"]})]
        return [("push", target)]
    if kind in ("artifact.deleted", "blob.deleted"):
        return [("delete", {"digest": digest, "repository": repository})]
    if kind == "tag.deleted":
        return [("delete", {"digest": digest, "repository": repository, "tag": facts["tag"]})]
    return []


def _target(media_type: str, size: int, digest: str, repository: str, url: str) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "size": size,
        "length": size,
        "digest": digest,
        "repository": repository,
        "url": url,
    }


def wanted(endpoint: Endpoint, notification: Mapping[str, Any]) -> bool:
    """Does an endpoint want to hear of this?"""
    media_type = notification["target"].get("mediaType", "")
    return (
        notification["action"] not in endpoint.ignored_actions
        and media_type not in endpoint.ignored_media_types
    )
