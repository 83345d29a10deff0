"""Pushing blobs over the distribution API, in every style that clients have."""

from typing import Any

import pytest

from fairway.core.oci.digest import Digest

DATA = b"layers are pushed in pieces" * 100
DIGEST = Digest.of(DATA)
OTHER = Digest.of(b"something else")
UPLOADS = "/v2/team/app/blobs/uploads/"


async def begin(wire: Any) -> str:
    answer = await wire("POST", UPLOADS)
    assert answer.status == 202
    assert answer["content-length"] == "0"
    assert answer["range"] == "0-0"
    assert answer["location"] == UPLOADS + answer["docker-upload-uuid"]
    return str(answer["location"])


async def single_post(wire: Any, digest: Digest) -> Any:
    return await wire("POST", f"{UPLOADS}?digest={digest}", DATA)


async def post_then_put(wire: Any, digest: Digest) -> Any:
    return await wire("PUT", f"{await begin(wire)}?digest={digest}", DATA)


async def post_then_chunked_put(wire: Any, digest: Digest) -> Any:
    return await wire("PUT", f"{await begin(wire)}?digest={digest}", [DATA[:10], DATA[10:]])


async def streamed_patch(wire: Any, digest: Digest) -> Any:
    patched = await wire("PATCH", await begin(wire), [DATA[:7], DATA[7:1000], DATA[1000:]])
    assert patched.status == 202
    assert patched["range"] == f"0-{len(DATA) - 1}"
    assert patched["location"] == UPLOADS + patched["docker-upload-uuid"]
    assert patched["content-length"] == "0"
    return await wire("PUT", f"{patched['location']}?digest={digest}")


async def three_chunks(wire: Any, digest: Digest) -> Any:
    location, at = await begin(wire), 0
    for piece in (DATA[:1000], DATA[1000:2000], DATA[2000:]):
        chunk = {"Content-Range": f"{at}-{at + len(piece) - 1}"}
        patched = await wire("PATCH", location, piece, headers=chunk)
        at += len(piece)
        assert (patched.status, patched["range"]) == (202, f"0-{at - 1}")
        location = patched["location"]
    return await wire("PUT", f"{location}?digest={digest}")


async def last_chunk_on_the_put(wire: Any, digest: Digest) -> Any:
    location = await begin(wire)
    patched = await wire("PATCH", location, DATA[:1000], headers={"Content-Range": "0-999"})
    end = {"Content-Range": f"1000-{len(DATA) - 1}"}
    return await wire("PUT", f"{patched['location']}?digest={digest}", DATA[1000:], headers=end)


STYLES = [
    single_post,
    post_then_put,
    post_then_chunked_put,
    streamed_patch,
    three_chunks,
    last_chunk_on_the_put,
]


@pytest.mark.parametrize("push", STYLES)
async def test_a_pushed_blob_can_be_read_at_its_location(wire: Any, push: Any) -> None:
    answer = await push(wire, DIGEST)
    assert answer.status == 201
    assert answer["location"] == f"/v2/team/app/blobs/{DIGEST}"
    assert answer["docker-content-digest"] == DIGEST
    assert (await wire("GET", answer["location"])).body == DATA


@pytest.mark.parametrize("push", STYLES)
async def test_bytes_that_are_not_their_digest_are_refused(wire: Any, push: Any) -> None:
    answer = await push(wire, OTHER)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await wire("HEAD", f"/v2/team/app/blobs/{OTHER}")).status == 404


@pytest.mark.parametrize("push", STYLES)
async def test_sha512_may_be_asked_for_when_the_upload_ends(wire: Any, push: Any) -> None:
    digest = Digest.of(DATA, "sha512")
    answer = await push(wire, digest)
    assert answer["docker-content-digest"] == digest
    assert (await wire("GET", answer["location"])).body == DATA


