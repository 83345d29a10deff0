"""A Debian root filesystem in three layers goes in by every client and comes out as it was."""

import json

import pytest

from system.clients import Person
from system.layouts import Layout
from system.wire import Wire

pytestmark = pytest.mark.system


def blobs_of(manifest: bytes) -> set[str]:
    parsed = json.loads(manifest)
    return {parsed["config"]["digest"], *(layer["digest"] for layer in parsed["layers"])}


def test_what_skopeo_pushes_everybody_pulls_byte_for_byte(admin: Person, wire: Wire, debian: Layout) -> None:
    digest = debian.tagged("debian")["digest"]
    original = debian.raw(digest)
    assert len(json.loads(original)["layers"]) == 3

    admin.push(debian.ref("debian"), "library/debian:12")

    got = admin.pull("library/debian:12")
    assert got.manifest == original
    assert got.blobs == blobs_of(original)
    assert wire.ask("GET", f"/v2/library/debian/manifests/{digest}").body == original

    admin.podman("pull", "--quiet", admin.ref("library/debian:12"))
    assert (
        admin.podman("image", "inspect", "--format", "{{.Digest}}", admin.ref("library/debian:12")).strip()
        == digest
    )


def test_podman_pushes_what_it_loaded_and_pulls_the_same_image_back(
    admin: Person, wire: Wire, debian: Layout
) -> None:
    image = admin.podman("pull", "--quiet", debian.ref("debian")).split()[-1]
    name, digest_file = admin.ref("library/from-podman:1"), admin.folder / "digest"

    admin.podman("push", "--quiet", "--digestfile", str(digest_file), image, name)

    got = admin.pull("library/from-podman:1")
    assert got.digest == digest_file.read_text()
    assert got.blobs == blobs_of(got.manifest)
    assert wire.ask("GET", f"/v2/library/from-podman/manifests/{got.digest}").body == got.manifest
    admin.podman("rmi", "--force", image)
    assert (
        admin.podman("pull", "--quiet", name).strip() == image
    )  # podman compares every layer with its diff id


def test_buildah_pushes_a_new_layer_on_top_of_the_ones_it_pulled(
    admin: Person, wire: Wire, hello: Layout
) -> None:
    admin.push(hello.ref("hello"), "library/hello:1")
    box = admin.buildah("from", "--quiet", admin.ref("library/hello:1")).strip()
    admin.buildah("copy", "--quiet", box, __file__, "/opt/")
    admin.buildah("commit", "--quiet", box, admin.ref("library/hello:2"))

    admin.buildah("push", "--quiet", admin.ref("library/hello:2"))

    before = wire.ask("GET", "/v2/library/hello/manifests/1").json()["layers"]
    pulled = admin.pull("library/hello:2")
    after = json.loads(pulled.manifest)["layers"]
    assert [layer["digest"] for layer in after[:-1]] == [layer["digest"] for layer in before]
    assert pulled.blobs == blobs_of(pulled.manifest)
