"""Artifacts of many kinds, with the bytes their own tools would push."""

import gzip
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Mapping
from typing import Any

from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import parse_manifest
from fairway.core.oci.media_types import OCI_IMAGE_CONFIG, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from stories.world import Image

CHART = "application/vnd.cncf.helm.config.v1+json"
CHART_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SBOM = "application/vnd.goharbor.harbor.sbom.v1"
MODEL = "application/vnd.cncf.model"
DOC = f"{MODEL}.doc.v1"
KIT = "application/vnd.kitops.modelkit"


def blob(data: bytes, media_type: str, **members: Any) -> tuple[bytes, dict[str, Any]]:
    """Bytes and how a manifest names them."""
    return data, {"mediaType": media_type, "digest": Digest.of(data), "size": len(data), **members}


Part = tuple[bytes, dict[str, Any]]


def artifact(config: Part, *layers: Part, **members: Any) -> Image:
    """A manifest of these blobs."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MANIFEST,
        "config": config[1],
        "layers": [named for _, named in layers],
        **members,
    }
    made = parse_manifest(json.dumps(body).encode(), OCI_IMAGE_MANIFEST)
    return Image(made, (config[0], *(data for data, _ in layers)))


def index_of(*children: tuple[Image, dict[str, Any]], **members: Any) -> Image:
    """An index of images, each with what it says of it."""
    listed = [
        {"mediaType": child.manifest.media_type, "digest": child.digest, "size": child.manifest.size, **said}
        for child, said in children
    ]
    body = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": listed, **members}
    made = parse_manifest(json.dumps(body).encode(), OCI_IMAGE_INDEX)
    return Image(made, children=tuple(child for child, _ in children))


def config(media_type: str, body: Any, **members: Any) -> Part:
    return blob(json.dumps(body).encode(), media_type, **members)


def tar(files: Mapping[str, bytes], *, packed: bool = False) -> bytes:
    """An archive of plain files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(made.getvalue()) if packed else made.getvalue()


IMAGE_CONFIG = {
    "created": "2026-01-02T03:04:05Z",
    "architecture": "arm64",
    "os": "linux",
    "config": {
        "Env": ["PATH=/bin"],
        "Labels": {"maintainer": "harbour <h@example.org>", "note": "<script>alert(1)</script>"},
    },
    "rootfs": {"type": "layers", "diff_ids": []},
    "history": [{"created_by": "COPY . /", "comment": "</script>"}, {"empty_layer": True}],
}
DEPENDENCIES = [{"name": "redis", "version": "18.x", "repository": "oci://example.org/charts"}]
CHART_YAML = {
    "name": "pier",
    "version": "1.2.3",
    "appVersion": "7",
    "description": "A pier",
    "icon": "javascript:alert(1)",
    "dependencies": DEPENDENCIES,
}
CHART_FILES = {
    "pier/Chart.yaml": b"name: pier\n",
    "pier/charts/redis/values.yaml": b"not: this\n",
    "pier/values.yaml": "berths: 2 # ü\n".encode(),
    "pier/templates/README.md": b"not this",
    "pier/README.md": b"# Pier\n<img src=x onerror=alert(1)>\n",
}


def an_image(body: Any = IMAGE_CONFIG, name: str = "layer", **members: Any) -> Image:
    return artifact(
        config(OCI_IMAGE_CONFIG, body),
        blob(f"the layer {name}".encode(), "application/vnd.oci.image.layer.v1.tar+gzip"),
        **members,
    )


def a_chart(content: bytes | None = None, body: Any = CHART_YAML) -> Image:
    packed = tar(CHART_FILES, packed=True) if content is None else content
    return artifact(config(CHART, body), blob(packed, CHART_CONTENT))


def at(path: str) -> dict[str, Any]:
    return {"annotations": {"org.cncf.model.filepath": path}}


def a_model(*, doc: str = "raw", terms_at: str = "LICENSE") -> Image:
    """A ModelPack; its documents are plain files or archives."""
    readme, terms = b"# Model\n", b"Apache-2.0\n"
    if doc != "raw":
        readme = tar({"README.md": readme}, packed=doc.endswith("gzip"))
    return artifact(
        config(f"{MODEL}.config.v1+json", {"descriptor": {"name": "buoy"}, "config": {"paramSize": "8b"}}),
        blob(b"weights", f"{MODEL}.weight.v1.raw", **at("weights/model.safetensors")),
        blob(b"{}", f"{MODEL}.weight.config.v1.raw", **at("config.json")),
        blob(readme, f"{DOC}.{doc}", **at("README.md")),
        blob(terms, f"{DOC}.raw", **at(terms_at)),
        artifactType=f"{MODEL}.manifest.v1+json",
    )


def a_kit() -> Image:
    """What `kit pack` makes."""
    title = {"annotations": {"org.opencontainers.image.title": "README.md"}}
    return artifact(
        config(f"{KIT}.config.v1+json", {"manifestVersion": "1.0.0", "package": {"name": "buoy"}}),
        blob(b"weights", f"{KIT}.model.v1.tar"),
        blob(tar({"README.md": b"# Kit\n"}), f"{KIT}.docs.v1.tar", **title),
    )


def png(width: int = 4, height: int = 4, *, text: bytes = b"") -> bytes:
    """A picture, with a comment if there is one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x7f" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    if text:
        parts.insert(1, chunk(b"tEXt", b"Comment\0" + text))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
