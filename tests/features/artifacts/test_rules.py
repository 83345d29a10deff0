"""What a manifest is to people: its type, and what it belongs to."""

import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Manifest, parse_manifest
from fairway.core.oci.media_types import DOCKER_CONFIG, OCI_EMPTY, OCI_IMAGE_CONFIG
from fairway.features.artifacts import rules
from fairway.features.artifacts.rules import COSIGN, NOTATION, NYDUS, SBOM, SUBJECT, Accessory

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
OTHER = Digest("sha256:" + "b" * 64)
SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIG_TAG = f"sha256-{OTHER.hex}.sig"
NYDUS_LAYER = {"containerd.io/snapshot/nydus-bootstrap": "true"}


def descriptor(media_type: str, size: int = 2, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(media_type.encode())), "size": size, **more}


def image(config: str, *layers: dict[str, Any], subject: bool = False, **more: Any) -> Manifest:
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": descriptor(config),
        "layers": layers,
    }
    if subject:
        body["subject"] = {"mediaType": OCI, "digest": OTHER, "size": 7}
    return parse_manifest(json.dumps(body | more).encode(), OCI)


def index(*children: dict[str, Any], subject: bool = False, **more: Any) -> Manifest:
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
    if subject:
        body["subject"] = {"mediaType": OCI, "digest": OTHER, "size": 7}
    return parse_manifest(json.dumps(body | more).encode(), INDEX)


@pytest.mark.parametrize(
    ("config", "artifact_type", "expected"),
    [
        (OCI_IMAGE_CONFIG, "", "IMAGE"),
        (DOCKER_CONFIG, "application/vnd.cncf.helm.config.v1+json", "IMAGE"),
        ("application/vnd.cncf.helm.config.v1+json", "", "CHART"),
        ("application/vnd.wasm.config.v1+json", "", "WASM"),
        ("application/vnd.goharbor.harbor.sbom.v1", "", "SBOM"),
        ("application/vnd.cncf.model.config.v1+json", "", "CNAI"),
        ("application/vnd.acme.rocket.config.v1+json", "", "ROCKET"),
        ("application/vnd.acme.rocket.nozzle.config.v2+json", "", "ROCKET.NOZZLE"),
        (OCI_EMPTY, "application/vnd.acme.rocket.config.v1+json", "ROCKET"),
        (OCI_EMPTY, "application/vnd.acme.rocket.v1", "UNKNOWN"),
        (OCI_EMPTY, "", "UNKNOWN"),
        ("application/vnd.acme.rocket.v1+json", "", "UNKNOWN"),
        ("text/plain", "", "UNKNOWN"),
    ],
)
def test_type(config: str, artifact_type: str, expected: str) -> None:
    more = {"artifactType": artifact_type} if artifact_type else {}
    assert rules.type_of(image(config, **more)) == expected


@pytest.mark.parametrize(
    ("told", "media_type", "expected"),
    [
        (
            "application/vnd.acme.rocket.config.v1+json",
            "application/vnd.acme.rocket.config.v1+json",
            "ROCKET",
        ),
        ("application/vnd.acme.rocket", "application/vnd.acme.rocket", "UNKNOWN"),
        ("", INDEX, "IMAGE"),
        ("x" * 256, INDEX, "IMAGE"),
        ("a\nb", INDEX, "IMAGE"),
        ("ü", INDEX, "IMAGE"),
    ],
)
def test_an_index_may_say_by_annotation_what_it_is(told: str, media_type: str, expected: str) -> None:
    made = index(annotations={"org.opencontainers.artifactType": told})
    assert (rules.media_type_of(made), rules.type_of(made)) == (media_type, expected)


def test_an_image_may_say_by_annotation_that_it_is_wasm() -> None:
    for said in ({"module.wasm.image/variant": "compat"}, {"run.oci.handler": "wasm"}):
        for config in (OCI_IMAGE_CONFIG, DOCKER_CONFIG):
            made = image(config, annotations=said)
            assert (rules.media_type_of(made), rules.type_of(made)) == (rules.WASM, "WASM")
        assert rules.media_type_of(image("text/plain", annotations=said)) == "text/plain"
    assert not rules.as_wasm(image(OCI_IMAGE_CONFIG, annotations={"run.oci.handler": "crun"}))


