"""Digests: one spelling per content, and nothing else gets in (security case T58)."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.digest import ALGORITHMS, Digest, Hasher
from fairway.core.oci.errors import DigestInvalid

HEX = "0123456789abcdef" * 4

HOSTILE = {
    "empty": "",
    "no algorithm": HEX,
    "no hex": "sha256:",
    "upper-case hex": f"sha256:{HEX.upper()}",
    "upper-case algorithm": f"SHA256:{HEX}",
    "63 digits": f"sha256:{HEX[:-1]}",
    "65 digits": f"sha256:{HEX}0",
    "sha512 with 64 digits": f"sha512:{HEX}",
    "md5": f"md5:{HEX[:32]}",
    "sha1": f"sha1:{HEX[:40]}",
    "a path": "sha256:../../../../etc/passwd",
    "a path of the right length": f"sha256:{'../' * 21}x",
    "an algorithm with a suffix": f"sha256+x:{HEX}",
    "unicode digits": f"sha256:{'٣' * 64}",
    "full-width letters": f"sha256:{'ａ' * 64}",
    "trailing newline": f"sha256:{HEX}\n",
    "leading space": f" sha256:{HEX}",
    "NUL": f"sha256:{HEX[:-1]}\0",
    "two colons": f"sha256::{HEX[:-1]}",
    "a word": "sha256:baddigeststring",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest(text)


def test_a_refusal_does_not_repeat_a_megabyte() -> None:
    with pytest.raises(DigestInvalid) as refused:
        Digest("x" * 1_000_000)
    assert len(refused.value.message) < 300


@given(st.binary(), st.sampled_from(ALGORITHMS))
def test_a_digest_is_the_algorithm_and_the_hash(data: bytes, algorithm: str) -> None:
    digest = Digest.of(data, algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    assert f"{digest.algorithm}:{digest.hex}" == digest
    assert Digest(str(digest)) == digest


@given(st.lists(st.binary(), max_size=5), st.sampled_from(ALGORITHMS))
def test_pieces_hash_like_the_whole(pieces: list[bytes], algorithm: str) -> None:
    hasher = Hasher(algorithm)
    for piece in pieces:
        hasher.update(memoryview(piece))
    assert hasher.digest() == Digest.of(b"".join(pieces), algorithm)


def test_a_copied_hasher_goes_its_own_way() -> None:
    first = Hasher()
    first.update(b"a")
    second = first.copy()
    second.update(b"b")
    assert first.digest() == Digest.of(b"a")
    assert second.digest() == Digest.of(b"ab")


def test_only_two_algorithms_are_taken() -> None:
    assert ALGORITHMS == ("sha256", "sha512")
    for name in ("md5", "sha1", "sha384", "SHA256", ""):
        with pytest.raises(DigestInvalid):
            Hasher(name)


def test_a_digest_survives_pickling_as_a_digest() -> None:
    digest = Digest.of(b"x")
    assert type(pickle.loads(pickle.dumps(digest))) is Digest
