"""What is pushed and pulled: the same bytes in every run with the same seed, on every peer."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from wire import MANIFEST_TYPE

REPO = "library/bench"
TAG = "latest"
KB, MB, GB = 1000, 2**20, 2**30
_BLOCK = MB
_TAIL = 64


def digest_of(raw: bytes) -> str:
    """As registries write it."""
    return f"sha256:{sha256(raw).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Image:
    """An ordinary image: a config, five little layers, one of 100 KB and one of 64 MiB."""

    manifest: bytes
    blobs: dict[str, bytes]
    middle: str
    large: str

    @property
    def digest(self) -> str:
        """The manifest's."""
        return digest_of(self.manifest)


def image(seed: int) -> Image:
    """The image every pull is about."""
    chance = random.Random(seed)
    layers = [chance.randbytes(size) for size in (900, 1200, 2000, 4000, 8000, 100 * KB, 64 * MB)]
    config = json.dumps({"architecture": "amd64", "os": "linux", "seed": seed}).encode()
    blobs = {digest_of(raw): raw for raw in (config, *layers)}
    return Image(manifest_of(config, layers), blobs, digest_of(layers[-2]), digest_of(layers[-1]))


def manifest_of(config: bytes, layers: list[bytes]) -> bytes:
    """An OCI image manifest."""
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", raw) for raw in layers],
    }
    return json.dumps(content, indent=2).encode()


def _descriptor(media_type: str, raw: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(raw), "digest": digest_of(raw)}


class Large:
    """Layers of one size, each different, at the price of hashing one: they differ in their last bytes only."""

    def __init__(self, seed: int, size: int) -> None:
        self.size = size
        self._block = memoryview(random.Random(seed).randbytes(_BLOCK))
        self._prefix = sha256()
        for piece in self._common():
            self._prefix.update(piece)

    def _common(self) -> Iterator[memoryview]:
        left = self.size - _TAIL
        while left > 0:
            yield self._block[:left]
            left -= _BLOCK

    def digest(self, tail: bytes) -> str:
        """Of the layer that ends with `tail`."""
        whole = self._prefix.copy()
        whole.update(tail)
        return f"sha256:{whole.hexdigest()}"

    def pieces(self, tail: bytes) -> Iterator[memoryview]:
        """Its bytes; no copy is made of them."""
        yield from self._common()
        yield memoryview(tail)


def tails(chance: random.Random) -> Iterator[bytes]:
    """Endings for layers of a `Large`, never one twice."""
    while True:
        yield chance.randbytes(_TAIL)
