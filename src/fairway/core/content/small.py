"""Small blobs in memory: configs above all, which every node of a fleet asks for at the same moment.

What lies under a key never changes, so a copy of it stays right; whether it may still be shown is asked elsewhere, each
time.  A blob is kept only after its bytes were hashed.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

LARGEST = 32 * 2**10
"""Bytes of the largest blob that counts as small.  From about here on the server sends a file quicker than we bytes."""
CAPACITY = 16 * 2**20
"""Bytes kept by one process."""
OVERHEAD = 512
"""Bytes that a blob takes beside its content."""


@dataclass(frozen=True, slots=True)
class SmallBlob:
    """A `Blob` whose bytes are here."""

    content: bytes
    path: None = None

    @property
    def size(self) -> int:
        """See `Blob`."""
        return len(self.content)

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blob`."""
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) is not within the blob's {self.size} bytes")
        if start < end:
            yield self.content[start:end]


class SmallBlobs:
    """By key; those used longest ago go first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, SmallBlob] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> SmallBlob | None:
        """The blob under `key`, if it is here."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: str, content: bytes) -> SmallBlob:
        """Remember a blob that was found right."""
        made = SmallBlob(content)
        if key not in self._kept:
            self._kept[key] = made
            self._bytes += made.size + OVERHEAD
        while self._bytes > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size + OVERHEAD
        return made