async def test_an_empty_blob_is_a_blob(wire: Any) -> None:
    digest = Digest.of(b"")
    answer = await wire("PUT", f"{await begin(wire)}?digest={digest}")
    assert answer.status == 201
    found = await wire("GET", answer["location"])
    assert (found.status, found.body, found["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("chunk", ["1001-1010", "0-9", "900-909"], ids=["gap", "resend", "overlap"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(
    wire: Any, method: str, chunk: str
) -> None:
    location = await begin(wire)
    await wire("PATCH", location, DATA[:1000], headers={"Content-Range": "0-999"})
    target = location if method == "PATCH" else f"{location}?digest={DIGEST}"
    refused = await wire(method, target, b"0123456789", headers={"Content-Range": chunk})
    assert (refused.status, refused.code) == (416, "BLOB_UPLOAD_INVALID")
    assert (refused["location"], refused["range"]) == (location, "0-999")
    assert location.endswith(refused["docker-upload-uuid"])

    state = await wire("GET", location)
    assert (state.status, state["range"], state["location"]) == (204, "0-999", location)
    rest = {"Content-Range": f"1000-{len(DATA) - 1}"}
    assert (await wire("PUT", f"{location}?digest={DIGEST}", DATA[1000:], headers=rest)).status == 201


async def test_an_empty_upload_reports_0_0_and_never_a_negative_end(wire: Any) -> None:
    location = await begin(wire)
    assert (await wire("GET", location))["range"] == "0-0"
    refused = await wire("PATCH", location, b"late", headers={"Content-Range": "5-8"})
    assert (refused.status, refused["range"]) == (416, "0-0")


@pytest.mark.parametrize(
    "chunk", ["0-8", "0-10", "9-0", "0", "a-b", "-1-8", "0-", "lines 0-9", "0-99999999999999999999999"]
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_chunk_that_lies_about_its_range_leaves_the_upload_as_it_was(
    wire: Any, method: str, chunk: str
) -> None:
    location = await begin(wire)
    target = location if method == "PATCH" else f"{location}?digest={DIGEST}"
    refused = await wire(method, target, b"0123456789", headers={"Content-Range": chunk})
    assert refused.status in {400, 416}
    assert (await wire("GET", location))["range"] == "0-0"


async def test_a_chunk_without_announced_length_may_not_outgrow_its_range(wire: Any) -> None:
    location = await begin(wire)
    chunk = {"Content-Range": "0-9"}
    refused = await wire("PATCH", location, [b"01234", b"56789", b"more"], headers=chunk)
    assert (refused.status, refused.code) == (400, "SIZE_INVALID")


async def test_what_arrived_before_the_client_left_is_kept_and_nobody_is_alarmed(wire: Any) -> None:
    location = await begin(wire)
    cut = await wire("PATCH", location, [DATA[:500], DATA[500:800]], hang_up=True)
    assert cut.status == 400
    assert not wire.failures
    assert (await wire("GET", location))["range"] == "0-799"
    assert (await wire("PATCH", location, DATA[800:])).status == 202
    assert (await wire("PUT", f"{location}?digest={DIGEST}")).status == 201


@pytest.mark.parametrize("announced", ["5", "500"], ids=["longer", "shorter"])
async def test_a_body_that_is_not_as_long_as_announced_is_refused(wire: Any, announced: str) -> None:
    length = {"Content-Length": announced}
    answer = await wire("POST", f"{UPLOADS}?digest={DIGEST}", b"0123456789", headers=length)
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


async def test_a_cancelled_upload_is_gone(wire: Any) -> None:
    location = await begin(wire)
    assert (await wire("DELETE", location)).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = await wire(method, location)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_is_known_in_its_own_repository_only(wire: Any) -> None:
    elsewhere = (await begin(wire)).replace("team/app", "team/other")
    for method, target in (
        ("GET", elsewhere),
        ("PATCH", elsewhere),
        ("PUT", f"{elsewhere}?digest={DIGEST}"),
        ("DELETE", elsewhere),
    ):
        answer = await wire(method, target, DATA if method in {"PUT", "PATCH"} else b"")
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_finished_upload_cannot_be_finished_again(wire: Any) -> None:
    location = await begin(wire)
    assert (await wire("PUT", f"{location}?digest={DIGEST}", DATA)).status == 201
    assert (await wire("PUT", f"{location}?digest={DIGEST}", DATA)).code == "BLOB_UPLOAD_UNKNOWN"


async def test_a_closing_put_needs_a_digest(wire: Any) -> None:
    assert (await wire("PUT", await begin(wire))).status == 400


class TestMount:
    async def test_a_blob_of_another_repository_is_mounted(self, wire: Any) -> None:
        digest = await wire.push("team/base", DATA)
        answer = await wire("POST", f"{UPLOADS}?mount={digest}&from=team/base")
        assert answer.status == 201
        assert answer["location"] == f"/v2/team/app/blobs/{digest}"
        assert (await wire("GET", answer["location"])).body == DATA

    async def test_without_a_source_any_repository_will_do(self, wire: Any) -> None:
        digest = await wire.push("team/base", DATA)
        assert (await wire("POST", f"{UPLOADS}?mount={digest}")).status == 201

    @pytest.mark.parametrize("source", ["team/base", "no/such", "NOT%20A%20NAME"])
    async def test_what_cannot_be_mounted_becomes_an_upload(self, wire: Any, source: str) -> None:
        await wire.push("team/base", b"not that one")
        answer = await wire("POST", f"{UPLOADS}?mount={DIGEST}&from={source}")
        assert answer.status == 202
        assert (await wire("PUT", f"{answer['location']}?digest={DIGEST}", DATA)).status == 201
