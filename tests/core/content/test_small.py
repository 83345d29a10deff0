"""Small blobs are served from memory, after their bytes were hashed."""

import pytest

from fairway.core.content.small import OVERHEAD, SmallBlobs


def test_a_kept_blob_is_found_by_its_key() -> None:
    small = SmallBlobs()
    assert small.get("a") is None
    kept = small.keep("a", b"content")
    assert small.get("a") is kept
    assert (kept.size, kept.content, kept.path) == (7, b"content", None)


def test_those_used_longest_ago_make_room() -> None:
    small = SmallBlobs(capacity=3 * (10 + OVERHEAD))
    for key in "abc":
        small.keep(key, bytes(10))
    small.get("a")
    small.keep("d", bytes(10))
    assert [key for key in "abcd" if small.get(key)] == ["a", "c", "d"]


def test_a_blob_kept_twice_counts_once() -> None:
    small = SmallBlobs(capacity=2 * (10 + OVERHEAD))
    small.keep("a", bytes(10))
    small.keep("a", bytes(10))
    small.keep("b", bytes(10))
    assert small.get("a")
    assert small.get("b")


async def test_parts_of_it_are_read_like_those_of_any_blob() -> None:
    kept = SmallBlobs().keep("a", b"0123456789")
    assert [piece async for piece in kept.read(2, 5)] == [b"234"]
    assert [piece async for piece in kept.read(3, 3)] == []
    with pytest.raises(ValueError, match="not within"):
        _ = [piece async for piece in kept.read(5, 11)]
