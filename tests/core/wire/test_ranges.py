"""Ranges: what a reader asks and a writer sends, against a model in plain words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.errors import RangeNotSatisfiable, SizeInvalid
from fairway.core.wire.ranges import (
    MAX_RANGES,
    Span,
    content_range,
    format_upload_range,
    multipart_length,
    parse_content_range,
    parse_range,
    part_header,
    part_trailer,
)

WHOLE = None
REFUSED = "416"


def answer(header: str | None, size: int) -> list[tuple[int, int]] | str | None:
    try:
        spans = parse_range(header, size)
    except RangeNotSatisfiable as error:
        return REFUSED if error.size == size else f"416 of {error.size}"
    return WHOLE if spans is None else [(span.start, span.end) for span in spans]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # what the conformance suite asks of a blob of 2 KiB
        ("bytes=500-1499", [(500, 1500)]),
        ("bytes=500-", [(500, 2048)]),
        ("bytes=-500", [(1548, 2048)]),
        ("bytes=2000-5000", [(2000, 2048)]),
        ("bytes=500-0", REFUSED),
        ("bytes=5000-10000", REFUSED),
        # edges
        (None, WHOLE),
        ("bytes=0-", [(0, 2048)]),
        ("bytes=0-0", [(0, 1)]),
        ("bytes=2047-2047", [(2047, 2048)]),
        ("bytes=2048-", REFUSED),
        ("bytes=-1", [(2047, 2048)]),
        ("bytes=-5000", [(0, 2048)]),
        ("bytes=-0", REFUSED),
        ("BYTES=0-1", [(0, 2)]),
        ("bytes= 0-1 ,\t4-5 ", [(0, 2), (4, 6)]),
        ("bytes=,0-1,", [(0, 2)]),
        ("bytes=0-1,9000-", [(0, 2)]),
        ("bytes=9000-,8000-9000", REFUSED),
        ("bytes=4-5,0-1", [(4, 6), (0, 2)]),
        # more bytes than there are: cheaper to send it once
        ("bytes=0-,0-", WHOLE),
        ("bytes=0-2000,1000-", WHOLE),
        # what we cannot read
        ("", WHOLE),
        ("bytes", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=,", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=1", WHOLE),
        ("bytes=1-2-3", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=1.0-2", WHOLE),
        ("bytes=0-1,x", WHOLE),
        ("bytes=٣-٤", WHOLE),
        ("items=0-1", WHOLE),
        # numbers beyond all bounds
        ("bytes=0-" + "9" * 5000, [(0, 2048)]),
        ("bytes=" + "9" * 5000 + "-", REFUSED),
        ("bytes=-" + "9" * 5000, [(0, 2048)]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_reader_asks_for_part_of_2048_bytes(header: str | None, expected: object) -> None:
    assert answer(header, 2048) == expected


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-5", "bytes=5-"])
def test_an_empty_blob_is_always_sent_whole(header: str) -> None:
    assert answer(header, 0) is WHOLE


def test_the_number_of_ranges_is_bounded() -> None:
    header = "bytes=" + ",".join(f"{2 * number}-{2 * number}" for number in range(MAX_RANGES))
    spans = parse_range(header, 10**6)
    assert spans is not None
    assert len(spans) == MAX_RANGES
    assert answer(f"{header},999999-", 10**6) is WHOLE


asks = st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)).filter(any)


@given(st.lists(asks, min_size=1, max_size=4), st.integers(1, 30))
def test_spans_hold_the_bytes_that_the_words_mean(
    wanted: list[tuple[int | None, int | None]], size: int
) -> None:
    """`a-b` means the bytes numbered a to b, `a-` those from a, `-n` the last n; those that exist, if any do."""
    header = "bytes=" + ",".join(
        f"{'' if first is None else first}-{'' if last is None else last}" for first, last in wanted
    )
    expected = [meant for first, last in wanted if (meant := bytes_meant(first, last, size))]
    got = answer(header, size)
    if not expected:
        assert got == REFUSED
    elif len(expected) > 1 and sum(map(len, expected)) > size:
        assert got is WHOLE
    else:
        assert isinstance(got, list)
        assert [list(range(start, end)) for start, end in got] == expected


def bytes_meant(first: int | None, last: int | None, size: int) -> list[int]:
    there = list(range(size))
    if first is None:
        return there[-last:] if last else []
    return [number for number in there if number >= first and (last is None or number <= last)]


@given(st.text(max_size=40), st.integers(0, 100))
def test_no_header_does_worse_than_a_416(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        got = answer(text, size)
        if isinstance(got, list):
            assert all(0 <= start < end <= size for start, end in got)


def test_content_range_names_the_last_byte() -> None:
    assert content_range(Span(500, 1500), 2048) == "bytes 500-1499/2048"
    assert content_range(None, 2048) == "bytes */2048"


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)), min_size=2, max_size=5))
def test_a_multipart_body_is_as_long_as_announced_and_holds_its_parts(wanted: list[tuple[int, int]]) -> None:
    blob = bytes(range(120))
    spans = [Span(start, start + length) for start, length in wanted]
    body = b"".join(part_header("XX", span, 120) + blob[span.start : span.end] for span in spans)
    body += part_trailer("XX")
    assert len(body) == multipart_length("XX", spans, 120)
    heads = re.findall(
        rb"\r\n--XX\r\nContent-Type: ([^\r]+)\r\nContent-Range: bytes (\d+)-(\d+)/120\r\n\r\n", body
    )
    assert [(int(first), int(last) + 1) for _, first, last in heads] == [
        (span.start, span.end) for span in spans
    ]
    assert body.endswith(b"\r\n--XX--\r\n")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0-0", Span(0, 1)),
        ("0-99", Span(0, 100)),
        ("100-199", Span(100, 200)),
        (" 0-99 ", Span(0, 100)),
        ("bytes 0-99/1234", Span(0, 100)),
        ("bytes 0-99/*", Span(0, 100)),
        ("bytes 0-99", Span(0, 100)),
    ],
)
def test_a_chunk_says_where_it_belongs(header: str, expected: Span) -> None:
    assert parse_content_range(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "-",
        "0-",
        "-9",
        "9-0",
        "a-b",
        "0-9-9",
        "+0-9",
        "0x0-9",
        "0 - 9",
        "٣-٤",
        "bytes=0-9",
        "bytes */9",
        "0-" + "9" * 5000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_chunk_is_refused(header: str) -> None:
    with pytest.raises(SizeInvalid) as refused:
        parse_content_range(header)
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(("offset", "expected"), [(0, "0-0"), (1, "0-0"), (2, "0-1"), (4096, "0-4095")])
def test_an_upload_says_how_far_it_is(offset: int, expected: str) -> None:
    assert format_upload_range(offset) == expected
