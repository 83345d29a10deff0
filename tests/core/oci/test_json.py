"""Strict JSON: honest documents pass as they are, hostile ones are refused cheaply (security case T43)."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.json import JsonInvalid, loads

FOUR_MIB = 4 * 2**20
DEPTH = 64
MEMBERS = 100_000

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=30,
)


def read(raw: bytes, **bounds: int) -> Any:
    return loads(raw, **{"max_bytes": FOUR_MIB, "max_depth": DEPTH, "max_members": MEMBERS} | bounds)


@given(values, st.booleans())
def test_what_python_writes_is_read_back(value: Any, ascii_only: bool) -> None:
    assert read(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(values)
def test_the_exact_count_agrees_with_the_quick_one(value: Any) -> None:
    """Bounds that the document just meets pass, however many brackets and commas stand in its strings."""
    raw = json.dumps(value).encode()
    depth, members = measure(value)
    assert read(raw, max_depth=depth, max_members=members) == value
    if members:
        with pytest.raises(JsonInvalid):
            read(raw, max_members=members - 1)
        with pytest.raises(JsonInvalid):
            read(raw, max_depth=depth - 1)


def measure(value: Any) -> tuple[int, int]:
    """Depth and members as the scan counts them: every container, and every comma in one."""
    if not isinstance(value, dict | list):
        return 0, 0
    inner = [measure(item) for item in (value.values() if isinstance(value, dict) else value)]
    return (
        1 + max((depth for depth, _ in inner), default=0),
        1 + max(len(inner) - 1, 0) + sum(members for _, members in inner),
    )


@given(st.text(alphabet='"\\[]{},:a1 \n\u2028é'))
def test_no_text_does_worse_than_a_refusal(text: str) -> None:
    try:
        value = read(text.encode())
    except JsonInvalid:
        return
    assert value == json.loads(text)


NOT_JSON = {
    "empty": b"",
    "blank": b"  ",
    "NaN": b'{"a":NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"[-Infinity]",
    "overflowing float": b"[1e999]",
    "a 33-digit number": b"1" * 33,
    "a 33-character float": b"0." + b"1" * 31,
    "duplicate keys": b'{"a":1,"a":1}',
    "duplicate keys below": b'[{"x":{"a":1,"\\u0061":2}}]',
    "lone high surrogate": b'["\\ud800"]',
    "lone low surrogate": b'["\\uDC00x"]',
    "lone surrogate as key": b'{"\\ud800":1}',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong UTF-8": b'"\xc0\x80"',
    "Latin-1": '"é"'.encode("latin-1"),
    "BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without BOM": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "trailing garbage": b"{} x",
    "two documents": b"{}{}",
    "trailing comma": b"[1,]",
    "single quotes": b"{'a':1}",
    "a comment": b"{/**/}",
    "a control character": b'"\x00"',
    "an open string": b'{"a":"b',
    "a lone backslash": b'"\\',
    "closing only": b"]" * 100,
    "leading zero": b"01",
    "hexadecimal": b"0x10",
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_strict_json_is_refused(raw: bytes) -> None:
    with pytest.raises(JsonInvalid):
        read(raw)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read(b'["\\ud83d\\ude00"]') == ["😀"]


def test_an_escaped_backslash_before_a_u_is_no_surrogate() -> None:
    assert read(b'["\\\\ud800"]') == ["\\ud800"]


def test_the_size_is_the_first_bound() -> None:
    assert read(b"[]", max_bytes=2) == []
    with pytest.raises(JsonInvalid, match="larger than 1 bytes"):
        read(b"[]", max_bytes=1)


BOMBS = {
    "depth 10^5": lambda: b"[" * 100_000 + b"]" * 100_000,
    "depth 10^5 in objects": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "4 MiB of opening": lambda: b"[" * FOUR_MIB,
    "10^6 elements": lambda: b"[" + b"1," * 1_000_000 + b"1]",
    "400 thousand keys": lambda: b"{" + b",".join(b'"%x":1' % i for i in range(400_000)) + b"}",
    "a million empty objects": lambda: b"[" + b"{}," * 1_000_000 + b"{}]",
    "strings that end in a backslash": lambda: b"[" + b'"\\\\",' * 600_000 + b"1]",
    "10^6 digits": lambda: b"1" * 1_000_000,
    "10^6 decimals": lambda: b"0." + b"1" * 1_000_000,
    "an open string of escaped quotes": lambda: b'["' + b'\\"' * 2_000_000,
    "only quotes": lambda: b'"' * FOUR_MIB,
    "blanks, then garbage": lambda: b"{}" + b" " * (FOUR_MIB - 3) + b"x",
    "lone surrogates": lambda: b'["' + b"\\ud83d" * 600_000 + b'"]',
    "wide characters": lambda: b'["\xf0\x9f\x98\x80' + b"a" * (FOUR_MIB - 40) + b'\\ud83d\\ude00"',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_without_much_memory(name: str) -> None:
    raw = BOMBS[name]()
    tracemalloc.start()
    try:
        with pytest.raises(JsonInvalid):
            read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


def test_a_large_honest_document_with_structure_inside_its_strings_is_read() -> None:
    document = {str(number): '{"key": ["value", "value"]},' * 300 for number in range(390)}
    raw = json.dumps(document).encode()
    assert len(raw) > 3_900_000
    assert read(raw) == document
