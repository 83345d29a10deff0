"""Manifests: what real clients push is understood, what two readers could read differently is refused (T42–T44, T58–T60)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestInvalid, ManifestTooLarge, MediaTypeUnsupported
from fairway.core.oci.manifest import Limits, Link, Manifest, parse_manifest
from fairway.core.oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    EMPTY_JSON,
    MANIFEST_TYPES,
    NONDISTRIBUTABLE_LAYER_TYPES,
    OCI_EMPTY,
    OCI_IMAGE_CONFIG,
    OCI_IMAGE_INDEX,
    OCI_IMAGE_MANIFEST,
    SCHEMA_1_TYPES,
)
from fairway.core.oci.platform import Platform

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

OWN = "the type that the body says"

Json = dict[str, Any]


def pointer(content: bytes, media_type: str = LAYER, **more: Any) -> Json:
    return {"mediaType": media_type, "digest": Digest.of(content), "size": len(content), **more}


def image(**changes: Any) -> Json:
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MANIFEST,
        "config": pointer(b"config", OCI_IMAGE_CONFIG),
        "layers": [pointer(b"one"), pointer(b"two")],
    }
    return {key: value for key, value in (body | changes).items() if value is not ...}


def index(*children: Json, **changes: Any) -> Json:
    body = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": list(children)}
    return {key: value for key, value in (body | changes).items() if value is not ...}


def read(body: Any, content_type: str | None = OWN, **options: Any) -> Manifest:
    if content_type == OWN:
        content_type = body.get("mediaType")
    return parse_manifest(json.dumps(body).encode(), content_type, **options)


def refusal(body: Any, content_type: str | None = OWN) -> str:
    with pytest.raises(ManifestInvalid) as refused:
        read(body, content_type)
    return refused.value.message


# ---- what is understood


def test_an_image_says_what_it_is_made_of() -> None:
    manifest = read(image())
    assert (manifest.kind, manifest.media_type) == ("image", OCI_IMAGE_MANIFEST)
    assert manifest.config is not None
    assert manifest.config.digest == Digest.of(b"config")
    assert [layer.size for layer in manifest.layers] == [3, 3]
    assert manifest.manifests == ()
    assert set(manifest.required_blobs()) == {Digest.of(b"config"), Digest.of(b"one"), Digest.of(b"two")}


def test_the_bytes_are_kept_and_the_digest_is_theirs() -> None:
    raw = b"  " + json.dumps(image(), indent=3).encode() + b"\n"
    manifest = parse_manifest(raw, OCI_IMAGE_MANIFEST)
    assert (manifest.raw, manifest.size, manifest.digest) == (raw, len(raw), Digest.of(raw))
    assert parse_manifest(raw, OCI_IMAGE_MANIFEST, algorithm="sha512").digest == Digest.of(raw, "sha512")


def test_an_index_says_what_it_lists() -> None:
    arm = {"os": "linux", "architecture": "arm64", "variant": "v8", "os.version": "1", "os.features": ["f"]}
    child = pointer(
        b"child", OCI_IMAGE_MANIFEST, platform=arm, artifactType="application/x", annotations={"a": "b"}
    )
    manifest = read(index(child))
    assert manifest.kind == "index"
    assert manifest.manifests[0].platform == Platform("linux", "arm64", "v8", "1", ("f",))
    assert (manifest.manifests[0].artifact_type, manifest.manifests[0].annotations) == (
        "application/x",
        {"a": "b"},
    )
    assert manifest.children() == (Digest.of(b"child"),)
    assert manifest.required_blobs() == ()


def test_docker_images_and_lists_are_understood_too() -> None:
    docker = image(mediaType=DOCKER_MANIFEST, config=pointer(b"config", DOCKER_CONFIG))
    assert read(docker).kind == "image"
    assert read(index(pointer(b"child", DOCKER_MANIFEST), mediaType=DOCKER_MANIFEST_LIST)).kind == "index"


ACCEPTED = {
    "no layers": image(layers=[]),
    "null for no layers, as Go writes it": image(layers=None),
    "empty index": index(),
    "null for an empty index": index(manifests=None),
    "nested index": index(pointer(b"inner", OCI_IMAGE_INDEX)),
    "a child of a type we do not know": index(pointer(b"child", "application/vnd.example+json")),
    "unknown extra members": image(
        extra={"deep": [1, {"er": None}]}, config=pointer(b"c", "a/b", more=[True])
    ),
    "artifact with the empty descriptor for both": image(
        config=pointer(EMPTY_JSON, OCI_EMPTY),
        layers=[pointer(EMPTY_JSON, OCI_EMPTY)],
        artifactType="application/x",
    ),
    "artifact index": index(artifactType="application/x", annotations={"a": "b"}),
    "subject of an image": image(subject=pointer(b"elsewhere", OCI_IMAGE_MANIFEST)),
    "subject of an index": index(subject=pointer(b"elsewhere", OCI_IMAGE_INDEX)),
    "null for what is optional": image(subject=None, annotations=None, artifactType=None),
    "data in a descriptor": image(config=pointer(EMPTY_JSON, OCI_EMPTY, data="e30=")),
    "zero bytes": image(layers=[pointer(b"")]),
    "the same layer twice": image(layers=[pointer(b"one"), pointer(b"one")]),
    "3.9 MB of annotations": image(annotations={f"key{number}": "x" * 10_000 for number in range(390)}),
    "sha512 in descriptors": image(config={**pointer(b"c", "a/b"), "digest": Digest.of(b"c", "sha512")}),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_clients_push_is_accepted(body: Json) -> None:
    assert read(body).media_type == body["mediaType"]


@pytest.mark.parametrize(
    "content_type",
    [OCI_IMAGE_MANIFEST, OCI_IMAGE_MANIFEST.upper(), f" {OCI_IMAGE_MANIFEST} ; charset=utf-8", None, "", ";"],
)
def test_parameters_and_case_of_the_content_type_do_not_matter(content_type: str | None) -> None:
    assert read(image(), content_type).media_type == OCI_IMAGE_MANIFEST


@pytest.mark.parametrize("own", [..., None, ""], ids=["absent", "null", "empty"])
def test_an_oci_manifest_may_leave_its_type_to_the_content_type(own: Any) -> None:
    assert read(image(mediaType=own), OCI_IMAGE_MANIFEST).kind == "image"
    assert read(index(mediaType=own), OCI_IMAGE_INDEX).kind == "index"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (image(artifactType="application/x"), "application/x"),
        (image(), OCI_IMAGE_CONFIG),
        (index(artifactType="application/x"), "application/x"),
        (index(), ""),
    ],
)
def test_the_artifact_type_falls_back_to_the_type_of_the_config(body: Json, shown: str) -> None:
    assert read(body).artifact_type == shown


# ---- what it points to


def test_links_are_distinct_and_ordered_by_digest() -> None:
    empty = pointer(EMPTY_JSON, OCI_EMPTY)
    manifest = read(image(config=empty, layers=[empty, pointer(b"one"), empty], subject=pointer(b"s", "a/b")))
    expected = {
        Link(Digest.of(EMPTY_JSON), "config"),
        Link(Digest.of(EMPTY_JSON), "layer"),
        Link(Digest.of(b"one"), "layer"),
        Link(Digest.of(b"s"), "subject"),
    }
    assert set(manifest.links()) == expected
    assert list(manifest.links()) == sorted(expected, key=lambda link: (link.digest, link.kind))
    assert manifest.required_blobs() == tuple(sorted({Digest.of(EMPTY_JSON), Digest.of(b"one")}))


@pytest.mark.parametrize("media_type", sorted(NONDISTRIBUTABLE_LAYER_TYPES))
def test_a_layer_that_must_not_be_distributed_need_not_be_here(media_type: str) -> None:
    manifest = read(image(layers=[pointer(b"windows", media_type)]))
    assert Link(Digest.of(b"windows"), "foreign") in manifest.links()
    assert manifest.required_blobs() == (Digest.of(b"config"),)


def test_a_layer_with_urls_need_not_be_here() -> None:
    manifest = read(image(layers=[pointer(b"far", urls=["https://example.com/far"])]))
    assert manifest.layers[0].urls == ("https://example.com/far",)
    assert Link(Digest.of(b"far"), "foreign") in manifest.links()


def test_children_are_each_named_once_in_the_order_of_the_index() -> None:
    first, second = pointer(b"2", OCI_IMAGE_MANIFEST), pointer(b"1", OCI_IMAGE_MANIFEST)
    assert read(index(first, second, first)).children() == (Digest.of(b"2"), Digest.of(b"1"))


# ---- what is refused

CONFUSING = {
    "image with manifests": image(manifests=[]),
    "image with null manifests": image(manifests=None),
    "index with layers": index(layers=[]),
    "index with a config": index(config=pointer(b"c", OCI_IMAGE_CONFIG)),
    "image with schema 1 layers": image(fsLayers=[]),
    "no schema version": image(schemaVersion=...),
    "schema version 1": image(schemaVersion=1),
    "schema version as text": image(schemaVersion="2"),
    "schema version as float": image(schemaVersion=2.0),
    "schema version true": image(schemaVersion=True),
    "image without config": image(config=...),
    "image with null config": image(config=None),
    "image without layers": image(layers=...),
    "index without manifests": index(manifests=...),
    "neither kind": {"schemaVersion": 2, "mediaType": OCI_IMAGE_MANIFEST},
    "layers as object": image(layers={}),
    "layers as text": image(layers="none"),
    "a layer that is text": image(layers=["sha256:"]),
    "a layer that is null": image(layers=[None]),
    "config as list": image(config=[]),
    "subject as text": image(subject="sha256:"),
    "media type as number": image(mediaType=1),
    "artifact type as list": image(artifactType=[]),
    "artifact type with a line break": image(artifactType="a/b\r\nX: y"),
    "artifact type without end": image(artifactType="a/" + "b" * 300),
    "annotations as list": image(annotations=[]),
    "annotation as number": image(annotations={"a": 1}),
    "annotation as null": image(annotations={"a": None}),
}


@pytest.mark.parametrize("body", CONFUSING.values(), ids=CONFUSING.keys())
def test_a_body_that_could_be_read_in_two_ways_is_refused(body: Json) -> None:
    content_type = body["mediaType"] if isinstance(body["mediaType"], str) else OCI_IMAGE_MANIFEST
    assert refusal(body, content_type)


DESCRIPTOR_FAULTS = {
    "no media type": {"mediaType": None},
    "media type as number": {"mediaType": 1},
    "media type with a control character": {"mediaType": "a/b\0"},
    "no digest": {"digest": None},
    "upper-case digest": {"digest": "sha256:" + "A" * 64},
    "md5": {"digest": "md5:" + "0" * 32},
    "a path": {"digest": "sha256:../x"},
    "digest as number": {"digest": 0},
    "no size": {"size": None},
    "negative size": {"size": -1},
    "size as text": {"size": "3"},
    "size as float": {"size": 3.0},
    "size true": {"size": True},
    "size beyond 63 bits": {"size": 2**63},
    "urls as text": {"urls": "https://example.com"},
    "url as number": {"urls": [1]},
    "annotations as text": {"annotations": "a"},
    "data as number": {"data": 1},
    "platform as text": {"platform": "linux/amd64"},
    "platform with a number": {"platform": {"os": "linux", "architecture": 64}},
    "features as text": {"platform": {"os": "linux", "architecture": "amd64", "os.features": "f"}},
}


@pytest.mark.parametrize("fault", DESCRIPTOR_FAULTS.values(), ids=DESCRIPTOR_FAULTS.keys())
@pytest.mark.parametrize("where", ["config", "layers[1]", "subject", "manifests[0]"])
def test_a_faulty_descriptor_is_refused_wherever_it_stands(where: str, fault: Json) -> None:
    faulty = pointer(b"x") | fault
    body = {
        "config": image(config=faulty),
        "layers[1]": image(layers=[pointer(b"one"), faulty]),
        "subject": index(subject=faulty),
        "manifests[0]": index(faulty),
    }[where]
    assert where in refusal(body)


def test_header_and_body_must_agree_on_the_type() -> None:
    assert "Content-Type" in refusal(image(), OCI_IMAGE_INDEX)
    assert "Content-Type" in refusal(image(mediaType="text/html"), OCI_IMAGE_MANIFEST)
    assert "Content-Type" in refusal(image(mediaType=DOCKER_MANIFEST), OCI_IMAGE_MANIFEST)


def test_a_type_must_be_said_somewhere() -> None:
    assert "media type" in refusal(image(mediaType=...), None)


@pytest.mark.parametrize("media_type", [DOCKER_MANIFEST, DOCKER_MANIFEST_LIST])
def test_a_docker_manifest_must_say_its_own_type(media_type: str) -> None:
    body = image(mediaType=...) if media_type == DOCKER_MANIFEST else index(mediaType=...)
    assert "mediaType" in refusal(body, media_type)


@pytest.mark.parametrize("media_type", sorted(SCHEMA_1_TYPES))
def test_schema_1_is_refused_by_name(media_type: str) -> None:
    body = {"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": [], "signatures": []}
    assert "schema 1" in refusal(body, media_type)


@pytest.mark.parametrize("content_type", ["text/html", "application/json", OCI_IMAGE_CONFIG, "x" * 10_000])
def test_a_type_that_is_no_manifest_is_refused_as_a_type(content_type: str) -> None:
    with pytest.raises(MediaTypeUnsupported) as refused:
        read(image(), content_type)
    assert len(refused.value.message) < 300


def test_without_a_content_type_the_body_must_name_a_manifest_type() -> None:
    with pytest.raises(MediaTypeUnsupported):
        read(image(mediaType="text/html"), None)


DUPLICATE = b'{"schemaVersion":2,"schemaVersion":2}'
NOT_OBJECTS = [b"", b"null", b"[]", b'"x"', b"2", b"\xff\xfe", DUPLICATE, b"{}x", b"<html>"]


@pytest.mark.parametrize("raw", NOT_OBJECTS, ids=repr)
def test_what_is_not_one_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(raw, OCI_IMAGE_MANIFEST)


# ---- bounds


def test_the_limit_of_the_size_is_met_exactly() -> None:
    raw = json.dumps(image()).encode()
    full = raw + b" " * (Limits().size - len(raw))
    assert parse_manifest(full, OCI_IMAGE_MANIFEST).size == 4 * 2**20
    with pytest.raises(ManifestTooLarge):
        parse_manifest(full + b" ", OCI_IMAGE_MANIFEST)


def test_depth_is_bounded() -> None:
    deep = json.dumps(image(extra="?")).replace('"?"', "[" * 1000 + "]" * 1000).encode()
    with pytest.raises(ManifestInvalid, match="nested"):
        parse_manifest(deep, OCI_IMAGE_MANIFEST)


@pytest.mark.parametrize("build", [lambda entries: image(layers=entries), lambda entries: index(*entries)])
def test_references_are_bounded(build: Callable[[list[Json]], Json]) -> None:
    few = Limits(references=3)
    entries = [pointer(bytes([number]), OCI_IMAGE_MANIFEST) for number in range(4)]
    assert read(build(entries[:3]), limits=few).size > 0
    with pytest.raises(ManifestInvalid, match="more than 3"):
        read(build(entries), limits=few)


def test_a_hundred_thousand_children_are_refused() -> None:
    child = json.dumps(pointer(b"child", OCI_IMAGE_MANIFEST)).encode()
    raw = b'{"schemaVersion":2,"manifests":[' + b",".join([child] * 100_000) + b"]}"
    with pytest.raises(ManifestTooLarge):
        parse_manifest(raw, OCI_IMAGE_INDEX)
    with pytest.raises(ManifestInvalid):
        parse_manifest(raw, OCI_IMAGE_INDEX, limits=Limits(size=2**30))


# ---- nothing but an answer or a refusal

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(Digest.of(b"")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "urls", "platform"]), inner, max_size=5
        )
    ),
    max_leaves=10,
)
MEMBERS = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "subject",
    "artifactType",
    "annotations",
]


@given(
    st.sampled_from([image(), index(pointer(b"child", OCI_IMAGE_MANIFEST))]),
    st.dictionaries(st.sampled_from(MEMBERS), values, max_size=3),
    st.sampled_from([*sorted(MANIFEST_TYPES), "text/html", "", None]),
)
def test_any_body_is_either_understood_or_refused(
    body: Json, changes: Json, content_type: str | None
) -> None:
    try:
        manifest = read(body | changes, content_type)
    except (ManifestInvalid, MediaTypeUnsupported):
        return
    assert manifest.media_type in MANIFEST_TYPES
    assert (manifest.kind == "index") == (manifest.config is None)
    assert not (manifest.layers and manifest.manifests)
