"""Notifications look as the docker registry's do."""

from typing import Any

import pytest

from fairway.features.webhooks.registry.model import Endpoint
from fairway.features.webhooks.registry.rules import notifications, wanted

DIGEST = "sha256:" + "a" * 64
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
PUSHED = {
    "project_id": 1,
    "repository": "library/app",
    "actor": "alice",
    "digest": DIGEST,
    "media_type": MEDIA_TYPE,
    "size": 321,
    "tags": {"v2": {"was": None}, "v1": {"was": None}},
}


def made(kind: str, **facts: Any) -> list[dict[str, Any]]:
    return notifications(
        kind, facts, id="e1", at=1_795_000_000_000_000, base="https://r.example:5000", node="n1"
    )


def test_a_push_is_told_once_for_each_tag() -> None:
    first, second = made("artifact.pushed", **PUSHED)
    assert first == {
        "id": "e1",
        "timestamp": "2026-11-18T11:06:40Z",
        "action": "push",
        "target": {
            "mediaType": MEDIA_TYPE,
            "size": 321,
            "length": 321,
            "digest": DIGEST,
            "repository": "library/app",
            "url": f"https://r.example:5000/v2/library/app/manifests/{DIGEST}",
            "tag": "v1",
        },
        "request": {"id": "e1", "host": "r.example:5000", "method": "PUT"},
        "actor": {"name": "alice"},
        "source": {"addr": "r.example:5000", "instanceID": "n1"},
    }
    assert (second["id"], second["target"]["tag"]) == ("e1-1", "v2")
    [untagged] = made("artifact.pushed", **{**PUSHED, "tags": {}})
    assert "tag" not in untagged["target"]


def test_blobs_mounts_and_deletions() -> None:
    blob = {"repository": "library/app", "digest": DIGEST, "size": 5, "actor": "a"}
    [pushed] = made("blob.pushed", **blob)
    assert (pushed["action"], pushed["target"]["url"].rpartition("/v2/")[2]) == (
        "push",
        f"library/app/blobs/{DIGEST}",
    )
    [mounted] = made("blob.pushed", **blob, mounted_from="library/base")
    assert (mounted["action"], mounted["target"]["fromRepository"]) == ("mount", "library/base")
    [deleted] = made("artifact.deleted", repository="library/app", digest=DIGEST, tags=["v1"])
    assert (deleted["action"], deleted["target"]) == (
        "delete",
        {"digest": DIGEST, "repository": "library/app"},
    )
    [untagged] = made("tag.deleted", repository="library/app", digest=DIGEST, tag="v1")
    assert untagged["target"]["tag"] == "v1"
    assert made("project.created", name="x") == []


@pytest.mark.parametrize(
    ("endpoint", "wants"),
    [
        (Endpoint("e", "u"), True),
        (Endpoint("e", "u", ignored_actions=frozenset({"push"})), False),
        (Endpoint("e", "u", ignored_actions=frozenset({"delete"})), True),
        (Endpoint("e", "u", ignored_media_types=frozenset({MEDIA_TYPE})), False),
    ],
)
def test_an_endpoint_hears_what_it_wants(endpoint: Endpoint, wants: bool) -> None:
    assert wanted(endpoint, made("artifact.pushed", **PUSHED)[0]) is wants
