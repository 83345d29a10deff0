"""Digests: the names that content has by itself (OCI image specification, descriptor.md, "Digests").

Only the two algorithms the specification registers for general use are taken, in their one canonical spelling
(lower-case hex, ASCII, exact length), so that two equal digests are always equal strings.
"""

import hashlib
import re
from typing import Self

from fairway.core.oci.errors import DigestInvalid

ALGORITHMS = ("sha256", "sha512")

_DIGEST = re.compile("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SHOWN = 80


class Digest(str):
    """`sha256:<64 hex>` or `sha512:<128 hex>`.  Raises DigestInvalid for anything else."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if _DIGEST.fullmatch(text) is None:
            raise DigestInvalid(
                f"{text[:_SHOWN]!r} is not a digest: write sha256:<64 lower-case hex digits> or sha512:<128>"
            )
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> "Digest":
        """The digest of `data`.  Raises DigestInvalid for an algorithm outside `ALGORITHMS`."""
        hasher = Hasher(algorithm)
        hasher.update(data)
        return hasher.digest()

    @property
    def algorithm(self) -> str:
        """`sha256` or `sha512`."""
        return self[:6]

    @property
    def hex(self) -> str:
        """The part after the colon."""
        return self[7:]


class Hasher:
    """Makes a digest of bytes that arrive in pieces."""

    __slots__ = ("_hash", "algorithm")

    def __init__(self, algorithm: str = "sha256") -> None:
        if algorithm not in ALGORITHMS:
            raise DigestInvalid(f"unknown digest algorithm {algorithm[:_SHOWN]!r}: use sha256 or sha512")
        self.algorithm = algorithm
        self._hash = hashlib.new(algorithm)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.  Releases the interpreter lock for more than 2 KiB (hashlib)."""
        self._hash.update(data)

    def digest(self) -> Digest:
        """The digest of everything taken so far; more may follow."""
        return Digest(f"{self.algorithm}:{self._hash.hexdigest()}")

    def copy(self) -> "Hasher":
        """An independent hasher that has taken the same bytes."""
        twin = Hasher.__new__(Hasher)
        twin.algorithm = self.algorithm
        twin._hash = self._hash.copy()  # noqa: SLF001 (our own)
        return twin
