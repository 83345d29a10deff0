"""Images by plain HTTP: the client has no part in the registry's own requests."""

import json
from hashlib import sha256
from typing import Any

from system.layouts import CONFIG, INDEX, MANIFEST, PLAIN_LAYER
from system.wire import Wire


def put(wire: Wire, repo: str, tag: str, body: dict[str, Any]) -> str:
    """The digest of a manifest, stored."""
    raw = json.dumps(body).encode()
    stored = wire.ask("PUT", f"/v2/{repo}/manifests/{tag}", raw, {"Content-Type": body["mediaType"]})
    assert stored.status == 201, stored
    return f"sha256:{sha256(raw).hexdigest()}"


def described(wire: Wire, repo: str, kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": wire.push_blob(repo, content), "size": len(content)}


def push(wire: Wire, repo: str, tag: str, *, seed: bytes = b"bytes", **more: Any) -> str:
    """An image of one layer; its digest."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(seed).hexdigest()}"]},
        "history": [{"created": "2026-11-01T10:00:00Z", "created_by": "COPY bytes /"}],
    }
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(wire, repo, CONFIG, json.dumps(config).encode()),
        "layers": [described(wire, repo, PLAIN_LAYER, seed)],
        "annotations": {"org.opencontainers.image.title": "bytes"},
        **more,
    }
    return put(wire, repo, tag or f"sha256:{sha256(json.dumps(body).encode()).hexdigest()}", body)


def push_index(wire: Wire, repo: str, tag: str, child: str) -> str:
    size = len(wire.ask("GET", f"/v2/{repo}/manifests/{child}", headers={"Accept": MANIFEST}).body)
    platform = {"architecture": "amd64", "os": "linux"}
    entry = {"mediaType": MANIFEST, "digest": child, "size": size, "platform": platform}
    return put(wire, repo, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})


def push_signature(wire: Wire, repo: str, subject: str) -> str:
    size = len(wire.ask("GET", f"/v2/{repo}/manifests/{subject}", headers={"Accept": MANIFEST}).body)
    about = {"mediaType": MANIFEST, "digest": subject, "size": size}
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    return push(wire, repo, "", seed=b"signature", subject=about, artifactType=kind)
