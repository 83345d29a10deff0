"""One tag, two platforms: an index and its images travel together, and everybody finds their own."""

import json

import pytest

from system.clients import Person
from system.layouts import INDEX, Layout
from system.wire import Wire

pytestmark = pytest.mark.system


def platforms(hello: Layout) -> dict[str, str]:
    """The digest of the image for each architecture."""
    index = hello.parsed(hello.tagged("hello")["digest"])
    return {image["platform"]["architecture"]: image["digest"] for image in index["manifests"]}


def test_an_index_goes_in_and_out_byte_for_byte(admin: Person, wire: Wire, hello: Layout) -> None:
    admin.push(hello.ref("hello"), "library/hello:1", "--all")

    digest = hello.tagged("hello")["digest"]
    got = wire.ask("GET", "/v2/library/hello/manifests/1")
    assert (got.body, got.headers["content-type"]) == (hello.raw(digest), INDEX)
    everything = admin.pull("library/hello:1", "--all")
    assert everything.manifest == hello.raw(digest)
    images = [hello.parsed(image) for image in platforms(hello).values()]
    blobs = {image["config"]["digest"] for image in images} | {
        image["layers"][0]["digest"] for image in images
    }
    # skopeo puts blobs and the manifests of the images into one folder by digest
    assert everything.blobs >= blobs
    for image in platforms(hello).values():
        assert wire.ask("GET", f"/v2/library/hello/manifests/{image}").body == hello.raw(image)


def test_each_platform_gets_its_own_image(admin: Person, hello: Layout) -> None:
    name = "library/hello:1"
    admin.push(hello.ref("hello"), name, "--all")

    for architecture, digest in platforms(hello).items():
        folder = admin.folder / architecture
        admin.skopeo("--override-arch", architecture, "copy", f"docker://{admin.ref(name)}", f"dir:{folder}")
        assert (folder / "manifest.json").read_bytes() == hello.raw(digest)

        admin.podman("pull", "--quiet", "--arch", architecture, admin.ref(name))
        shown = admin.podman("image", "inspect", "--format", "{{.Architecture}}", admin.ref(name))
        assert shown.strip() == architecture


def test_an_index_made_by_buildah_names_the_images_it_was_made_of(
    admin: Person, wire: Wire, hello: Layout
) -> None:
    for architecture in ("amd64", "arm64"):
        admin.push(hello.ref("hello"), f"library/{architecture}:1", "--all")
    # For docker:// these two commands do not look into registries.conf.
    insecure = "--tls-verify=false"
    admin.buildah("manifest", "create", "both")
    for architecture in ("amd64", "arm64"):
        image = f"docker://{admin.ref(f'library/{architecture}:1')}"
        admin.buildah("manifest", "add", insecure, "--arch", architecture, "both", image)

    admin.buildah("manifest", "push", insecure, "--all", "both", f"docker://{admin.ref('library/both:1')}")

    index = json.loads(wire.ask("GET", "/v2/library/both/manifests/1").body)
    assert {image["digest"] for image in index["manifests"]} == set(platforms(hello).values())


def test_without_its_images_an_index_is_refused(wire: Wire, hello: Layout) -> None:
    raw = hello.raw(hello.tagged("hello")["digest"])

    refused = wire.ask("PUT", "/v2/library/alone/manifests/1", raw, {"Content-Type": INDEX})

    assert (refused.status, refused.json()["errors"][0]["code"]) == (400, "MANIFEST_BLOB_UNKNOWN")
