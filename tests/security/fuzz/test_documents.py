"""JSON and manifests: the value that everybody else reads in them, or a declared refusal, within bounds of memory."""

import json
import tracemalloc
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestInvalid, ManifestTooLarge, MediaTypeUnsupported
from fairway.core.oci.json import JsonInvalid, loads
from fairway.core.oci.manifest import Descriptor, parse_manifest
from fairway.core.oci.media_types import DOCKER_MANIFEST, MANIFEST_TYPES, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from faults.images import image, index
from security.fuzz.budget import fuzzed, told_briefly
from security.fuzz.mutations import damaged_bytes

_IMAGE = image(b"{}", [b"layer", b"other"], subject=image(b"{}", []))
_INDEX = index([_IMAGE], note="é")
_DOCUMENTS = (
    _IMAGE.raw,
    _INDEX.raw,
    b'{"a":[1,-2.5e3,true,null,"\\u00e9\\ud83d\\ude00"],"b":{"c":""}}',
    b"[]",
)
_DEPTH, _MEMBERS, _SIZE = 32, 500, 4096
_MEMORY = 16 * 2**20
"""More than any of these documents, which have a few kilobytes, may need."""


def bounds(value: Any) -> tuple[int, int]:
    """Depth and members of a parsed document."""
    below = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    inner = [bounds(each) for each in below]
    own = int(isinstance(value, dict | list))
    return own + max((depth for depth, _ in inner), default=0), len(below) + sum(count for _, count in inner)


@fuzzed("JSON", damaged_bytes(_DOCUMENTS), examples=800)
@example(b'{"a":1,"a":1}')
@example(b'["\\ud800"]')
@example(b"[1e400]")
def test_json_is_read_as_the_standard_library_reads_it_or_refused(raw: bytes) -> None:
    tracemalloc.start()
    try:
        value = loads(raw, max_bytes=_SIZE, max_depth=_DEPTH, max_members=_MEMBERS)
    except JsonInvalid:
        return
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < _MEMORY
    assert value == json.loads(raw.decode())
    assert loads(json.dumps(value).encode(), max_bytes=2**20, max_depth=_DEPTH, max_members=_MEMBERS) == value
    depth, members = bounds(value)
    assert depth <= _DEPTH
    assert members <= 2 * _MEMBERS


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=15,
)


@fuzzed("JSON, valid", plain, st.booleans())
def test_every_plain_document_is_taken(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert loads(raw, max_bytes=2**20, max_depth=64, max_members=10_000) == value


TYPES = st.sampled_from(
    [OCI_IMAGE_MANIFEST, OCI_IMAGE_INDEX, DOCKER_MANIFEST, None, "", f"{OCI_IMAGE_MANIFEST}; charset=utf-8"]
)


@fuzzed("manifests", damaged_bytes([_IMAGE.raw, _INDEX.raw]), TYPES, examples=800)
def test_a_manifest_says_what_its_json_says_or_is_refused(raw: bytes, content_type: str | None) -> None:
    try:
        manifest = parse_manifest(raw, content_type)
    except (ManifestInvalid, ManifestTooLarge, MediaTypeUnsupported) as refused:
        told_briefly(refused)
        return
    body = json.loads(raw)
    assert manifest.raw == raw
    assert manifest.digest == Digest.of(raw)
    assert manifest.media_type in MANIFEST_TYPES
    assert body.get("mediaType") in (None, "", manifest.media_type)
    assert shown(manifest.layers) == named(body.get("layers"))
    assert shown(manifest.manifests) == named(body.get("manifests"))
    assert shown(filter(None, [manifest.config])) == named(filter(None, [body.get("config")]))
    assert {link.digest for link in manifest.links()} == {
        digest
        for each in ("config", "subject", "layers", "manifests")
        for _, digest, _ in named(
            body.get(each) if isinstance(body.get(each), list) else filter(None, [body.get(each)])
        )
    }


def shown(descriptors: Any) -> list[tuple[str, str, int]]:
    return [(each.media_type, each.digest, each.size) for each in descriptors if isinstance(each, Descriptor)]


def named(entries: Any) -> list[tuple[str, str, int]]:
    return [(each["mediaType"], each["digest"], each["size"]) for each in entries or ()]
