"""The same bad input through a running hub: refused with the right status, and nothing has moved (M1 – M4)."""

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from fairway.core.oci.errors import SizeInvalid
from fairway.core.wire.ranges import parse_content_range
from faults.client import Answer, Client
from faults.conftest import running
from faults.images import IMAGE, INDEX, image
from faults.journal import Journal
from faults.resources import wait_until_calm
from hub import Hub
from security.fuzz.budget import run
from security.fuzz.mutations import damaged_bytes
from security.fuzz.test_grammars import DIGESTS, NAMES, TAGS
from security.fuzz.test_headers import CHUNKS, RANGES
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

MIB = 2**20
BLOB = bytes(range(256)) * 64
DIGEST = f"sha256:{sha256(BLOB).hexdigest()}"


class Talk:
    """The administrator on one connection."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.wire = Wire(hub)
        self._client = Client(hub.place, Journal(hub.folder, "talk"), Random(0))

    def close(self) -> None:
        self._client.close()

    def __call__(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = self._client.call(method, target, body or b"", headers)
        assert answer.status < 500, (method, target[:200], answer)
        if answer.status >= 400 and method != "HEAD":
            assert json.loads(answer.body)["errors"][0]["code"]
        return answer


@pytest.fixture(scope="module", params=["sqlite-1", "postgresql-3"])
def talk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    with running(request, tmp_path_factory.mktemp("bad-input")) as stage:
        wait_until_calm(stage.hub)
        Wire(stage.hub).push_blob("library/app", BLOB)
        talk = Talk(stage.hub)
        yield talk
        talk.close()


def header(text: str) -> str:
    """As much of a text as fits into a header line."""
    return "".join(char for char in text if " " <= char <= "ÿ" and char != "\x7f")


def padded(size: int) -> bytes:
    good = image(b"{}", []).raw
    return good + b" " * (size - len(good))


CHILD = b'{"mediaType":"a","size":1,"digest":"sha256:%064x"}'
BOMBS = {
    "4 MiB + 1": padded(4 * MIB + 1),
    "an index of 100,000": b'{"schemaVersion":2,"manifests":['
    + b",".join(CHILD % n for n in range(100_000))
    + b"]}",
    "an index of 40,000 within the size": b'{"schemaVersion":2,"manifests":['
    + b",".join(CHILD % n for n in range(40_000))
    + b"]}",
    "nested 1,000 deep": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "4 MiB of brackets": b"[" * (4 * MIB),
    "300,000 keys": b"{" + b",".join(b'"%x":0' % n for n in range(300_000)) + b"}",
    "a million digits": b'{"schemaVersion":' + b"9" * 1_000_000 + b"}",
}


def test_m1_bombs_are_refused_and_cost_little_memory(talk: Talk) -> None:
    talk("PUT", "/v2/library/app/manifests/warm", b"{}", {"Content-Type": IMAGE})
    talk.hub.forget_peaks()
    before = talk.hub.peaks()
    for name, raw in BOMBS.items():
        for content_type in (IMAGE, INDEX):
            answer = talk("PUT", "/v2/library/app/manifests/bomb", raw, {"Content-Type": content_type})
            assert answer.status in (400, 413), name
    after = talk.hub.peaks()
    assert after.keys() == before.keys(), "a process was replaced"
    assert all(after[pid] - before[pid] < 64 * MIB for pid in before), (before, after)
    assert talk("GET", "/v2/library/app/manifests/bomb").status == 404


def test_m1_damaged_manifests_are_refused(talk: Talk) -> None:
    good = image(b"{}", [BLOB]).raw

    def check(raw: bytes) -> None:
        answer = talk("PUT", "/v2/library/app/manifests/fuzz", raw, {"Content-Type": IMAGE})
        assert answer.status in (201, 400, 413, 415)
        assert answer.status != 201 or answer.headers["docker-content-digest"].endswith(
            sha256(raw).hexdigest()
        )

    run("hub: manifests", check, damaged_bytes([good]), examples=150)


def test_m2_damaged_names_tags_and_digests_find_nothing(talk: Talk) -> None:
    def check(method: str, name: str, kind: str, ref: str) -> None:
        target = quote(f"/v2/{name}/{kind}/{ref}", safe="/%:?=&;@,+\\")
        assert talk(method, target).status in (200, 202, 301, 400, 401, 403, 404, 405), target[:300]

    methods = st.sampled_from(["GET", "HEAD", "DELETE"])
    kinds = st.sampled_from(["manifests", "blobs", "referrers", "blobs/uploads"])
    run("hub: names", check, methods, NAMES, kinds, TAGS | DIGESTS, examples=200)


def test_m3_ranges_give_the_bytes_they_say(talk: Talk) -> None:
    def check(wanted: str) -> None:
        answer = talk("GET", f"/v2/library/app/blobs/{DIGEST}", headers={"Range": header(wanted)})
        match answer.status:
            case 200:
                assert answer.body == BLOB
            case 206 if one := re.fullmatch(
                r"bytes (\d+)-(\d+)/16384", answer.headers.get("content-range", "")
            ):
                assert answer.body == BLOB[int(one[1]) : int(one[2]) + 1]
            case 206:
                parts = re.findall(rb"Content-Range: bytes (\d+)-(\d+)/16384\r\n\r\n", answer.body)
                assert 2 <= len(parts) <= 1024
                assert sum(int(last) + 1 - int(first) for first, last in parts) <= len(BLOB)
                assert len(answer.body) < len(BLOB) + 200 * len(parts)
            case _:
                assert answer.status == 416
                assert answer.headers["content-range"] == "bytes */16384"

    run("hub: Range", check, RANGES, examples=200)


def test_m4_a_wrong_chunk_leaves_the_offset_where_it_was(talk: Talk) -> None:
    upload = talk.wire.start_upload("library/app")
    assert talk("PATCH", upload, b"0123456789").status == 202
    offset = 10

    def check(where: str) -> None:
        nonlocal offset
        sent = header(where)
        answer = talk("PATCH", upload, b"0123456789", {"Content-Range": sent})
        try:
            span = parse_content_range(sent)
            fits = (span.start, span.length) == (offset, 10)
        except SizeInvalid:
            fits = False
        assert (answer.status == 202) == fits, (sent, answer)
        assert answer.status in (202, 400, 416)
        offset += 10 if fits else 0
        assert talk("GET", upload).headers["range"] == f"0-{offset - 1}"

    run("hub: Content-Range", check, CHUNKS, examples=150)
    digest = sha256(b"0123456789" * (offset // 10)).hexdigest()
    for wrong in ("0-9", f"{offset + 1}-{offset + 10}", "9-0", "x", f"{2**63}-{2**63 + 9}", "0-" + "9" * 30):
        closing = talk("PUT", f"{upload}?digest=sha256:{digest}", b"0123456789", {"Content-Range": wrong})
        assert closing.status in (400, 416), wrong
        assert talk("GET", upload).headers["range"] == f"0-{offset - 1}"
    assert talk("PUT", f"{upload}?digest=sha256:{digest}", b"").status == 201