def test_an_index_is_an_image_for_many_platforms() -> None:
    assert (rules.type_of(index()), rules.media_type_of(index())) == ("IMAGE", INDEX)


@pytest.mark.parametrize(
    ("manifest", "kind"),
    [
        (image("application/vnd.dev.cosign.artifact.sig.v1+json", subject=True), COSIGN),
        (
            image(OCI_EMPTY, subject=True, artifactType="application/vnd.dev.sigstore.bundle.v0.3+json"),
            COSIGN,
        ),
        (
            image(
                OCI_IMAGE_CONFIG, subject=True, artifactType="application/vnd.dev.cosign.artifact.sig.v1+json"
            ),
            COSIGN,
        ),
        (image("application/vnd.cncf.notary.signature", subject=True), NOTATION),
        (image("application/vnd.goharbor.harbor.sbom.v1", subject=True), SBOM),
        (
            image(OCI_IMAGE_CONFIG, descriptor("a"), descriptor("b", annotations=NYDUS_LAYER), subject=True),
            NYDUS,
        ),
        (
            image(OCI_IMAGE_CONFIG, descriptor("a", annotations=NYDUS_LAYER), descriptor("b"), subject=True),
            SUBJECT,
        ),
        (image("text/plain", descriptor("a", annotations=NYDUS_LAYER), subject=True), SUBJECT),
        (image(OCI_IMAGE_CONFIG, descriptor(SIGNATURE), subject=True), SUBJECT),
        (index(subject=True), SUBJECT),
        (index(subject=True, artifactType="application/vnd.cncf.notary.signature"), NOTATION),
    ],
)
def test_what_names_a_subject_is_its_accessory(manifest: Manifest, kind: str) -> None:
    assert rules.accessory(manifest, []) == Accessory(kind, OTHER)


SIGNED = image(OCI_IMAGE_CONFIG, descriptor("a"), descriptor(SIGNATURE))


@pytest.mark.parametrize(
    ("manifest", "tags", "expected"),
    [
        (SIGNED, [SIG_TAG], Accessory(COSIGN, OTHER)),
        (SIGNED, ["v1", SIG_TAG], Accessory(COSIGN, OTHER)),
        (SIGNED, [], None),
        (SIGNED, [f"{SIG_TAG}x", f"sha256-{'B' * 64}.sig", f"sha256-{OTHER.hex}.att"], None),
        (image(OCI_IMAGE_CONFIG, descriptor("a")), [SIG_TAG], None),
        (index(), [SIG_TAG], None),
    ],
)
def test_older_cosign_says_it_with_a_tag(
    manifest: Manifest, tags: list[str], expected: Accessory | None
) -> None:
    assert rules.accessory(manifest, tags) == expected


def test_the_size_is_that_of_everything() -> None:
    made = image(OCI_IMAGE_CONFIG, descriptor("a", 10), descriptor("b", 20))
    assert rules.total_size(made) == made.size + 2 + 30
    assert rules.total_size(index(), [100, 200]) == index().size + 300
    assert rules.total_size(image(OCI_IMAGE_CONFIG, descriptor("a", 2**63 - 1))) == 2**63 - 1


def test_what_an_index_says_about_its_children() -> None:
    platform = {
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
        "os.features": ["sse4"],
        "os.version": "1",
    }
    told = rules.about_children(
        index(
            descriptor("a", platform=platform, annotations={"x": "y"}, urls=["https://example.org/a"]),
            descriptor("a", platform={"os": "other", "architecture": ""}),
            descriptor("b"),
        )
    )
    first, second = map(json.loads, told.values())
    assert first == {"platform": platform, "annotations": {"x": "y"}, "urls": ["https://example.org/a"]}
    assert second == {}
