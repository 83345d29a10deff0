"""What artifacts say about themselves when it cannot be read, or means harm."""

import json

import pytest

from fairway.core.oci.media_types import OCI_EMPTY, OCI_IMAGE_CONFIG
from fairway.features.artifacts.store import manifests
from features.artifacts.kinds import (
    CHART,
    DOC,
    IMAGE_CONFIG,
    MODEL,
    SBOM,
    a_chart,
    an_image,
    artifact,
    at,
    blob,
    config,
    tar,
)
from features.artifacts.pages import APP, links, page, shown
from stories.world import Person, World


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


CONFIGS = {
    "empty": b"",
    "no JSON": b"not json",
    "no object": b"[1]",
    "no number": b'{"a": NaN}',
    "a key twice": b'{"a": 1, "a": 2}',
    "deep": b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a long number": b'{"a": ' + b"9" * 10_000 + b"}",
    "half a pair": b'{"a": "\\ud800"}',
    "large": b'{"architecture": "' + b"x" * 2**20 + b'"}',
    "other types": b'{"config": {"Labels": 7}, "history": {}, "author": []}',
    "no UTF-8": b"\xff\xfe{}",
}


class TestUnreadable:
    """What cannot be read is accepted and shown with what is known."""

    @pytest.mark.parametrize("body", CONFIGS.values(), ids=CONFIGS)
    async def test_a_config(self, alice: Person, body: bytes) -> None:
        kinds = {OCI_IMAGE_CONFIG: "IMAGE", CHART: "CHART", SBOM: "SBOM", f"{MODEL}.config.v1+json": "CNAI"}
        for tag, (media_type, kind) in enumerate(kinds.items()):
            made = artifact(blob(body, media_type), blob(b"x", "application/octet-stream"))
            found = await shown(alice, made, f"v{tag}")
            assert found["type"] == kind
            assert isinstance(found["extra_attrs"], dict)
            for name in found["addition_links"]:
                assert (await page(alice, name, f"v{tag}")).status == 200

    async def test_attributes_are_bounded(self, alice: Person) -> None:
        labels = {f"label{n}": "x" * 1000 for n in range(500)}
        body = {"os": "linux", "config": {"Labels": labels, "Cmd": ["sh"]}, "architecture": "amd64"}
        found = await shown(alice, an_image(body))
        attributes = found["extra_attrs"]
        assert (attributes["os"], attributes["architecture"]) == ("linux", "amd64")
        assert attributes["config"]["Labels"]["label0"] == "x" * 1000
        assert attributes["config"]["Cmd"] == ["sh"]
        assert len(json.dumps(attributes)) < 2**16

    async def test_of_an_unknown_kind_the_config_is_not_shown(self, alice: Person) -> None:
        made = artifact(config("application/octet-stream", {"a": 1}), blob(b"x", "text/plain"))
        found = await shown(alice, made)
        assert (found["type"], found["extra_attrs"], links(found)) == ("UNKNOWN", {}, [])
        named = artifact(
            config(OCI_EMPTY, {}),
            blob(b"x", "text/plain"),
            artifactType="application/vnd.acme.rocket.config.v1+json",
        )
        assert (await shown(alice, named, "v2"))["type"] == "ROCKET"

    async def test_bytes_that_are_gone_leave_the_rest(self, world: World, alice: Person) -> None:
        what = an_image({**IMAGE_CONFIG, "padding": "x" * 40_000})
        assert (await alice.push("team/app:v1", what)).status == 201
        for name in world.files():
            (world.settings.storage_path / name).unlink()
        found = (await alice("GET", f"{APP}/v1")).json
        assert (found["type"], found["extra_attrs"]) == ("IMAGE", {})
        assert (await page(alice, "build_history")).short == (404, "NOT_FOUND")

    async def test_a_damaged_manifest_leaves_the_rest(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (await alice.push("team/app:v1", an_image())).status == 201
        other = an_image(name="another").manifest.raw
        await world.db.write(
            lambda conn: conn.run(
                manifests._PUSHED_AGAIN, repository=1, digest=an_image().digest, payload=other
            )
        )
        found = (await alice("GET", f"{APP}/v1")).json
        assert (found["type"], found["extra_attrs"]) == ("IMAGE", {})
        assert (await page(alice, "build_history")).short == (404, "NOT_FOUND")


class TestHostile:
    """T32: what browsers are told about text that others wrote."""

    async def test_a_page_is_no_document(self, alice: Person) -> None:
        await shown(alice, a_chart())
        for name in ("readme.md", "values.yaml", "dependencies"):
            answer = await page(alice, name)
            assert answer["x-content-type-options"] == "nosniff"
            assert answer["content-security-policy"] == "default-src 'none'; sandbox"
            assert "html" not in answer["content-type"]

    async def test_markup_stays_text(self, alice: Person) -> None:
        found = await alice.push("team/app:v1", an_image())
        assert found.status == 201
        answer = await alice("GET", f"{APP}/v1")
        assert answer["content-type"] == "application/json"
        assert answer.json["extra_attrs"]["config"]["Labels"]["note"] == "<script>alert(1)</script>"

    async def test_bytes_that_are_no_text(self, alice: Person) -> None:
        files = {"pier/values.yaml": b"a\0b\xff\xc3\xbc", "pier/README.md": b"\x1b[2J"}
        await shown(alice, a_chart(tar(files, packed=True)))
        assert (await page(alice, "values.yaml")).body.decode() == "a�b�ü"
        assert (await page(alice, "readme.md")).body == b"\x1b[2J"

    async def test_names_of_a_model_open_nothing(self, alice: Person) -> None:
        """T47: paths from annotations are shown, and compared with what is in the layer."""
        made = artifact(
            config(f"{MODEL}.config.v1+json", {}),
            blob(b"x", f"{MODEL}.weight.v1.raw", **at("../../etc/passwd")),
            blob(tar({"../README.md": b"outside"}), f"{DOC}.tar", **at("../README.md")),
            blob(b"y", f"{MODEL}.weight.v1.raw", **at("a/" * 100_000)),
            blob(b"z", f"{MODEL}.weight.v1.raw", **at("etc/passwd/below")),
        )
        found = await shown(alice, made)
        files = (await page(alice, "files")).json
        assert files == [
            {"name": "etc", "type": "directory", "children": [{"name": "passwd", "type": "file", "size": 1}]},
            {"name": "README.md", "type": "file", "size": len(tar({"../README.md": b"outside"}))},
        ]
        assert "readme.md" in found["addition_links"]
        assert (await page(alice, "readme.md")).body == b""
