"""What the sessions send: small images made by hand, the same bytes every time, and one with a large layer."""

import gzip
import io
import random
import tarfile
from hashlib import sha256
from pathlib import Path

from system.layouts import INDEX, LAYER, PLAIN_LAYER, Layout

LARGE = 64 * 2**20


def two_platforms(folder: Path) -> Layout:
    """The only tag, `both`, names an index of two images, which have no tags of their own."""
    layout = Layout(folder)
    images = []
    for architecture in ("amd64", "arm64"):
        tar = tar_with("hello", f"hello from {architecture}\n".encode() * 100)
        layer = layout.add(gzip.compress(tar, mtime=0), LAYER)
        images.append(layout.image([layer], [f"sha256:{sha256(tar).hexdigest()}"], architecture=architecture))
    layout.manifest({"manifests": images}, media_type=INDEX, tag="both")
    return layout


def large(folder: Path) -> Layout:
    """The tag `large` names an image whose one layer does not get smaller by packing."""
    layout = Layout(folder)
    tar = tar_with("disk.img", random.Random(64).randbytes(LARGE))
    layer = layout.add(tar, PLAIN_LAYER)
    layout.image([layer], [layer["digest"]], tag="large")
    return layout


def tar_with(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return tar.getvalue()


def same(first: Path, second: Path, digest: str) -> None:
    """Everything that `digest` leads to is in the second layout, byte for byte."""
    one, other = Layout(first), Layout(second)
    waiting = [digest]
    while waiting:
        current = waiting.pop()
        assert other.raw(current) == one.raw(current), f"{current} is not what it was"
        try:
            manifest = one.parsed(current)
        except ValueError:
            continue  # a layer
        for child in (*manifest.get("manifests", ()), *manifest.get("layers", ()), manifest.get("config")):
            # An image's own settings are called config, too, and name nothing.
            waiting += [child["digest"]] if child and "digest" in child else []
