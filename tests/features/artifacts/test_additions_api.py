"""What artifacts of every kind say about themselves, through the API: attributes, links, pages, icons."""

import json
from base64 import b64decode

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.media_types import OCI_IMAGE_CONFIG
from fairway.features.artifacts import facts, icons
from features.artifacts.kinds import (
    CHART_FILES,
    CHART_YAML,
    DEPENDENCIES,
    IMAGE_CONFIG,
    SBOM,
    a_chart,
    a_kit,
    a_model,
    an_image,
    artifact,
    blob,
    config,
    index_of,
    png,
    tar,
)
from features.artifacts.pages import API, APP, links, page, shown
from features.roles.making import joined, make
from stories.world import Image, Person, World


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


class TestKinds:
    async def test_an_image(self, alice: Person) -> None:
        found = await shown(alice, an_image())
        assert (found["type"], found["icon"]) == ("IMAGE", icons.of_type("IMAGE"))
        assert found["extra_attrs"] == {
            "created": "2026-01-02T03:04:05Z",
            "architecture": "arm64",
            "os": "linux",
            "author": "harbour <h@example.org>",
            "config": IMAGE_CONFIG["config"],
        }
        assert found["addition_links"] == {
            "build_history": {
                "href": f"{APP}/{found['digest']}/additions/build_history",
                "absolute": False,
            }
        }
        history = await alice("GET", found["addition_links"]["build_history"]["href"])
        assert (history.status, history["content-type"]) == (200, "application/json; charset=utf-8")
        assert history.json == IMAGE_CONFIG["history"]

    async def test_an_index_shows_what_it_says_of_each_platform(self, alice: Person) -> None:
        arm = {"os": "linux", "architecture": "arm64", "variant": "v8", "os.features": ["x"]}
        both = index_of(
            (an_image(name="arm"), {"platform": arm, "annotations": {"a": "<b>"}}),
            (an_image({**IMAGE_CONFIG, "architecture": "amd64"}, "amd"), {"platform": {"os": "linux"}}),
        )
        found = await shown(alice, both)
        assert (found["type"], found["extra_attrs"], links(found)) == ("IMAGE", {}, [])
        first, second = found["references"]
        assert first["platform"] == {
            "os": "linux",
            "architecture": "arm64",
            "variant": "v8",
            "os.version": "",
            "os.features": ["x"],
        }
        assert (first["annotations"], second["annotations"]) == ({"a": "<b>"}, {})

    async def test_a_chart(self, alice: Person) -> None:
        found = await shown(alice, a_chart())
        assert (found["type"], found["icon"]) == ("CHART", icons.of_type("CHART"))
        assert found["extra_attrs"] == CHART_YAML
        assert links(found) == ["dependencies", "readme.md", "values.yaml"]
        for name, kind, expected in (
            ("values.yaml", "text/plain", CHART_FILES["pier/values.yaml"]),
            ("readme.md", "text/markdown", CHART_FILES["pier/README.md"]),
            ("README.MD", "text/markdown", CHART_FILES["pier/README.md"]),
            ("dependencies", "application/json", json.dumps(DEPENDENCIES).encode()),
        ):
            answer = await page(alice, name)
            assert (answer.status, answer["content-type"], answer.body) == (
                200,
                f"{kind}; charset=utf-8",
                expected,
            )

    async def test_pages_that_a_chart_has_not_are_empty(self, alice: Person) -> None:
        body = {"name": "pier", "version": "1"}
        await shown(alice, a_chart(tar({"pier/Chart.yaml": b"name: pier\n"}, packed=True), body))
        assert (await page(alice, "values.yaml")).body == b""
        assert (await page(alice, "readme.md")).status == 200
        assert (await page(alice, "dependencies")).json == []

    async def test_links_encode_slashes_twice(self, alice: Person) -> None:
        assert (await alice.push("team/deep/er/app:v1", a_chart())).status == 201
        [found] = (await alice("GET", f"{API}/projects/team/artifacts")).json
        href = found["addition_links"]["values.yaml"]["href"]
        assert href.startswith(f"{API}/projects/team/repositories/deep%252Fer%252Fapp/artifacts/sha256:")
        assert (await alice("GET", href)).body == CHART_FILES["pier/values.yaml"]

    @pytest.mark.parametrize("doc", ["raw", "tar", "tar+gzip"])
    async def test_a_model(self, alice: Person, doc: str) -> None:
        found = await shown(alice, a_model(doc=doc))
        assert (found["type"], found["icon"]) == ("CNAI", icons.of_type("CNAI"))
        assert found["extra_attrs"]["config"] == {"paramSize": "8b"}
        assert links(found) == ["files", "license", "readme.md"]
        readme, terms = await page(alice, "readme.md"), await page(alice, "license")
        assert (readme.body, readme["content-type"]) == (b"# Model\n", "text/markdown; charset=utf-8")
        assert (terms.body, terms["content-type"]) == (b"Apache-2.0\n", "text/plain; charset=utf-8")
        files = (await page(alice, "files")).json
        weights = {"name": "model.safetensors", "type": "file", "size": 7}
        assert files[0] == {"name": "weights", "type": "directory", "children": [weights]}
        assert [each["name"] for each in files] == ["weights", "LICENSE", "README.md", "config.json"]

    async def test_a_model_kit(self, alice: Person) -> None:
        found = await shown(alice, a_kit())
        assert (found["type"], links(found)) == ("MODELKIT", ["files", "readme.md"])
        assert found["extra_attrs"]["package"] == {"name": "buoy"}
        assert (await page(alice, "readme.md")).body == b"# Kit\n"

    async def test_a_model_in_an_image(self, alice: Person) -> None:
        title = {"annotations": {"org.opencontainers.image.title": "model.onnx"}}
        made = artifact(
            config(OCI_IMAGE_CONFIG, {}),
            blob(b"onnx", "application/x-mlmodel", **title),
            blob(b"{}", "application/x-mlmetadata+json"),
        )
        found = await shown(alice, made)
        assert (found["type"], links(found)) == ("MODEL", ["build_history", "files"])
        assert (await page(alice, "files")).json == [{"name": "model.onnx", "type": "file", "size": 4}]

    async def test_models_of_those_who_run_them(self, alice: Person) -> None:
        docker, ollama = "application/vnd.docker.ai", "application/vnd.ollama.image"
        of_docker = artifact(
            config(f"{docker}.model.config.v0.1+json", {"config": {"format": "gguf"}, "rootfs": {}}),
            blob(b"GGUF", f"{docker}.gguf.v3"),
            blob(b"MIT\n", f"{docker}.license"),
        )
        of_ollama = artifact(
            config("application/vnd.docker.container.image.v1+json", {"model_format": "gguf"}),
            blob(b"GGUF", f"{ollama}.model"),
            blob(b"MIT\n", f"{ollama}.license"),
        )
        for tag, made, expected in (
            ("docker", of_docker, {"config": {"format": "gguf"}}),
            ("ollama", of_ollama, {"model_format": "gguf"}),
        ):
            found = await shown(alice, made, tag)
            assert (found["type"], found["extra_attrs"], links(found)) == ("MODEL", expected, ["license"])
            assert (await page(alice, "license", tag)).body == b"MIT\n"

    async def test_a_bundle_of_an_application(self, alice: Person) -> None:
        bundle = artifact(
            config("application/vnd.cnab.config.v1+json", {"name": "dock", "version": "0.1"}),
            blob(b"x", "application/octet-stream"),
        )
        made = index_of(
            (bundle, {"annotations": {"io.cnab.manifest.type": "config"}}),
            (an_image(), {"annotations": {"io.cnab.manifest.type": "invocation"}}),
            annotations={"org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1"},
        )
        found = await shown(alice, made)
        assert (found["type"], found["extra_attrs"]) == ("CNAB", {"name": "dock", "version": "0.1"})
        assert found["media_type"] == "application/vnd.cnab.manifest.v1"

    async def test_modules_in_all_three_ways(self, alice: Person) -> None:
        title = {"annotations": {"org.opencontainers.image.title": "tide.wasm"}}
        layer = blob(b"\0asm", "application/vnd.wasm.content.layer.v1+wasm", **title)
        plain = await shown(alice, artifact(config("application/vnd.wasm.config.v1+json", {}), layer), "one")
        assert plain["extra_attrs"] == {
            "manifest.config.mediaType": "application/vnd.wasm.config.v1+json",
            "manifest.layers.mediaType": "application/vnd.wasm.content.layer.v1+wasm",
            "org.opencontainers.image.title": "tide.wasm",
        }
        cncf = artifact(config("application/vnd.wasm.config.v0+json", {"os": "wasip1"}), layer)
        assert (await shown(alice, cncf, "two"))["extra_attrs"]["os"] == "wasip1"
        annotated = an_image(annotations={"module.wasm.image/variant": "compat"})
        found = await shown(alice, annotated, "three")
        assert (found["type"], links(found)) == ("WASM", ["build_history"])
        assert found["media_type"] == plain["media_type"] == "application/vnd.wasm.config.v1+json"
        assert found["extra_attrs"]["architecture"] == "arm64"
        assert plain["type"] == "WASM"

    async def test_a_policy_and_a_singularity_image(self, alice: Person) -> None:
        opa = "application/vnd.cncf.openpolicyagent"
        rego = blob(b"package x", f"{opa}.policy.layer.v1+rego")
        policy = await shown(alice, artifact(config(f"{opa}.config.v1+json", {}), rego), "policy")
        assert policy["type"] == "OPENPOLICYAGENT"
        assert policy["extra_attrs"] == {"manifest.layers.mediaTypes": [f"{opa}.policy.layer.v1+rego"]}
        sif = artifact(
            config("application/vnd.sylabs.sif.config.v1+json", {}),
            blob(b"SIF_MAGIC", "application/vnd.sylabs.sif.layer.v1.sif"),
        )
        assert (await shown(alice, sif, "sif"))["type"] == "SIF"

    async def test_an_operator_bundle(self, alice: Person) -> None:
        prefix = "operators.operatorframework.io.bundle"
        labels = {f"{prefix}.mediatype.v1": "registry+v1", f"{prefix}.package.v1": "tide", "x": "y"}
        found = await shown(alice, an_image({"os": "linux", "config": {"Labels": labels}}))
        assert found["type"] == "IMAGE"
        assert found["extra_attrs"]["operator_bundle"] == {
            "mediatype.v1": "registry+v1",
            "package.v1": "tide",
        }

    async def test_a_bill_of_materials_is_a_page_of_what_it_is_about(self, alice: Person) -> None:
        subject = an_image()
        await shown(alice, subject)
        listed = {"mediaType": subject.manifest.media_type, "digest": subject.digest, "size": 1}
        document = json.dumps({"spdxVersion": "SPDX-2.3", "packages": ["x" * 90] * 60_000}).encode()
        for number in range(2):
            bom = artifact(
                config(SBOM, {"n": number}),
                blob(document, SBOM),
                subject={**listed, "size": subject.manifest.size},
            )
            assert (await alice.push(f"team/app@{bom.digest}", bom)).status == 201
        found = (await alice("GET", f"{APP}/v1")).json
        assert links(found) == ["build_history", "sboms"]
        href = found["addition_links"]["sboms"]["href"]
        assert href == f"{APP}/{bom.digest}/additions/sbom"
        answer = await alice("GET", href)
        assert len(document) > facts.LARGEST_PAGE
        assert (answer.body, answer["content-type"]) == (document, SBOM)
        assert (answer["content-length"], answer["x-content-type-options"]) == (str(len(document)), "nosniff")
        [first, _] = (await alice("GET", f"{APP}/v1/accessories")).json
        assert (first["type"], first["icon"]) == ("sbom.harbor", icons.of_accessory("sbom.harbor"))


