"""Sizes as people write them."""

import pytest

from fairway.cli.remote.sizes import NoSize, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10GiB", 10 * 2**30),
        ("10Gi", 10 * 2**30),
        ("10gib", 10 * 2**30),
        ("10GB", 10 * 10**9),
        ("10G", 10 * 10**9),
        ("1.5 MiB", 3 * 2**19),
        ("0.5K", 500),
        ("500", 500),
        ("500B", 500),
        ("1024TiB", 2**50),
        ("unlimited", -1),
        ("None", -1),
        ("-1", -1),
    ],
)
def test_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "10XB", "ten", "1.5.5G", "-5GiB", "1e9", "10 Gi B", "٣", "9" * 99]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(NoSize, match="is no size; write it as 10GiB, 500MB or unlimited"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "0.1", "1025TiB"])
def test_what_nobody_can_have(text: str) -> None:
    with pytest.raises(NoSize, match="not between 1 byte and 1024 TiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (-1, "unlimited"),
        (0, "0 B"),
        (1023, "1023 B"),
        (2**10, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 * 2**30, "10 GiB"),
        (10**9, "954 MiB"),
        (2**50, "1 PiB"),
        (2**61, "2048 PiB"),
    ],
)
def test_as_people_read_them(size: int, text: str) -> None:
    assert size_text(size) == text
