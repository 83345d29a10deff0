"""Small images with chosen bytes: what the clients of the fault tests push."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Image:
    """A manifest with the bytes of the blobs it names, by digest."""

    raw: bytes
    media_type: str
    blobs: dict[str, bytes] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    subject: str = ""

    @property
    def digest(self) -> str:
        return digest_of(self.raw)

    def descriptor(self) -> dict[str, object]:
        return _descriptor(self.media_type, self.raw)


def image(config: bytes, layers: Sequence[bytes], subject: Image | None = None) -> Image:
    content: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, layer) for layer in layers],
    }
    if subject is not None:
        content["subject"] = subject.descriptor()
    blobs = {digest_of(data): data for data in (config, *layers)}
    return Image(json.dumps(content).encode(), IMAGE, blobs, subject=subject.digest if subject else "")


def index(children: Sequence[Image], note: str = "") -> Image:
    content = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [child.descriptor() for child in children],
        "annotations": {"note": note},
    }
    return Image(json.dumps(content).encode(), INDEX, children=tuple(child.digest for child in children))


def new_image(rng: random.Random, *sizes: int) -> Image:
    """An image nobody has pushed before, with layers of these many bytes."""
    return image(rng.randbytes(200), [rng.randbytes(size) for size in sizes])


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
