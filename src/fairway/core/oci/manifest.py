"""Manifests: bytes → one value that says what they are and what they point to, or a refusal.

This is the only classifier.  Push, pull, garbage collection, scanning and replication all ask it, so that no two of
them can disagree about the meaning of one digest (GHSA-qq97-vm5h-rrhg).  It decides by the Content-Type, and the body
must not contradict it.  Sources: OCI image specification, manifest.md, image-index.md and descriptor.md; Docker image
manifest v2 schema 2.

The raw bytes are kept and never re-serialised: they are what the digest names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fairway.core.oci import json
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge, MediaTypeUnsupported
from fairway.core.oci.media_types import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    NONDISTRIBUTABLE_LAYER_TYPES,
    SCHEMA_1_TYPES,
)
from fairway.core.oci.platform import Platform

Kind = Literal["image", "index"]
LinkKind = Literal["config", "layer", "child", "subject", "foreign"]

_MAX_SIZE = 2**63 - 1
_MAX_MEDIA_TYPE = 255  # RFC 6838 §4.2: two names of at most 127 characters
_SHOWN = 80
_OF_MANIFEST = (
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
)
_OF_DESCRIPTOR = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
_OF_PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one manifest.  Beyond `size` it is ManifestTooLarge, beyond the others ManifestInvalid."""

    size: int = 4 * 2**20
    depth: int = 64
    members: int = 100_000
    references: int = 10_000


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content: what it is, its digest and its size in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    data: str | None = None

    @property
    def foreign(self) -> bool:
        """Whether the bytes may live elsewhere, so that a registry need not have them."""
        return bool(self.urls) or self.media_type in NONDISTRIBUTABLE_LAYER_TYPES


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One thing a manifest points to, as garbage collection and the links table see it."""

    digest: Digest
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed image manifest or index, with the exact bytes it came from.

    `artifact_type` is what the referrers API shows: the manifest's own, else for an image its config's media type.
    """

    raw: bytes = field(repr=False)
    media_type: str
    digest: Digest
    kind: Kind
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str
    annotations: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes of the manifest itself."""
        return len(self.raw)

    def links(self) -> tuple[Link, ...]:
        """Everything this manifest points to, each once per kind, ordered by digest."""
        found = {Link(child.digest, "child") for child in self.manifests}
        found |= {Link(layer.digest, "foreign" if layer.foreign else "layer") for layer in self.layers}
        if self.config is not None:
            found.add(Link(self.config.digest, "config"))
        if self.subject is not None:
            found.add(Link(self.subject.digest, "subject"))
        return tuple(sorted(found))

    def required_blobs(self) -> tuple[Digest, ...]:
        """The blobs that must be in the repository before this manifest may be: each once, in order."""
        return tuple(sorted({link.digest for link in self.links() if link.kind in ("config", "layer")}))

    def children(self) -> tuple[Digest, ...]:
        """The manifests an index lists, each once, in the order it lists them."""
        return tuple(dict.fromkeys(child.digest for child in self.manifests))


def parse_manifest(
    raw: bytes, content_type: str | None, *, algorithm: str = "sha256", limits: Limits = Limits()
) -> Manifest:
    """The manifest that `raw` is, when it came with this Content-Type (None: the header was absent).

    `algorithm` is that of the digest it will be known by.  Raises ManifestTooLarge, MediaTypeUnsupported,
    ManifestInvalid.
    """
    if len(raw) > limits.size:
        raise ManifestTooLarge(f"the manifest is larger than {limits.size} bytes")
    declared = _essence(content_type)
    if declared:
        _require_manifest_type(declared)
    try:
        body = json.loads(raw, max_bytes=limits.size, max_depth=limits.depth, max_members=limits.members)
    except json.JsonInvalid as error:
        raise ManifestInvalid(f"the manifest is refused: {error}") from error
    if not isinstance(body, dict):
        raise ManifestInvalid("the manifest is not a JSON object")
    _refuse_look_alikes(body, _OF_MANIFEST, "the manifest")
    media_type = _media_type(body, declared)
    parse = _parse_index if media_type in INDEX_TYPES else _parse_image
    return parse(raw, body, media_type, Digest.of(raw, algorithm), limits)


def _essence(content_type: str | None) -> str:
    """The media type without its parameters, in lower case (RFC 9110 §8.3.1)."""
    return (content_type or "").partition(";")[0].strip().lower()


def _require_manifest_type(media_type: str) -> None:
    if media_type in SCHEMA_1_TYPES:
        raise ManifestInvalid("schema 1 manifests are not supported: push with a client of this decade")
    if media_type not in MANIFEST_TYPES:
        raise MediaTypeUnsupported(
            f"{media_type[:_SHOWN]!r} is not a manifest type: send an OCI or Docker v2 image manifest or index"
        )


def _media_type(body: Mapping[str, Any], declared: str) -> str:
    """The media type that header and body agree on."""
    if body.get("schemaVersion") != 2 or not isinstance(body["schemaVersion"], int):
        raise ManifestInvalid("schemaVersion must be 2")
    own = _string(body, "mediaType", "the manifest")
    if not declared and not own:
        raise ManifestInvalid("the manifest has no media type: set Content-Type and mediaType")
    if not declared:
        _require_manifest_type(own)
        return own
    if own and own != declared:
        raise ManifestInvalid(f"mediaType is {own[:_SHOWN]!r} but Content-Type is {declared!r}")
    if not own and declared in (DOCKER_MANIFEST, DOCKER_MANIFEST_LIST):
        raise ManifestInvalid(f"a manifest of type {declared!r} must say so in mediaType")
    return declared


def _parse_image(
    raw: bytes, body: Mapping[str, Any], media_type: str, digest: Digest, limits: Limits
) -> Manifest:
    _refuse_members(body, ("manifests", "fsLayers"), "an image manifest")
    if body.get("config") is None:
        raise ManifestInvalid("an image manifest must have a config")
    config = _descriptor(body["config"], "config")
    return Manifest(
        raw=raw,
        media_type=media_type,
        digest=digest,
        kind="image",
        config=config,
        layers=_descriptors(body, "layers", limits),
        manifests=(),
        subject=_subject(body),
        artifact_type=_string(body, "artifactType", "the manifest", _MAX_MEDIA_TYPE) or config.media_type,
        annotations=_annotations(body, "the manifest"),
    )


def _parse_index(
    raw: bytes, body: Mapping[str, Any], media_type: str, digest: Digest, limits: Limits
) -> Manifest:
    _refuse_members(body, ("config", "layers", "fsLayers"), "an index")
    return Manifest(
        raw=raw,
        media_type=media_type,
        digest=digest,
        kind="index",
        config=None,
        layers=(),
        manifests=_descriptors(body, "manifests", limits),
        subject=_subject(body),
        artifact_type=_string(body, "artifactType", "the manifest", _MAX_MEDIA_TYPE),
        annotations=_annotations(body, "the manifest"),
    )


def _refuse_look_alikes(value: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Go's JSON takes `Layers` for `layers`: what is checked here would not be what its clients run."""
    folded = {key.casefold(): key for key in known}
    for key in value:
        meant = folded.get(key.casefold(), key)
        if key != meant:
            raise ManifestInvalid(f"{where} has the key {key[:_SHOWN]!r}; write {meant!r}")


