"""Pushing, reading and deleting manifests and tags."""

import json
import threading
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import parse_manifest
from fairway.core.wire import handlers

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
URL = "/v2/team/app/manifests/"


def subject(digest: str) -> dict[str, Any]:
    return {"mediaType": IMAGE, "digest": digest, "size": 123}


async def test_a_manifest_comes_back_byte_for_byte_by_tag_and_by_digest(wire: Any) -> None:
    digest, raw = await wire.push_manifest("team/app", "v1", unknown={"kept": [1, 2, {"as": "it is"}]})
    for ref in ("v1", digest):
        got = await wire("GET", URL + ref)
        assert (got.status, got.body) == (200, raw)
        assert got["content-type"] == IMAGE
        assert got["content-length"] == str(len(raw))
        assert got["docker-content-digest"] == digest
        assert got["etag"] == f'"{digest}"'
        assert got["x-content-type-options"] == "nosniff"
        head = await wire("HEAD", URL + ref)
        assert (head.status, head.body, head.headers) == (200, b"", got.headers)


async def test_what_a_tag_means_is_asked_again_a_digest_is_for_ever(wire: Any) -> None:
    digest, _ = await wire.push_manifest("team/app", "v1")
    assert (await wire("GET", URL + "v1"))["cache-control"] == "no-cache"
    assert "immutable" in (await wire("GET", URL + digest))["cache-control"]


async def test_a_large_manifest_is_parsed_off_the_loop(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def parse(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return parse_manifest(*arguments, **options)

    monkeypatch.setattr(handlers, "parse_manifest", parse)
    await wire.push_manifest("team/app", "small")
    await wire.push_manifest("team/app", "large", annotations={"note": "x" * 100_000})
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_manifest_the_client_has_is_not_sent_again(wire: Any, method: str) -> None:
    digest, _ = await wire.push_manifest("team/app", "v1")
    for known in (f'"{digest}"', digest, f'W/"{digest}"', f'"old", "{digest}"', "*"):
        same = await wire(method, URL + "v1", headers={"If-None-Match": known})
        assert (same.status, same.body, same["etag"]) == (304, b"", f'"{digest}"')
    changed = await wire(method, URL + "v1", headers={"If-None-Match": f'"{Digest.of(b"old")}"'})
    assert changed.status == 200


async def test_the_stored_type_is_sent_whatever_is_accepted(wire: Any) -> None:
    await wire.push_manifest("team/app", "v1")
    answer = await wire("GET", URL + "v1", headers={"Accept": "application/json", "Accept-Encoding": "gzip"})
    assert (answer.status, answer["content-type"]) == (200, IMAGE)
    assert "content-encoding" not in answer


async def test_a_push_says_where_it_went(wire: Any) -> None:
    _, raw = await wire.push_manifest("team/app", "v1")
    for ref in ("v2", Digest.of(raw)):
        answer = await wire("PUT", URL + ref, raw, headers={"Content-Type": f"{IMAGE}; charset=utf-8"})
        assert (answer.status, answer["location"]) == (201, URL + Digest.of(raw))
        assert answer["docker-content-digest"] == Digest.of(raw)
        assert (await wire("GET", answer["location"])).body == raw


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_push_by_digest_may_bring_tags(wire: Any, algorithm: str) -> None:
    _, raw = await wire.push_manifest("team/app", "v1")
    digest = Digest.of(raw, algorithm)
    answer = await wire("PUT", f"{URL}{digest}?tag=a&tag=b&tag=a", raw, headers={"Content-Type": IMAGE})
    assert answer.status == 201
    assert answer.all("oci-tag") == ["a", "b"]
    assert answer["docker-content-digest"] == digest
    for tag in ("a", "b"):
        assert (await wire("HEAD", URL + tag))["docker-content-digest"] == digest


async def test_a_push_under_another_digest_is_refused(wire: Any) -> None:
    _, raw = await wire.push_manifest("team/app", "v1")
    answer = await wire("PUT", URL + Digest.of(b"other"), raw, headers={"Content-Type": IMAGE})
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("bad", ["sha256:baddigeststring", "sha256:", "md5:" + "0" * 32, "sha256+x:ab"])
async def test_what_looks_like_a_digest_is_never_a_tag(wire: Any, bad: str) -> None:
    _, raw = await wire.push_manifest("team/app", "v1")
    assert (await wire("PUT", URL + bad, raw, headers={"Content-Type": IMAGE})).status == 400
    assert (await wire("GET", URL + bad)).status in {400, 404}


@pytest.mark.parametrize(
    ("content_type", "status"), [("text/html", 415), ("application/json", 415), (INDEX, 400)]
)
async def test_a_manifest_must_come_as_what_it_is(wire: Any, content_type: str, status: int) -> None:
    _, raw = await wire.push_manifest("team/app", "v1")
    answer = await wire("PUT", URL + "v2", raw, headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (status, "MANIFEST_INVALID")


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"schemaVersion":2,"schemaVersion":2}', b'{"schemaVersion":1}']
)
async def test_what_is_no_manifest_is_refused(wire: Any, body: bytes) -> None:
    answer = await wire("PUT", URL + "v1", body, headers={"Content-Type": IMAGE})
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


async def test_a_manifest_needs_its_blobs_first(wire: Any) -> None:
    missing = Digest.of(b"never pushed")
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": missing, "size": 12}
    body = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {"mediaType": EMPTY, "digest": await wire.push("team/app", b"{}"), "size": 2},
        "layers": [layer],
    }
    answer = await wire("PUT", URL + "v1", json.dumps(body).encode(), headers={"Content-Type": IMAGE})
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json["errors"][0]["detail"] == [missing]


