"""Input that is nearly right: valid seeds with a few places damaged.

Wholly random bytes end at the first check of a parser; what finds mistakes is a valid text that lost, repeated or
swapped a little.
"""

from collections.abc import Sequence

from hypothesis import strategies as st

_NASTY_TEXT = (
    *(
        "\0",
        "\n",
        "\r\n",
        " ",
        "\t",
        "%00",
        "%2f",
        "%2e%2e",
        "..",
        "/",
        "//",
        "\\",
        ":",
        "@",
        ",",
        ";",
        "=",
        '"',
    ),
    *("-", "_", ".", "__", "+", "é", "٣", "ß", "İ", "\u202e", "\ufeff", "\U0001f600", "A", "a" * 300),
    *(
        "0",
        "-0",
        "-1",
        "9" * 19,
        str(2**63),
        str(2**64),
        "1e9",
        "0x1",
        "bytes",
        "sha256:",
        "*",
        "?",
        "#",
        "'",
    ),
)
_NASTY_BYTES = (
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b'"',
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"{",
        b"}",
    ),
    *(
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"-0",
        b"9" * 40,
        b"[" * 100,
        b" ",
    ),
)


@st.composite
def damaged_text(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """One of `seeds`, changed in up to four places; sometimes not at all."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        end = min(end, at + draw(st.sampled_from([0, 1, 2, 80])))
        put = draw(st.sampled_from(_NASTY_TEXT) | st.text(max_size=2) | st.just(text[at:end] * 2))
        text = text[:at] + put + text[end:]
    return text


@st.composite
def damaged_bytes(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds`, changed in up to four places; sometimes not at all."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        end = min(end, at + draw(st.sampled_from([0, 1, 2, 80])))
        put = draw(st.sampled_from(_NASTY_BYTES) | st.binary(max_size=2) | st.just(data[at:end] * 2))
        data = data[:at] + put + data[end:]
    return data