def _refuse_members(body: Mapping[str, Any], keys: tuple[str, ...], what: str) -> None:
    for key in keys:
        if key in body:
            raise ManifestInvalid(f"{what} must not have {key!r}")


def _subject(body: Mapping[str, Any]) -> Descriptor | None:
    return None if body.get("subject") is None else _descriptor(body["subject"], "subject")


def _descriptors(body: Mapping[str, Any], key: str, limits: Limits) -> tuple[Descriptor, ...]:
    if key not in body:
        raise ManifestInvalid(f"the manifest has no {key!r}")
    items = body[key]
    if items is None:  # what Go writes for an empty list
        return ()
    if not isinstance(items, list):
        raise ManifestInvalid(f"{key} must be a list")
    if len(items) > limits.references:
        raise ManifestInvalid(f"{key} has more than {limits.references} entries")
    return tuple(_descriptor(item, f"{key}[{number}]") for number, item in enumerate(items))


def _descriptor(value: object, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be an object")
    _refuse_look_alikes(value, _OF_DESCRIPTOR, where)
    media_type = _string(value, "mediaType", where, _MAX_MEDIA_TYPE)
    if not media_type:
        raise ManifestInvalid(f"{where} has no mediaType")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise ManifestInvalid(f"{where}.size must be a whole number of bytes")
    try:
        digest = Digest(_string(value, "digest", where))
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where}.digest: {error.message}") from error
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=size,
        platform=_platform(value.get("platform"), f"{where}.platform"),
        annotations=_annotations(value, where),
        artifact_type=_string(value, "artifactType", where, _MAX_MEDIA_TYPE),
        urls=_strings(value, "urls", where),
        data=_string(value, "data", where) if "data" in value else None,
    )


def _string(value: Mapping[str, Any], key: str, where: str, longest: int = 0) -> str:
    """The string under `key`; absent and null are ""."""
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise ManifestInvalid(f"{where}: {key} must be a string")
    if longest and (len(text) > longest or not text.isascii() or not text.isprintable()):
        raise ManifestInvalid(f"{where}: {key} is not a media type")
    return text


def _strings(value: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The list of strings under `key`; absent and null are empty."""
    items = value.get(key)
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ManifestInvalid(f"{where}: {key} must be a list of strings")
    return tuple(items)


def _platform(value: object, where: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be an object")
    _refuse_look_alikes(value, _OF_PLATFORM, where)
    return Platform(
        os=_string(value, "os", where),
        architecture=_string(value, "architecture", where),
        variant=_string(value, "variant", where),
        os_version=_string(value, "os.version", where),
        os_features=_strings(value, "os.features", where),
    )


def _annotations(value: Mapping[str, Any], where: str) -> Mapping[str, str]:
    annotations = value.get("annotations")
    if annotations is None:
        return {}
    if not isinstance(annotations, dict) or not all(isinstance(text, str) for text in annotations.values()):
        raise ManifestInvalid(f"{where}: annotations must map strings to strings")
    return annotations
