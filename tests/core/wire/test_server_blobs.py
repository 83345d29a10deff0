"""Reading and deleting blobs: whole, in parts, conditionally, as a file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fairway.core.content.memory import Memory
from fairway.core.oci.digest import Digest

DATA = bytes(range(256)) * 8
DIGEST = Digest.of(DATA)
URL = f"/v2/team/app/blobs/{DIGEST}"


@pytest.fixture
async def stored(wire: Any) -> Any:
    await wire.push("team/app", DATA)
    return wire


async def test_a_blob_comes_back_whole(stored: Any) -> None:
    answer = await stored("GET", URL)
    assert (answer.status, answer.body, answer["content-length"]) == (200, DATA, "2048")
    assert answer["content-type"] == "application/octet-stream"
    assert answer["docker-content-digest"] == DIGEST
    assert answer["etag"] == f'"{DIGEST}"'
    assert answer["accept-ranges"] == "bytes"
    assert "max-age=31536000" in answer["cache-control"]


async def test_a_browser_will_not_show_it(stored: Any) -> None:
    answer = await stored("GET", URL)
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["content-disposition"] == "attachment"
    assert "sandbox" in answer["content-security-policy"]


async def test_head_says_the_same_without_the_bytes(stored: Any) -> None:
    answer = await stored("HEAD", URL)
    assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "2048")
    assert answer["docker-content-digest"] == DIGEST


async def test_head_never_opens_the_blob(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "blob", None)
    assert (await stored("HEAD", URL)).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_unknown_blob_is_404(stored: Any, method: str) -> None:
    answer = await stored(method, f"/v2/team/app/blobs/{Digest.of(b'never')}")
    assert answer.status == 404
    assert bool(answer.body) == (method == "GET")
    assert answer["content-type"] == "application/json"
    assert not stored.failures


async def test_content_is_never_encoded_whatever_the_client_accepts(stored: Any) -> None:
    answer = await stored("GET", URL, headers={"Accept-Encoding": "zstd, gzip, deflate"})
    assert "content-encoding" not in answer


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("500-1499", 500, 1500),
        ("500-", 500, 2048),
        ("-500", 1548, 2048),
        ("2000-5000", 2000, 2048),
        ("0-0", 0, 1),
        ("0-", 0, 2048),
    ],
)
async def test_a_part_can_be_asked_for(stored: Any, asked: str, start: int, end: int) -> None:
    answer = await stored("GET", URL, headers={"Range": f"bytes={asked}"})
    assert (answer.status, answer.body) == (206, DATA[start:end])
    assert answer["content-length"] == str(end - start)
    assert answer["content-range"] == f"bytes {start}-{end - 1}/2048"
    assert answer["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("asked", ["500-0", "5000-10000", "-0", "9223372036854775808-"])
async def test_a_part_that_is_not_there_cannot(stored: Any, asked: str) -> None:
    answer = await stored("GET", URL, headers={"Range": f"bytes={asked}"})
    assert (answer.status, answer["content-range"]) == (416, "bytes */2048")


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=a-b", "bytes", "bytes=" + "0-1999," * 1000 + "0-0"])
async def test_a_range_nobody_understands_gets_it_all(stored: Any, asked: str) -> None:
    answer = await stored("GET", URL, headers={"Range": asked})
    assert (answer.status, answer.body) == (200, DATA)


async def test_several_parts_come_as_multipart(stored: Any) -> None:
    answer = await stored("GET", URL, headers={"Range": "bytes=0-99, 500-599,-10"})
    assert answer.status == 206
    assert int(answer["content-length"]) == len(answer.body)
    assert "content-range" not in answer
    boundary = answer["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    first, *parts, last = answer.body.split(b"--" + boundary)
    assert (first.strip(), last.strip()) == (b"", b"--")
    got = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        assert b"application/octet-stream" in head.lower()
        start, end, total = re.search(rb"bytes (\d+)-(\d+)/(\d+)", head).groups()
        assert total == b"2048"
        got.append((int(start), int(end), content.removesuffix(b"\r\n")))
    assert got == [(0, 99, DATA[:100]), (500, 599, DATA[500:600]), (2038, 2047, DATA[2038:])]


@pytest.mark.parametrize("known", [f'"{DIGEST}"', DIGEST, f'W/"{DIGEST}"', f'"x", "{DIGEST}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_the_client_has_is_not_sent_again(stored: Any, method: str, known: str) -> None:
    answer = await stored(method, URL, headers={"If-None-Match": known})
    assert (answer.status, answer.body, answer["etag"]) == (304, b"", f'"{DIGEST}"')


async def test_a_range_of_something_else_gets_it_all(stored: Any) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await stored("GET", URL, headers=headers)).status == 200
    headers["If-Range"] = f'"{DIGEST}"'
    assert (await stored("GET", URL, headers=headers)).status == 206


async def test_a_deleted_blob_is_gone_at_once(stored: Any) -> None:
    assert (await stored("DELETE", URL)).status == 202
    assert (await stored("HEAD", URL)).status == 404
    assert (await stored("DELETE", URL)).code == "BLOB_UNKNOWN"


async def test_a_blob_in_use_cannot_be_deleted(wire: Any) -> None:
    await wire.push_manifest("team/app", "v1")
    answer = await wire("DELETE", f"/v2/team/app/blobs/{Digest.of(b'{}')}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


@dataclass
class FileBlob:
    """A blob whose reading is watched."""

    data: bytes
    path: Path | None = None
    content: bytes | None = None
    pieces_read: int = 0
    closed: bool = False
    breaks: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    async def read(self, start: int, end: int) -> Any:
        try:
            for at in range(start, end, 16):
                self.pieces_read += 1
                if self.breaks and self.pieces_read > 2:
                    raise OSError("the disk is gone")
                yield self.data[at : min(at + 16, end)]
        finally:
            self.closed = True


class TestSending:
    @pytest.fixture
    def blob(self, wire: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileBlob:
        """The one blob there is, in a file that the server may send by itself."""
        blob = FileBlob(DATA, tmp_path / "blob")
        (tmp_path / "blob").write_bytes(DATA)
        wire.pathsend = True

        async def get(*_: object) -> FileBlob:
            return blob

        monkeypatch.setattr(Memory, "blob", get)
        return blob

    async def test_a_whole_file_is_left_to_the_server(self, wire: Any, blob: FileBlob) -> None:
        answer = await wire("GET", URL)
        assert (answer.status, answer.files, answer.body) == (200, [str(blob.path)], b"")
        assert answer["content-length"] == "2048"
        assert blob.pieces_read == 0
        assert wire.observed[-1][1:] == (200, 2048)

    async def test_nobody_waits_for_the_disk_before_that(
        self, wire: Any, blob: FileBlob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "stat", lambda *_: pytest.fail("the loop waits for the disk"))
        assert (await wire("GET", URL)).status == 200
        assert not wire.failures

    async def test_a_server_that_cannot_gets_the_bytes(self, wire: Any, blob: FileBlob) -> None:
        wire.pathsend = False
        assert (await wire("GET", URL)).body == DATA

    async def test_a_part_of_a_file_is_streamed(self, wire: Any, blob: FileBlob) -> None:
        answer = await wire("GET", URL, headers={"Range": "bytes=16-47"})
        assert (answer.files, answer.body, blob.pieces_read) == ([], DATA[16:48], 2)

    async def test_reading_stops_when_the_client_leaves(self, wire: Any, blob: FileBlob) -> None:
        answer = await wire("GET", URL, headers={"Range": "bytes=0-"}, leave_after=160)
        assert answer.status == 206
        assert not answer.complete
        assert blob.pieces_read < 20
        assert blob.closed
        assert not wire.failures

    async def test_a_reply_that_cannot_be_finished_breaks_off(self, wire: Any, blob: FileBlob) -> None:
        blob.breaks = True
        answer = await wire("GET", URL, headers={"Range": "bytes=0-"})
        assert (answer.status, len(answer.body), answer.complete) == (206, 32, False)
        assert [type(failure) for failure in wire.failures] == [OSError]
        assert blob.closed
