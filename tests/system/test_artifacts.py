"""What is no plain image: Helm charts, artifacts about others, other compressions and other hashes."""

import io
import json
import tarfile
from hashlib import sha512
from pathlib import Path

import pytest

from system.clients import Person
from system.layouts import INDEX, MANIFEST, PLAIN_LAYER, Descriptor, Layout
from system.wire import Wire

pytestmark = pytest.mark.system

CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SPDX = "application/spdx+json"
EMPTY = "application/vnd.oci.empty.v1+json"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: harbourmaster\nversion: 1.2.3\nappVersion: '7'\ntype: application\n",
    "values.yaml": "replicas: 2\nimage:\n  repository: library/harbourmaster\n",
    "templates/configmap.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
        'data:\n  replicas: "{{ .Values.replicas }}"\n'
    ),
}


def packed_chart() -> bytes:
    """What `helm package` makes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in CHART.items():
            member = tarfile.TarInfo(f"harbourmaster/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def chart_layout(folder: Path) -> tuple[Layout, Descriptor]:
    """What `helm push` sends; `+` in a version becomes `_` in its tag."""
    layout = Layout(folder)
    config = {"name": "harbourmaster", "version": "1.2.3", "apiVersion": "v2", "appVersion": "7"}
    body = {
        "config": layout.add(json.dumps(config).encode(), CHART_CONFIG),
        "layers": [layout.add(packed_chart(), CHART_CONTENT)],
        "annotations": {"org.opencontainers.image.title": "harbourmaster"},
    }
    return layout, layout.manifest(body, tag="1.2.3_build.5")


def test_a_helm_chart_is_stored_as_it_is(admin: Person, wire: Wire, tmp_path: Path) -> None:
    layout, chart = chart_layout(tmp_path / "chart")

    admin.push(
        layout.ref("1.2.3_build.5"), "library/charts/harbourmaster:1.2.3_build.5", "--preserve-digests"
    )

    got = admin.pull("library/charts/harbourmaster:1.2.3_build.5")
    assert got.manifest == layout.raw(chart["digest"])
    manifest = json.loads(got.manifest)
    assert manifest["config"]["mediaType"] == CHART_CONFIG
    content = wire.ask(
        "GET", f"/v2/library/charts/harbourmaster/blobs/{manifest['layers'][0]['digest']}"
    ).body
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        assert {name: file.read().decode() for name, file in files.items() if file} == {
            f"harbourmaster/{name}": text for name, text in CHART.items()
        }


def bill_of_materials(layout: Layout, subject: Descriptor) -> Descriptor:
    """An artifact that says what is in `subject`."""
    packages = [{"SPDXID": "SPDXRef-1", "name": "harbourmaster", "downloadLocation": "NOASSERTION"}]
    document = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": packages}
    body = {
        "artifactType": SPDX,
        "config": layout.add(b"{}", EMPTY),
        "layers": [layout.add(json.dumps(document).encode(), SPDX)],
        "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    }
    return layout.manifest(body, tag="sbom")


def test_an_artifact_with_a_subject_is_found_through_it(admin: Person, wire: Wire, tmp_path: Path) -> None:
    layout, chart = chart_layout(tmp_path / "chart")
    about = bill_of_materials(layout, chart)
    admin.push(layout.ref("1.2.3_build.5"), "library/harbourmaster:1.2.3", "--preserve-digests")
    # skopeo may add a tag, so the artifact gets one, too; what links it to the chart is in its manifest.
    admin.push(layout.ref("sbom"), "library/harbourmaster:sbom", "--preserve-digests")

    found = wire.ask("GET", f"/v2/library/harbourmaster/referrers/{chart['digest']}")

    assert (found.status, found.headers["content-type"]) == (200, INDEX)
    expected = {
        "mediaType": MANIFEST,
        "digest": about["digest"],
        "size": about["size"],
        "artifactType": SPDX,
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    }
    assert found.json()["manifests"] == [expected]
    filtered = f"/v2/library/harbourmaster/referrers/{chart['digest']}?artifactType="
    assert wire.ask("GET", f"{filtered}{SPDX.replace('+', '%2B')}").json()["manifests"] == [expected]
    assert wire.ask("GET", f"{filtered}application/vnd.example").json()["manifests"] == []


def test_layers_compressed_with_zstd_are_the_same_files(admin: Person, wire: Wire, hello: Layout) -> None:
    admin.push(hello.ref("hello"), "library/hello:zstd", "--format", "oci", "--dest-compress-format", "zstd")

    manifest = wire.ask("GET", "/v2/library/hello/manifests/zstd").json()
    assert [layer["mediaType"] for layer in manifest["layers"]] == [ZSTD_LAYER]
    layer = wire.ask("GET", f"/v2/library/hello/blobs/{manifest['layers'][0]['digest']}").body
    assert layer.startswith(b"\x28\xb5\x2f\xfd")  # RFC 8878, section 3.1.1
    # podman unpacks it and compares the files with the image's diff ids.
    image = admin.podman("pull", "--quiet", admin.ref("library/hello:zstd")).strip()
    assert manifest["config"]["digest"] == f"sha256:{image}"


def test_uncompressed_layers_stay_uncompressed(admin: Person, wire: Wire, tmp_path: Path) -> None:
    tar = tmp_path / "layer.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(__file__, "usr/share/doc/test.py")
    layout = Layout(tmp_path / "plain")
    layer = layout.add(tar, PLAIN_LAYER)
    image = layout.image([layer], [layer["digest"]], tag="plain")

    admin.push(layout.ref("plain"), "library/plain:1", "--dest-compress-format", "gzip", "--preserve-digests")

    assert admin.pull("library/plain:1").manifest == layout.raw(image["digest"])


def test_everything_may_be_named_by_sha512(wire: Wire, hello: Layout) -> None:
    index = hello.parsed(hello.tagged("hello")["digest"])
    original = hello.parsed(index["manifests"][0]["digest"])

    def pushed(descriptor: Descriptor) -> Descriptor:
        content = hello.raw(descriptor["digest"])
        return {**descriptor, "digest": wire.push_blob("library/sha512", content, "sha512")}

    config, layer = pushed(original["config"]), pushed(original["layers"][0])
    raw = json.dumps({**original, "config": config, "layers": [layer]}).encode()
    digest = f"sha512:{sha512(raw).hexdigest()}"
    stored = wire.ask("PUT", f"/v2/library/sha512/manifests/{digest}?tag=1", raw, {"Content-Type": MANIFEST})

    assert (stored.status, stored.headers["docker-content-digest"]) == (201, digest)
    assert wire.ask("GET", f"/v2/library/sha512/manifests/{digest}").body == raw
    got = wire.ask("GET", f"/v2/library/sha512/blobs/{layer['digest']}")
    assert f"sha512:{sha512(got.body).hexdigest()}" == layer["digest"] == got.headers["docker-content-digest"]
