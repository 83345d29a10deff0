"""What a manifest is to people: its type in lists, and what it belongs to when it is an accessory.  Pure.

An accessory is a signature, an SBOM or the like of another manifest, its subject.  It names the subject in its `subject`
field, or, as older cosign does, in its tag: `sha256-<hex>.sig`.  The subject may come later, or be gone.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Descriptor, Manifest
from fairway.core.oci.media_types import DOCKER_CONFIG, INDEX_TYPES, OCI_EMPTY, OCI_IMAGE_CONFIG

UNKNOWN: Final = "UNKNOWN"
COSIGN: Final = "signature.cosign"
NOTATION: Final = "signature.notation"
NYDUS: Final = "accelerator.nydus"
SBOM: Final = "sbom.harbor"
SUBJECT: Final = "subject.accessory"
SIGNATURES: Final = frozenset({COSIGN, NOTATION})

WASM: Final = "application/vnd.wasm.config.v1+json"

_MOST: Final = 2**63 - 1
_LONGEST: Final = 255
_TOLD: Final = "org.opencontainers.artifactType"
_AS_WASM: Final = (("module.wasm.image/variant", "compat"), ("run.oci.handler", "wasm"))
_IMAGE_CONFIGS: Final = frozenset({OCI_IMAGE_CONFIG, DOCKER_CONFIG})
_TYPES: Final = {
    **dict.fromkeys([*INDEX_TYPES, *_IMAGE_CONFIGS], "IMAGE"),
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    WASM: "WASM",
    "application/vnd.goharbor.harbor.sbom.v1": "SBOM",
    "application/vnd.cncf.model.config.v1+json": "CNAI",
    "application/vnd.cncf.model.manifest.v1+json": "CNAI",
}
_NAMED: Final = re.compile(r"application/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json", re.ASCII)

_COSIGN_LAYER: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_COSIGN_TAG: Final = re.compile(r"sha256-([0-9a-f]{64})\.sig", re.ASCII)
_BY_SUBJECT: Final = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": COSIGN,
    "application/vnd.dev.sigstore.bundle.v0.3+json": COSIGN,
    "application/vnd.cncf.notary.signature": NOTATION,
    "application/vnd.goharbor.harbor.sbom.v1": SBOM,
}
_NYDUS_LAYER: Final = "containerd.io/snapshot/nydus-bootstrap"


@dataclass(frozen=True, slots=True)
class Accessory:
    """What an accessory is, in Harbor's words, and the digest of its subject."""

    kind: str
    subject: Digest


def media_type_of(manifest: Manifest) -> str:
    """What lists show as the media type: that of the config, or of an index its own.

    Annotations say otherwise of bundles, which are indexes, and of modules of WebAssembly that are packed as images.
    """
    if manifest.config is None:
        told = manifest.annotations.get(_TOLD, "")
        return (
            told
            if 0 < len(told) <= _LONGEST and told.isascii() and told.isprintable()
            else manifest.media_type
        )
    return WASM if as_wasm(manifest) else manifest.config.media_type


def as_wasm(manifest: Manifest) -> bool:
    """Whether an image says by annotation that it is a module of WebAssembly."""
    said = any(manifest.annotations.get(name) == value for name, value in _AS_WASM)
    return said and manifest.config is not None and manifest.config.media_type in _IMAGE_CONFIGS


def type_of(manifest: Manifest) -> str:
    """IMAGE, CHART, …; the `<NAME>` of `application/vnd.<org>.<NAME>.config.<version>+json`, else UNKNOWN.

    A manifest whose config is the empty one says in `artifactType` what it is.
    """
    media_type = media_type_of(manifest)
    if media_type == OCI_EMPTY:
        media_type = manifest.artifact_type
    named = _NAMED.fullmatch(media_type)
    return _TYPES.get(media_type) or (named[1].upper() if named else UNKNOWN)


def accessory(manifest: Manifest, tags: Iterable[str]) -> Accessory | None:
    """What a manifest that is pushed under these tags is to another one; None when it stands for itself."""
    if manifest.subject is not None:
        return Accessory(_kind(manifest), manifest.subject.digest)
    if any(layer.media_type == _COSIGN_LAYER for layer in manifest.layers):
        for tag in sorted(tags):
            if (found := _COSIGN_TAG.fullmatch(tag)) is not None:
                return Accessory(COSIGN, Digest(f"sha256:{found[1]}"))
    return None


def _kind(manifest: Manifest) -> str:
    for media_type in sorted({media_type_of(manifest), manifest.artifact_type}):
        if media_type in _BY_SUBJECT:
            return _BY_SUBJECT[media_type]
    for_nydus = bool(manifest.layers) and _NYDUS_LAYER in manifest.layers[-1].annotations
    return NYDUS if for_nydus and media_type_of(manifest) in _IMAGE_CONFIGS else SUBJECT


def total_size(manifest: Manifest, children: Iterable[int] = ()) -> int:
    """Bytes of the manifest and of all it names; `children` are the total sizes of what an index lists.

    The largest number a column holds when it is more: a manifest may claim any size for a layer that is elsewhere.
    """
    config = manifest.config.size if manifest.config is not None else 0
    named = config + sum(layer.size for layer in manifest.layers) + sum(children)
    return min(_MOST, manifest.size + named)


def about_children(manifest: Manifest) -> dict[Digest, str]:
    """What an index says about each child, as JSON: `platform`, `annotations` and `urls`, those that it gives.

    Of a child that is listed twice, what is said first.
    """
    told: dict[Digest, str] = {}
    for child in manifest.manifests:
        if child.digest not in told:
            told[child.digest] = json.dumps(_said(child), separators=(",", ":"), ensure_ascii=False)
    return told


def _said(child: Descriptor) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if (platform := child.platform) is not None:
        told = {
            "os": platform.os,
            "architecture": platform.architecture,
            "variant": platform.variant,
            "os.version": platform.os_version,
            "os.features": list(platform.os_features),
        }
        said["platform"] = {name: value for name, value in told.items() if value}
    if child.annotations:
        said["annotations"] = dict(child.annotations)
    if child.urls:
        said["urls"] = list(child.urls)
    return said
