"""The server on a real socket, with clients that break off, lie about lengths and hang up."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from contract.registry_worlds import serving
from fairway.core.content.memory import Memory
from fairway.core.oci.digest import Digest
from fairway.core.wire.server import Request, registry_app

UPLOADS = "/v2/team/app/blobs/uploads/"
DATA = b"0123456789" * 1000
PIECE = 256 * 1024


class Hub:
    """A server on a socket, and what it said about its work."""

    def __init__(self) -> None:
        self.registry = Memory()
        self.failures: list[Exception] = []
        self.done: list[tuple[Request, int, int]] = []
        self.progress = asyncio.Event()
        self.lines: list[Line] = []
        self.url = ""

    def app(self) -> Any:
        async def open_registry(_: Request) -> Memory:
            return self.registry

        def observe(request: Request, status: int, sent: int, _: float) -> None:
            self.done.append((request, status, sent))
            self.progress.set()

        return registry_app(
            open_registry, on_error=lambda error, _: self.failures.append(error), observe=observe
        )

    async def connect(self) -> "Line":
        self.lines.append(Line(*await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))))
        return self.lines[-1]

    async def say(self, text: bytes) -> tuple[int, dict[str, str], bytes]:
        line = await self.connect()
        await line.send(text)
        return await line.answer()

    async def settled(self, requests: int) -> None:
        """Wait until the server has finished so many requests."""
        while len(self.done) < requests:
            self.progress.clear()
            await self.progress.wait()


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return (
            int(head[0].split()[1]),
            headers,
            await self.reader.readexactly(int(headers.get("content-length", 0))),
        )

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def hub() -> Any:
    hub = Hub()
    async with asyncio.timeout(30), serving(hub.app()) as url:
        hub.url = url
        yield hub
        for line in hub.lines:
            await line.close()


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: hub", *headers, "", ""]).encode() + body


async def begin(hub: Hub) -> str:
    _, headers, _ = await hub.say(request("POST", UPLOADS, "Content-Length: 0"))
    return headers["location"]


async def offset(hub: Hub, location: str) -> str:
    return (await hub.say(request("GET", location)))[1]["range"]


@pytest.mark.parametrize("framing", ["Content-Length: 10000", "Transfer-Encoding: chunked"])
async def test_a_connection_that_breaks_leaves_a_resumable_upload(hub: Hub, framing: str) -> None:
    location = await begin(hub)
    line = await hub.connect()
    part = b"1f4\r\n" + DATA[:500] + b"\r\n" if "chunked" in framing else DATA[:500]
    await line.send(request("PATCH", location, framing, body=part))
    await asyncio.sleep(0.05)
    await line.close()
    await hub.settled(2)
    assert await offset(hub, location) == "0-499"
    rest = f"Content-Length: {len(DATA) - 500}"
    chunk = f"Content-Range: 500-{len(DATA) - 1}"
    answer = await hub.say(
        request("PUT", f"{location}?digest={Digest.of(DATA)}", rest, chunk, body=DATA[500:])
    )
    assert answer[0] == 201
    assert not hub.failures


async def test_a_client_that_stops_sending_but_still_listens_is_told(hub: Hub) -> None:
    location = await begin(hub)
    line = await hub.connect()
    await line.send(request("PATCH", location, "Content-Length: 100", body=DATA[:50]))
    line.writer.write_eof()
    status, headers, body = await line.answer()
    assert (status, headers["content-type"]) == (400, "application/json")
    assert b"SIZE_INVALID" in body


async def test_garbage_between_chunks_is_refused_and_closes_the_line(hub: Hub) -> None:
    location = await begin(hub)
    line = await hub.connect()
    body = b"5\r\n01234\r\nGET / HTTP/1.1\r\n\r\n"
    await line.send(request("PATCH", location, "Transfer-Encoding: chunked", body=body))
    assert (await line.answer())[0] == 400
    assert await line.reader.read() == b""


async def test_bytes_beyond_the_length_are_no_second_request(hub: Hub) -> None:
    location = await begin(hub)
    line = await hub.connect()
    await line.send(request("PATCH", location, "Content-Length: 5", body=b"01234 and more\r\n\r\n"))
    assert (await line.answer())[0] == 202
    rest = await line.reader.read()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400")
    assert await offset(hub, location) == "0-4"


async def test_a_length_and_chunks_together_do_not_desynchronise(hub: Hub) -> None:
    location = await begin(hub)
    line = await hub.connect()
    smuggled = request("DELETE", location)
    body = b"5\r\n01234\r\n0\r\n\r\n" + smuggled
    headers = ("Content-Length: 5", "Transfer-Encoding: chunked")
    await line.send(request("PATCH", location, *headers, body=body))
    assert (await line.answer())[0] in {202, 400}
    await line.reader.read()
    status, _, _ = await hub.say(request("GET", location))
    assert status == 204


async def test_an_expected_100_continue_is_given(hub: Hub) -> None:
    location = await begin(hub)
    line = await hub.connect()
    await line.send(request("PATCH", location, "Content-Length: 5", "Expect: 100-continue"))
    assert (await line.answer())[0] == 100
    await line.send(b"01234")
    assert (await line.answer())[0] == 202


async def test_and_not_given_when_the_answer_is_no(hub: Hub) -> None:
    line = await hub.connect()
    headers = ("Content-Length: 5", "Expect: 100-continue")
    await line.send(request("PATCH", UPLOADS + "unknown", *headers))
    assert (await line.answer())[0] == 404


@pytest.mark.parametrize("size", [1000, 200_000])
async def test_after_an_error_on_a_small_body_the_connection_goes_on(hub: Hub, size: int) -> None:
    line = await hub.connect()
    for _ in range(2):
        await line.send(request("PATCH", UPLOADS + "unknown", f"Content-Length: {size}", body=bytes(size)))
        assert (await line.answer())[0] == 404


@dataclass
class FileBlob:
    """A blob read as a disk does it, in threads; it counts what was read."""

    size: int
    path: None = None
    content: None = None
    read_so_far: int = 0

    async def read(self, start: int, end: int) -> Any:
        for at in range(start, end, PIECE):
            piece = await asyncio.to_thread(bytes, min(PIECE, end - at))
            self.read_so_far += len(piece)
            yield piece


async def test_readers_that_hang_up_stop_the_reading(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = []

    async def open_blob(*_: object) -> FileBlob:
        blobs.append(FileBlob(1000 * PIECE))
        return blobs[-1]

    monkeypatch.setattr(hub.registry, "blob", open_blob)
    for _ in range(20):
        line = await hub.connect()
        await line.send(request("GET", f"/v2/team/app/blobs/{Digest.of(DATA)}", "Range: bytes=0-"))
        await line.reader.readuntil(b"\r\n\r\n")
        await line.reader.readexactly(PIECE)
        line.writer.transport.abort()
    await hub.settled(20)
    assert all(status == 206 for _, status, _ in hub.done)
    assert all(blob.read_so_far < blob.size / 2 for blob in blobs)
    assert not hub.failures
