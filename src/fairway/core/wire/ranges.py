"""Ranges: which bytes of a blob a reader wants, and which bytes of an upload a writer sends.

Reading follows RFC 9110 §14 with the freedoms it leaves: a header we cannot read, or one that would cost more than the
whole blob, is ignored and the whole is sent; a range that ends before it starts is refused, as the OCI conformance
suite demands.  Writing follows the OCI distribution specification ("Pushing a blob in chunks"), whose `Content-Range`
is a bare `<first>-<last>`.

On the wire both ends of a range are included.  A `Span` leaves its end out, like a slice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fairway.core.oci.errors import RangeNotSatisfiable, SizeInvalid

# podman fetches the missing parts of a zstd:chunked layer with up to 1024 ranges in one request.
MAX_RANGES = 1024

_PART_TYPE = "application/octet-stream"
_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_CHUNK = re.compile(r"(?:bytes )?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?")
_BEYOND = 10**19
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


def parse_range(header: str | None, size: int) -> tuple[Span, ...] | None:
    """The spans a `Range` header asks of `size` bytes, in its order, or None to send the whole.

    Raises RangeNotSatisfiable when no part of what is asked is there.
    """
    if header is None or size == 0:
        return None
    unit, equals, wanted = header.partition("=")
    if not equals or unit.strip().lower() != "bytes" or wanted.count(",") >= MAX_RANGES:
        return None
    spans = []
    for text in filter(None, (item.strip(" \t") for item in wanted.split(","))):
        match = _RANGE.fullmatch(text)
        if match is None or text == "-":
            return None
        span = _span(match[1], match[2], size)
        if span is not None:
            spans.append(span)
    if not spans:
        if not wanted.strip(" \t,"):
            return None
        raise RangeNotSatisfiable(f"no such bytes: there are {size}", size=size)
    if len(spans) > 1 and sum(span.length for span in spans) > size:
        return None
    return tuple(spans)


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:
        length = min(_number(last), size)
        return Span(size - length, size) if length else None
    start = _number(first)
    end = min(_number(last) + 1, size) if last else size
    return Span(start, end) if start < end else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) < 20 else _BEYOND


def content_range(span: Span | None, size: int) -> str:
    """The `Content-Range` of a 206 reply, or of a 416 when there is no span."""
    return f"bytes {span.start}-{span.end - 1}/{size}" if span else f"bytes */{size}"


def part_header(boundary: str, span: Span, size: int) -> bytes:
    """What comes before each part of a `multipart/byteranges` body (RFC 9110 §14.6)."""
    return (
        f"\r\n--{boundary}\r\nContent-Type: {_PART_TYPE}\r\nContent-Range: {content_range(span, size)}\r\n\r\n"
    ).encode("ascii")


def part_trailer(boundary: str) -> bytes:
    """What comes after the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")


def multipart_length(boundary: str, spans: Iterable[Span], size: int) -> int:
    """The `Content-Length` of the whole `multipart/byteranges` body."""
    parts = sum(len(part_header(boundary, span, size)) + span.length for span in spans)
    return parts + len(part_trailer(boundary))


def parse_content_range(header: str) -> Span:
    """The bytes of an upload that a chunk says it holds: `0-99`, or as RFC 9110 writes it, `bytes 0-99/1234`.

    Raises SizeInvalid.
    """
    match = _CHUNK.fullmatch(header.strip(" \t"))
    if match is None:
        raise SizeInvalid(f"{header[:_SHOWN]!r} is not a chunk's range: write Content-Range: <first>-<last>")
    start, last = int(match[1]), int(match[2])
    if last < start:
        raise SizeInvalid(f"the chunk's range {header[:_SHOWN]!r} ends before it starts")
    return Span(start, last + 1)


def format_upload_range(offset: int) -> str:
    """The `Range` of a reply about an upload of which `offset` bytes are stored.

    An empty upload is `0-0` as well: clients parse the two numbers and cannot take a negative one.
    """
    return f"0-{max(offset - 1, 0)}"