NO_ICONS = {
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image/svg+xml"),
    "HTML": (b"<html><script>alert(1)</script>", "image/png"),
    "wide": (png(5000, 1), "image/png"),
    "cut": (png()[:-20], "image/png"),
    "large": (png() + bytes(2**20), "image/png"),
    "the start of a GIF": (b"GIF89a", "image/gif"),
    "a wide GIF": (b"GIF89a\xff\xff\xff\xff" + bytes(20), "image/gif"),
    "the start of a JPEG": (b"\xff\xd8\xff\xe0\x00\x02", "image/jpeg"),
}


class TestUserDefined:
    """What Harbor's annotations `io.goharbor.artifact.v1alpha1.*` ask for."""

    def made(self, icon: bytes, media_type: str = "image/png") -> Image:
        skip = {"annotations": {"io.goharbor.artifact.v1alpha1.skip-list": "metrics,git"}}
        body = {"framework": "TensorFlow", "metrics": [1], "git": {"sha": "x"}}
        marked = {"annotations": {"io.goharbor.artifact.v1alpha1.icon": ""}}
        return artifact(
            config("application/vnd.caicloud.model.config.v1alpha1+json", body, **skip),
            blob(icon, media_type, **marked),
            blob(b"model", "application/tar+gzip"),
        )

    async def test_attributes_are_left_out_and_the_icon_is_shown(self, world: World, alice: Person) -> None:
        picture = png(text=b"<script>alert(1)</script>")
        found = await shown(alice, self.made(picture))
        assert (found["type"], found["extra_attrs"]) == ("MODEL", {"framework": "TensorFlow"})
        assert found["icon"] == Digest.of(picture)
        answer = await alice("GET", f"{API}/icons/{found['icon']}")
        assert (answer.status, answer.json["content-type"]) == (200, "image/png")
        assert b64decode(answer.json["content"]) == png()  # without its comment

    async def test_an_icon_is_for_those_who_may_see_the_artifact(self, world: World, alice: Person) -> None:
        await shown(alice, self.made(png()))
        absent = await world.anybody("GET", f"{API}/icons/{Digest.of(b'nothing')}")
        for stranger in (world.anybody, await world.person("bob")):
            answer = await stranger("GET", f"{API}/icons/{Digest.of(png())}")
            assert (answer.status, answer.json["errors"][0]["code"]) == (404, "NOT_FOUND")
            assert answer.body.replace(Digest.of(png()).encode(), b"") == absent.body.replace(
                Digest.of(b"nothing").encode(), b""
            )
        assert (await world.admin("GET", f"{API}/icons/{Digest.of(png())}")).status == 200

    @pytest.mark.parametrize(("holds", "status"), [("repository:list", 404), ("repository:pull", 200)])
    async def test_it_is_a_layer_for_those_who_may_pull(
        self, world: World, alice: Person, holds: str, status: int
    ) -> None:
        await shown(alice, self.made(png()))
        bob = await world.person("bob")
        await joined(alice, bob, await make(world.admin, "some", holds))
        assert (await bob("GET", f"{API}/icons/{Digest.of(png())}")).status == status

    @pytest.mark.parametrize("kind", NO_ICONS)
    async def test_what_is_no_small_picture_is_never_an_icon(self, alice: Person, kind: str) -> None:
        icon, media_type = NO_ICONS[kind]
        found = await shown(alice, self.made(icon, media_type))
        assert found["icon"] == icons.of_type("MODEL")
        assert (await alice("GET", f"{API}/icons/{Digest.of(icon)}")).status == 404

    async def test_ours_are_for_everybody(self, world: World) -> None:
        for digest, icon in icons.OURS.items():
            answer = await world.anybody("GET", f"{API}/icons/{digest}")
            assert answer.status == 200
            assert answer.json == {
                "content-type": "image/svg+xml",
                "content": answer.json["content"],
            }
            assert Digest.of(b64decode(answer.json["content"])) == digest
            assert b"script" not in icon.content
        assert (await world.anybody("GET", f"{API}/icons/none")).short == (400, "DIGEST_INVALID")


