"""Bodies and references made to confuse or to crush: refused with the right code, and nothing is stored (T42 – T44, T58 – T60)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.media_types import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_IMAGE_INDEX,
    OCI_IMAGE_MANIFEST,
)
from stories.asgi import Answer
from stories.world import Person, World, image, index, layer

MIB = 2**20
LIMIT = 4 * MIB
BASE = Digest.of(layer("base"))
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team` and pushed an image to it."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


async def put(
    person: Person, raw: bytes, content_type: str | None = OCI_IMAGE_MANIFEST, ref: str = "v2"
) -> Answer:
    headers = {"content-type": content_type} if content_type is not None else {}
    return await person("PUT", f"/v2/team/app/manifests/{ref}", raw, headers=headers)


def body(**members: Any) -> dict[str, Any]:
    """An image that could be pushed, with members added or replaced; None takes one away."""
    whole: dict[str, Any] = json.loads(image("base").manifest.raw) | members
    return {key: value for key, value in whole.items() if value is not None}


def padded(size: int) -> bytes:
    """A good manifest of exactly so many bytes."""
    empty = len(json.dumps(body(annotations={"pad": ""})))
    return json.dumps(body(annotations={"pad": "x" * (size - empty)})).encode()


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield bytes(65536)


class TestSize:
    """T42: exactly the limit is fine, a byte more is not, and nobody reads on to find out how much more."""

    async def test_four_mebibytes_are_accepted(self, alice: Person) -> None:
        whole = padded(LIMIT)
        assert len(whole) == LIMIT
        assert (await put(alice, whole)).status == 201
        assert (await alice.pull("team/app:v2")).body == whole

    async def test_one_byte_more_is_not(self, world: World, alice: Person) -> None:
        before = await world.stored()
        assert (await put(alice, padded(LIMIT + 1))).short == (413, "MANIFEST_INVALID")
        assert await world.stored() == before

    async def test_a_body_without_a_length_is_read_to_the_limit_only(
        self, world: World, alice: Person
    ) -> None:
        before = await world.stored()
        answer = await alice(
            "PUT",
            "/v2/team/app/manifests/v2",
            pieces(100 * MIB),
            headers={"content-type": OCI_IMAGE_MANIFEST},
        )
        assert answer.short == (413, "MANIFEST_INVALID")
        assert answer.asked_for * 65536 < LIMIT + MIB
        assert await world.stored() == before

    async def test_a_body_that_announces_too_much_is_not_read(self, alice: Person) -> None:
        headers = {"content-type": OCI_IMAGE_MANIFEST, "content-length": str(100 * MIB)}
        answer = await alice("PUT", "/v2/team/app/manifests/v2", pieces(100 * MIB), headers=headers)
        assert (answer.short, answer["connection"]) == ((413, "MANIFEST_INVALID"), "close")
        assert answer.asked_for * 65536 < MIB

    async def test_a_strangers_body_is_not_read_at_all(self, world: World, alice: Person) -> None:
        for who in (world.anybody, await world.person("bob")):
            answer = await who("PUT", "/v2/team/app/manifests/v2", pieces(100 * MIB))
            assert answer.short == (401, "UNAUTHORIZED")
            assert answer.asked_for * 65536 < MIB

    async def test_the_management_api_takes_a_mebibyte(self, world: World, alice: Person) -> None:
        before = await world.stored()
        large = json.dumps({"project_name": "x", "metadata": {"a": "x" * MIB}}).encode()
        headers = {"content-type": "application/json"}
        for sent in (large, (large,), pieces(100 * MIB)):
            answer = await alice("POST", "/api/v2.0/projects", sent, headers=headers)
            assert answer.short == (413, "REQUEST_ENTITY_TOO_LARGE")
        assert await world.stored() == before


DEEP = 100_000
HOSTILE_JSON: dict[str, bytes] = {
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
    "deep inside a good one": json.dumps(body(extra="?")).encode().replace(b'"?"', b"[" * DEEP + b"]" * DEEP),
    "many keys": b"{" + b",".join(b'"%d":0' % n for n in range(300_000)) + b"}",
    "many items": b'{"a":[' + b"0," * 1_000_000 + b"0]}",
    "an endless integer": json.dumps(body(extra="?")).encode().replace(b'"?"', b"9" * 1_000_000),
    "an endless size": json.dumps(body())
    .encode()
    .replace(b'"size": 2}', b'"size": ' + b"9" * 1_000_000 + b"}"),
    "a huge exponent": json.dumps(body(extra="?")).encode().replace(b'"?"', b"1e999999999"),
    "NaN": json.dumps(body(extra=float("nan"))).encode(),
    "Infinity": json.dumps(body(extra=float("inf"))).encode(),
    "-Infinity": json.dumps(body(extra=-float("inf"))).encode(),
    "a key twice": json.dumps(body()).encode()[:-1] + b', "layers": []}',
    "a key twice inside": json.dumps(body()).encode().replace(b'"size": 2}', b'"size": 2, "size": 2}'),
    "a key twice, escaped": json.dumps(body()).encode()[:-1] + b', "l\\u0061yers": []}',
    "half a surrogate pair": json.dumps(body(annotations={"a": "\ud800"})).encode(),
    "half a pair as a key": json.dumps(body(annotations={"\udc00": "a"})).encode(),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(body()).encode(),
    "UTF-16": json.dumps(body()).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(body()).encode("utf-16-le"),
    "no UTF-8": json.dumps(body(extra="?")).encode().replace(b"?", b"\xff\xfe"),
    "trailing bytes": json.dumps(body()).encode() + b"x",
    "two documents": json.dumps(body()).encode() * 2,
    "a zero byte": json.dumps(body()).encode() + b"\0",
    "a comment": json.dumps(body()).encode() + b"// fine",
    "half of it": json.dumps(body()).encode()[:-20],
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"manifest"',
    "a number": b"2",
}


class TestHostileJson:
    """T43."""

    async def test_as_a_manifest(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for name, raw in HOSTILE_JSON.items():
            for content_type in (OCI_IMAGE_MANIFEST, OCI_IMAGE_INDEX, None):
                answer = await put(alice, raw, content_type)
                assert answer.short == (400, "MANIFEST_INVALID"), name
        assert await world.stored() == before

    async def test_as_a_request_to_the_management_api(self, world: World, alice: Person) -> None:
        before = await world.stored()
        headers = {"content-type": "application/json"}
        for name, raw in HOSTILE_JSON.items():
            answer = await alice("POST", "/api/v2.0/projects", raw, headers=headers)
            assert answer.status in (400, 413, 422), name
            assert answer.code, name
        assert await world.stored() == before


class TestManyReferences:
    """T44."""

    async def test_an_index_names_so_many_and_no_more(self, world: World, alice: Person) -> None:
        child = {"mediaType": "a", "size": 1}
        before = await world.stored()
        for count, refused in ((100_000, 413), (10_001, 400)):
            children = [{**child, "digest": f"sha256:{n:064x}"} for n in range(count)]
            whole = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": children}
            assert (await put(alice, json.dumps(whole).encode(), OCI_IMAGE_INDEX)).status == refused
        assert await world.stored() == before

    async def test_an_image_names_so_many_and_no_more(self, world: World, alice: Person) -> None:
        layers = [{"mediaType": "a", "size": 1, "digest": f"sha256:{n:064x}"} for n in range(10_001)]
        before = await world.stored()
        answer = await put(alice, json.dumps(body(layers=layers)).encode())
        assert answer.short == (400, "MANIFEST_INVALID")
        assert await world.stored() == before

    async def test_many_missing_layers_are_told_of_briefly(self, alice: Person) -> None:
        layers = [{"mediaType": "a/b", "size": 1, "digest": f"sha256:{n:064x}"} for n in range(5000)]
        answer = await put(alice, json.dumps(body(layers=layers)).encode())
        assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")
        assert len(answer.body) < 4096

    async def test_one_layer_named_many_times_is_one(self, alice: Person) -> None:
        layers = json.loads(image("base").manifest.raw)["layers"] * 5000
        assert (await put(alice, json.dumps(body(layers=layers)).encode())).status == 201

    async def test_diamonds_cost_what_they_have_corners(self, world: World, alice: Person) -> None:
        """Thirty levels of two indexes, each naming both below: a thousand million ways down, sixty manifests."""
        below = [index(annotations={"n": side}) for side in "lr"]
        for made in below:
            assert (await alice.push_manifest(f"team/app@{made.digest}", made)).status == 201
        for _ in range(29):
            below = [index(*below, annotations={"n": side}) for side in "lr"]
            for made in below:
                assert (await alice.push_manifest(f"team/app@{made.digest}", made)).status == 201
        top = index(*below)
        assert (await alice.push_manifest("team/app:top", top)).status == 201
        assert (await alice.pull("team/app:top")).body == top.manifest.raw
        assert (await alice.delete(f"team/app@{below[0].digest}")).short == (412, "PRECONDITION")
        assert (await alice.delete(f"team/app@{top.digest}")).status == 202
        assert (await alice.delete(f"team/app@{below[0].digest}")).status == 202


BAD_DIGESTS = (
    BASE.upper(),
    f"sha256:{BASE.hex.upper()}",
    f"sha256:{BASE.hex[:-1]}",
    f"sha256:{BASE.hex}0",
    f"sha512:{BASE.hex}",
    f"sha256:{BASE.hex[:-1]}g",
    f"sha256:{BASE.hex[:-2]}%D9%A1",  # an Arabic one
    f"sha256+x:{BASE.hex}",
    f"sha256::{BASE.hex}",
    f"sha256:{BASE.hex}:",
    f"sha256:{BASE.hex}%0A",
    f"sha256:{BASE.hex}%00",
    f"%20sha256:{BASE.hex}",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
    f"sha384:{'0' * 96}",
    f"blake3:{BASE.hex}",
    "sha256:baddigeststring",
    "sha256:",
    ":",
    "sha256:..",
)


class TestDigests:
    """T58: one spelling, two algorithms."""

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("GET", "/v2/team/app/manifests/{}"),
            ("PUT", "/v2/team/app/manifests/{}"),
            ("DELETE", "/v2/team/app/manifests/{}"),
            ("GET", "/v2/team/app/blobs/{}"),
            ("DELETE", "/v2/team/app/blobs/{}"),
            ("GET", "/v2/team/app/referrers/{}"),
            ("POST", "/v2/team/app/blobs/uploads/?digest={}"),
            ("POST", "/v2/team/app/blobs/uploads/?mount={}"),
            ("PUT", "/v2/team/app/blobs/uploads/0123?digest={}"),
        ],
    )
    async def test_nothing_else_is_a_digest(
        self, world: World, alice: Person, method: str, target: str
    ) -> None:
        before = await world.stored()
        headers = {"content-type": OCI_IMAGE_MANIFEST}
        sent = image("base").manifest.raw if method == "PUT" else b""
        for digest in BAD_DIGESTS:
            answer = await alice(method, target.format(digest), sent, headers=headers)
            assert answer.short == (400, "DIGEST_INVALID"), digest
        assert (await alice(method, target.format(f"sha256:../{BASE.hex}"))).status in (400, 404)
        assert await world.stored() == before

    async def test_an_empty_one_is_none(self, alice: Person) -> None:
        for method, target in (
            ("GET", "/v2/team/app/blobs/"),
            ("POST", "/v2/team/app/blobs/uploads/?digest="),
            ("PUT", "/v2/team/app/blobs/uploads/0123?digest="),
            ("PUT", "/v2/team/app/blobs/uploads/0123"),
        ):
            assert (await alice(method, target)).short == (400, "DIGEST_INVALID"), target

    async def test_a_manifest_has_the_digest_it_is_pushed_by(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for algorithm in ("sha256", "sha512"):
            other = Digest.of(b"something else", algorithm)
            answer = await put(alice, image("base").manifest.raw, ref=other)
            assert answer.short == (400, "DIGEST_INVALID")
        assert await world.stored() == before

    async def test_it_is_known_by_the_algorithm_that_was_asked(self, alice: Person) -> None:
        raw = image("base").manifest.raw
        long = Digest.of(raw, "sha512")
        assert (await put(alice, raw, ref=long))["docker-content-digest"] == long
        assert (await alice.pull(f"team/app@{long}"))["docker-content-digest"] == long
        assert (await alice.pull("team/app:v1"))["docker-content-digest"] == image("base").digest

    async def test_digests_inside_a_manifest_are_held_to_the_same(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for digest in (*BAD_DIGESTS[:6], "sha256:../../etc/passwd", "", None, 1, ["sha256"]):
            bad = body(layers=[{"mediaType": "a/b", "size": 1, "digest": digest}])
            answer = await put(alice, json.dumps(bad).encode())
            assert answer.short == (400, "MANIFEST_INVALID"), digest
        assert await world.stored() == before


LIST: dict[str, Any] = {"manifests": []}
AMBIGUOUS: dict[str, tuple[dict[str, Any], str | None]] = {
    "layers and manifests, as an image": (body(**LIST), OCI_IMAGE_MANIFEST),
    "layers and manifests, as an index": (body(**LIST, mediaType=OCI_IMAGE_INDEX), OCI_IMAGE_INDEX),
    "an index that is sent as an image": (body(config=None, layers=None, **LIST), OCI_IMAGE_MANIFEST),
    "an image that is sent as an index": (body(mediaType=None), OCI_IMAGE_INDEX),
    "mediaType says something else": (body(mediaType=OCI_IMAGE_INDEX), OCI_IMAGE_MANIFEST),
    "mediaType says something close": (body(mediaType=DOCKER_MANIFEST), OCI_IMAGE_MANIFEST),
    "nobody says what it is": (body(mediaType=None), None),
    "docker's without a mediaType": (body(mediaType=None), DOCKER_MANIFEST),
    "docker's list without a mediaType": ({"schemaVersion": 2, **LIST}, DOCKER_MANIFEST_LIST),
    "schema 1": ({"schemaVersion": 1, "name": "team/app", "fsLayers": []}, SCHEMA_1),
    "schema 1 in disguise": (body(schemaVersion=1, fsLayers=[]), OCI_IMAGE_MANIFEST),
    "layers of schema 1 and of ours": (body(fsLayers=[]), OCI_IMAGE_MANIFEST),
    "schemaVersion as text": (body(schemaVersion="2"), OCI_IMAGE_MANIFEST),
    "schemaVersion as fraction": (body(schemaVersion=2.0), OCI_IMAGE_MANIFEST),
    "no schemaVersion": (body(schemaVersion=None), OCI_IMAGE_MANIFEST),
    "no config": (body(config=None), OCI_IMAGE_MANIFEST),
    "no layers": (body(layers=None), OCI_IMAGE_MANIFEST),
    "layers as an object": (body(layers={}), OCI_IMAGE_MANIFEST),
    "mediaType as a list": (body(mediaType=[OCI_IMAGE_MANIFEST]), OCI_IMAGE_MANIFEST),
    "annotations as a list": (body(annotations=["a"]), OCI_IMAGE_MANIFEST),
    "an annotation as a number": (body(annotations={"a": 1}), OCI_IMAGE_MANIFEST),
    "a subject without a digest": (body(subject={"mediaType": "a/b", "size": 1}), OCI_IMAGE_MANIFEST),
    "a negative size": (body(layers=[{"mediaType": "a/b", "size": -1, "digest": BASE}]), OCI_IMAGE_MANIFEST),
    "true as a size": (body(layers=[{"mediaType": "a/b", "size": True, "digest": BASE}]), OCI_IMAGE_MANIFEST),
}


class TestTypes:
    """T59, T60: what a manifest is does not depend on who looks."""

    async def test_a_manifest_means_one_thing_or_is_refused(self, world: World, alice: Person) -> None:
        before = await world.stored()
        for name, (content, content_type) in AMBIGUOUS.items():
            answer = await put(alice, json.dumps(content).encode(), content_type)
            assert answer.short == (400, "MANIFEST_INVALID"), name
        assert await world.stored() == before

    async def test_what_is_no_manifest_type_is_no_manifest(self, world: World, alice: Person) -> None:
        before = await world.stored()
        raw = json.dumps(body(mediaType=None)).encode()
        for content_type in (
            "text/html",
            "application/json",
            "application/octet-stream",
            "image/svg+xml",
            "x" * 4000,
        ):
            answer = await put(alice, raw, content_type)
            assert answer.short == (415, "MANIFEST_INVALID"), content_type
        assert (await put(alice, json.dumps(body(mediaType="text/html")).encode(), None)).status == 415
        assert await world.stored() == before

    async def test_no_browser_makes_a_page_of_what_was_pushed(self, alice: Person) -> None:
        page = b"<script>alert(1)</script>"
        await alice.push_blob("team/app", page)
        blob = await alice.blob("team/app", Digest.of(page))
        assert blob.body == page
        assert blob["content-type"] == "application/octet-stream"
        assert blob["content-disposition"] == "attachment"
        assert "sandbox" in blob["content-security-policy"]
        for answer in (
            blob,
            await alice.pull("team/app:v1"),
            await alice("GET", "/v2/team/app/tags/list"),
            await alice("GET", f"/v2/team/app/referrers/{BASE}"),
            await alice.pull("team/app:none"),
        ):
            assert answer["x-content-type-options"] == "nosniff"

    async def test_a_content_type_is_given_back_without_its_parameters(self, alice: Person) -> None:
        answer = await put(alice, image("base").manifest.raw, f"{OCI_IMAGE_MANIFEST.upper()}; charset=utf-8")
        assert answer.status == 201
        assert (await alice.pull("team/app:v2"))["content-type"] == OCI_IMAGE_MANIFEST