class TestSize:
    LIMIT = 4 * 2**20

    def manifest(self, config: Digest, size: int) -> bytes:
        body = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": EMPTY, "digest": config, "size": 2},
            "layers": [],
            "annotations": {"pad": ""},
        }
        rest = size - len(json.dumps(body))
        body["annotations"] = {"pad": "x" * rest}
        return json.dumps(body).encode()

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_four_mebibytes_are_taken_and_not_one_byte_more(self, wire: Any, chunked: bool) -> None:
        config = await wire.push("team/app", b"{}")
        for size, status in ((self.LIMIT, 201), (self.LIMIT + 1, 413)):
            raw = self.manifest(config, size)
            body = [raw[at : at + 65536] for at in range(0, len(raw), 65536)] if chunked else raw
            answer = await wire("PUT", URL + "v1", body, headers={"Content-Type": IMAGE})
            assert answer.status == status

    async def test_an_announced_excess_is_refused_before_it_is_read(self, wire: Any) -> None:
        headers = {"Content-Type": IMAGE, "Content-Length": str(2**30), "Expect": "100-continue"}
        answer = await wire("PUT", URL + "v1", b"", headers=headers)
        assert (answer.status, answer["connection"]) == (413, "close")

    async def test_the_limit_can_be_set(self, wire: Any) -> None:
        wire.max_manifest_bytes = 100
        answer = await wire("PUT", URL + "v1", b"x" * 101, headers={"Content-Type": IMAGE})
        assert answer.status == 413


class TestReferrers:
    async def test_a_subject_is_acknowledged_whether_it_is_there_or_not(self, wire: Any) -> None:
        missing = Digest.of(b"missing subject")
        _, raw = await wire.push_manifest("team/app", subject=subject(missing))
        answer = await wire("PUT", URL + "v1", raw, headers={"Content-Type": IMAGE})
        assert answer["oci-subject"] == missing

    async def test_an_index_may_have_a_subject_too(self, wire: Any) -> None:
        missing = Digest.of(b"missing subject")
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject(missing)}
        raw = json.dumps(index).encode()
        answer = await wire("PUT", URL + "v1", raw, headers={"Content-Type": INDEX})
        assert (answer.status, answer["oci-subject"]) == (201, missing)
        (found,) = (await wire("GET", f"/v2/team/app/referrers/{missing}")).json["manifests"]
        assert found == {"mediaType": INDEX, "digest": Digest.of(raw), "size": len(raw)}


class TestDeleting:
    async def test_a_tag_is_deleted_alone(self, wire: Any) -> None:
        digest, _ = await wire.push_manifest("team/app", "v1")
        assert (await wire("DELETE", URL + "v1")).status == 202
        assert (await wire("HEAD", URL + "v1")).status == 404
        assert (await wire("HEAD", URL + digest)).status == 200

    async def test_a_manifest_is_deleted_with_its_tags(self, wire: Any) -> None:
        digest, raw = await wire.push_manifest("team/app", "v1")
        await wire("PUT", URL + "v2", raw, headers={"Content-Type": IMAGE})
        assert (await wire("DELETE", URL + digest)).status == 202
        for ref in (digest, "v1", "v2"):
            assert (await wire("HEAD", URL + ref)).status == 404

    @pytest.mark.parametrize("ref", ["nothing", Digest.of(b"nothing")])
    async def test_what_is_not_there_cannot_be_deleted(self, wire: Any, ref: str) -> None:
        await wire.push_manifest("team/app", "v1")
        answer = await wire("DELETE", URL + ref)
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")

    async def test_an_image_is_deleted_from_the_top_down(self, wire: Any) -> None:
        digest, _ = await wire.push_manifest("team/app", "v1")
        config = f"/v2/team/app/blobs/{Digest.of(b'{}')}"
        for target in (URL + "v1", URL + digest, config):
            assert (await wire("DELETE", target)).status == 202
            assert (await wire("HEAD", target)).status == 404


async def test_an_unknown_repository_is_404(wire: Any) -> None:
    assert (await wire("GET", URL + "v1")).status == 404
    answer = await wire("GET", "/v2/team/app/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
