"""Replies: what a handler answers, and how that goes out over ASGI.

A body is bytes, or a blob in whole or in parts. A whole blob with a file behind it is sent by the server itself
(`http.response.pathsend`), so that its bytes never pass through Python; everything else is streamed while
watching for the client to leave, because a server may swallow what is sent to a client that has gone.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from fairway.core.oci.errors import (
    FairwayError,
    MethodNotAllowed,
    RangeInvalid,
    RangeNotSatisfiable,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from fairway.core.stores.protocols import Blob
from fairway.core.wire.bodies import PATIENCE, Message, Receive
from fairway.core.wire.paths import Call, PatchUpload, PutUpload
from fairway.core.wire.ranges import Span, format_upload_range, part_header, part_trailer
from fairway.core.wire.status import status_of

Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

API_VERSION = (b"docker-distribution-api-version", b"registry/2.0")
EMPTY = (b"content-length", b"0")
JSON = (b"content-type", b"application/json")
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Stored bytes are never what a browser takes them for."""


@dataclass(slots=True)
class Reply:
    """An answer to one request. `headers` are complete, Content-Length included.

    With `blob`, the body is its `spans`, or all of it when there are none; more than one is sent as
    multipart/byteranges with `boundary`.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    blob: Blob | None = None
    spans: tuple[Span, ...] = ()
    boundary: str = ""


def json_reply(status: int, content: object, *headers: tuple[bytes, bytes]) -> Reply:
    """`content` as JSON. The first of `headers` may be another Content-Type."""
    body = json.dumps(content, separators=(",", ":"), default=str).encode()
    fixed = headers if headers and headers[0][0] == b"content-type" else (JSON, *headers)
    return Reply(status, [*fixed, (b"content-length", b"%d" % len(body)), NOSNIFF], body)


def error_reply(error: FairwayError, call: Call | None) -> Reply:
    """An error as the specification wants it: a status, the headers that go with it, and a list of one error."""
    content = {"code": error.code, "message": error.message, "detail": error.detail}
    return json_reply(status_of(error), {"errors": [content]}, API_VERSION, *_error_headers(error, call))


def _error_headers(error: FairwayError, call: Call | None) -> Headers:
    if isinstance(error, Unauthorized) and error.challenge:
        return [(b"www-authenticate", error.challenge.encode("latin-1"))]
    if isinstance(error, TooManyRequests | Unavailable):
        return [(b"retry-after", b"%d" % error.retry_after)]
    if isinstance(error, RangeInvalid) and isinstance(call, PatchUpload | PutUpload):
        return upload_headers(call.repo, call.id, error.offset)
    if isinstance(error, RangeNotSatisfiable):
        return [(b"content-range", b"bytes */%d" % error.size)]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", ", ".join(error.allowed).encode())]
    return []


def upload_headers(repo: str, upload_id: str, offset: int) -> Headers:
    """Where an upload goes on, and what has arrived of it."""
    return [
        (b"location", f"/v2/{repo}/blobs/uploads/{upload_id}".encode()),
        (b"range", format_upload_range(offset).encode()),
        (b"docker-upload-uuid", upload_id.encode()),
    ]


async def send_reply(reply: Reply, scope: Message, receive: Receive, send: Send) -> int:
    """Send a reply; how many bytes of body went out. What cannot be finished is broken off, which clients notice."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return 0
    if reply.blob is None:
        await send({"type": "http.response.body", "body": reply.body})
        return len(reply.body)
    if reply.blob.content is not None and not reply.spans:
        await send({"type": "http.response.body", "body": reply.blob.content})
        return reply.blob.size
    pathsend = "http.response.pathsend" in (scope.get("extensions") or ())
    if pathsend and reply.blob.path is not None and not reply.spans:
        await send({"type": "http.response.pathsend", "path": str(reply.blob.path)})
        return reply.blob.size
    async with aclosing(_pieces(reply.blob, reply.spans, reply.boundary)) as pieces:
        return await _stream(pieces, receive, send)


async def _pieces(blob: Blob, spans: tuple[Span, ...], boundary: str) -> AsyncGenerator[bytes]:
    several = len(spans) > 1
    for span in spans or (Span(0, blob.size),):
        if several:
            yield part_header(boundary, span, blob.size)
        reading = blob.read(span.start, span.end)
        try:
            async for piece in reading:
                yield piece
        finally:
            if isinstance(reading, AsyncGenerator):
                await reading.aclose()
    if several:
        yield part_trailer(boundary)


async def _stream(pieces: AsyncIterator[bytes], receive: Receive, send: Send) -> int:
    """Send pieces until they end, the client leaves, or it takes nothing for `PATIENCE` seconds."""
    sent = 0
    leaving = asyncio.ensure_future(_left(receive))
    try:
        async for piece in pieces:
            if leaving.done():
                return sent
            async with asyncio.timeout(PATIENCE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
            await asyncio.sleep(0)  # what is sent to nobody is swallowed at once; this lets us hear of it
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        return sent
    finally:
        leaving.cancel()
    return sent


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
