"""Keys that Go's JSON would take for others: what is checked here must be what its clients run (T59)."""

import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import ManifestInvalid
from fairway.core.oci.manifest import parse_manifest
from fairway.core.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST

POINTER = {"mediaType": "application/octet-stream", "digest": Digest.of(b"here"), "size": 4}
OTHER = {**POINTER, "digest": Digest.of(b"elsewhere")}
IMAGE = {"schemaVersion": 2, "mediaType": OCI_IMAGE_MANIFEST, "config": POINTER, "layers": [POINTER]}
LISTED = {**POINTER, "mediaType": OCI_IMAGE_MANIFEST}
INDEX = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": [LISTED]}


@pytest.mark.parametrize(
    "body",
    [
        IMAGE | {"Layers": [OTHER]},
        IMAGE | {"layer\u017f": [OTHER]},  # a long s, which folds to s
        IMAGE | {"CONFIG": OTHER},
        IMAGE | {"layers": [POINTER | {"Digest": OTHER["digest"]}]},
        INDEX | {"Manifests": []},
        INDEX
        | {"manifests": [LISTED | {"platform": {"os": "linux", "architecture": "amd64", "OS": "windows"}}]},
    ],
)
def test_a_key_that_differs_only_in_case_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid, match="write '"):
        parse_manifest(json.dumps(body).encode(), body["mediaType"])


def test_keys_nobody_knows_are_kept_as_they_are() -> None:
    body = IMAGE | {"Vendor": 1, "annotations": {"Layers": "text", "layers": "text"}}
    assert parse_manifest(json.dumps(body).encode(), OCI_IMAGE_MANIFEST).config is not None
