"""OCI image layouts made by hand: a folder of blobs by digest, as skopeo, umoci and buildah read it.

Source: OCI image specification 1.1, image-layout.md.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"

Descriptor = dict[str, Any]
_PIECE = 2**20


class Layout:
    """One layout.  `path(digest)` is the file of a blob; tags are the names in index.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "oci-layout").exists():
            (folder / "blobs/sha256").mkdir(parents=True)
            (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
            (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')

    def copied_to(self, folder: Path) -> "Layout":
        """The same content somewhere else, free to be added to."""
        shutil.copytree(self.folder, folder)
        return Layout(folder)

    def ref(self, tag: str) -> str:
        """How skopeo, podman and buildah name a tag of it."""
        return f"oci:{self.folder}:{tag}"

    def path(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")

    def add(self, content: bytes | Path, media_type: str, **more: Any) -> Descriptor:
        """Put a blob in; a file is moved.  `more` goes into the descriptor."""
        if isinstance(content, bytes):
            digest, size = f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)
            self.path(digest).write_bytes(content)
        else:
            digest, size = file_digest(content), content.stat().st_size
            shutil.move(content, self.path(digest))
        return {"mediaType": media_type, "digest": digest, "size": size, **more}

    def image(
        self,
        layers: Iterable[Descriptor],
        diff_ids: Iterable[str],
        *,
        tag: str = "",
        architecture: str = "amd64",
    ) -> Descriptor:
        """An image with a proper configuration; `diff_ids` are the digests of the layers' tar files."""
        config = {
            "created": "2026-01-01T00:00:00Z",
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        }
        body = {"config": self.add(json.dumps(config).encode(), CONFIG), "layers": list(layers)}
        platform = {"os": "linux", "architecture": architecture}
        return {**self.manifest(body, tag=tag), "platform": platform}

    def manifest(self, body: dict[str, Any], *, media_type: str = MANIFEST, tag: str = "") -> Descriptor:
        """A manifest or index, under a tag if one is given."""
        raw = json.dumps({"schemaVersion": 2, "mediaType": media_type, **body}, indent=1).encode()
        made = self.add(raw, media_type)
        if tag:
            index = self._index()
            index["manifests"] += [{**made, "annotations": {"org.opencontainers.image.ref.name": tag}}]
            (self.folder / "index.json").write_text(json.dumps(index))
        return made

    def tagged(self, tag: str) -> Descriptor:
        """The descriptor of what a tag names."""
        for found in self._index()["manifests"]:
            if found.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
                return dict(found)
        raise KeyError(tag)

    def raw(self, digest: str) -> bytes:
        return self.path(digest).read_bytes()

    def parsed(self, digest: str) -> Any:
        return json.loads(self.raw(digest))

    def _index(self) -> Any:
        return json.loads((self.folder / "index.json").read_text())


def file_digest(path: Path) -> str:
    """The sha256 digest of a file of any size."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