class TestRefused:
    async def test_an_addition_that_a_kind_has_not(self, alice: Person) -> None:
        await shown(alice, an_image())
        for name in ("values.yaml", "vulnerabilities", "sbom", "x" * 500, "%3Cscript%3E"):
            answer = await page(alice, name)
            assert answer.short == (400, "BAD_REQUEST")
            assert "it has build_history" in answer.json["errors"][0]["message"]

    async def test_an_artifact_that_is_not_there(self, alice: Person) -> None:
        await shown(alice, an_image())
        for ref in ("v2", Digest.of(b"no")):
            assert (await page(alice, "build_history", ref)).short == (404, "NOT_FOUND")
        other = f"{API}/projects/team/repositories/none/artifacts/v1/additions/build_history"
        assert (await alice("GET", other)).short == (404, "NOT_FOUND")

    async def test_pages_are_of_the_project_that_is_asked(self, world: World, alice: Person) -> None:
        """T03: what one project has is not shown through another."""
        chart = a_chart()
        await shown(alice, chart)
        bob = await world.person("bob")
        await world.project("bobs", bob)
        await bob.push("bobs/app:v1", an_image())
        for target in (
            f"bobs/repositories/app/artifacts/{chart.digest}",
            "team/repositories/app/artifacts/v1",
        ):
            answer = await bob("GET", f"{API}/projects/{target}/additions/values.yaml")
            assert answer.status == (404 if target.startswith("bobs") else 403)

    async def test_nothing_is_written_by_looking(self, world: World, alice: Person) -> None:
        await shown(alice, a_chart())
        before = await world.stored()
        await alice("GET", f"{APP}/v1?with_accessory=true")
        for name in ("values.yaml", "readme.md", "dependencies", "none"):
            await page(alice, name)
        assert await world.stored() == before
