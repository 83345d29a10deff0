"""Ten images with common layers are pushed at the same moment."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from fairway.frame.db import open_database
from fairway.frame.db.tables import blobs
from hub import Hub
from system.clients import Person, Pulled
from system.images import package_layer
from system.layouts import Layout

pytestmark = pytest.mark.system

PACKAGES = [
    "asyncio",
    "collections",
    "concurrent",
    "ctypes",
    "email",
    "encodings",
    "html",
    "http",
    "json",
    "logging",
]


def one_image_each(debian: Layout, folder: Path) -> Layout:
    """For every package an image, tagged with its name: Debian's layers with the package on top."""
    layout = debian.copied_to(folder)
    base = layout.parsed(layout.tagged("debian")["digest"])
    diff_ids = layout.parsed(base["config"]["digest"])["rootfs"]["diff_ids"]
    for package in PACKAGES:
        layer, diff_id = package_layer(layout, package)
        layout.image([*base["layers"], layer], [*diff_ids, diff_id], tag=package)
    return layout


def rows_per_blob(hub: Hub) -> dict[str, int]:
    async def read() -> dict[str, int]:
        db = await open_database(hub.database_url, pool=1)
        try:
            found = await db.all(select(blobs.c.digest))
        finally:
            await db.close()
        digests = [row["digest"] for row in found]
        return {digest: digests.count(digest) for digest in digests}

    return asyncio.run(read())


def objects_per_blob(hub: Hub) -> dict[str, int]:
    names = [f"sha256:{path.name[:64]}" for path in (hub.data / "storage/sha256").glob("*/*")]
    return {digest: names.count(digest) for digest in names}


def test_ten_pushes_at_once_store_every_layer_once(
    hub: Hub, admin: Person, debian: Layout, tmp_path: Path
) -> None:
    layout = one_image_each(debian, tmp_path / "ten")

    def push(package: str) -> None:
        admin.push(layout.ref(package), f"library/python/{package}:1")

    def pull(package: str) -> Pulled:
        return admin.pull(f"library/python/{package}:1")

    with ThreadPoolExecutor(len(PACKAGES)) as at_once:
        list(at_once.map(push, PACKAGES))
        pulled = list(at_once.map(pull, PACKAGES))

    everything: set[str] = set()
    for package, got in zip(PACKAGES, pulled, strict=True):
        assert got.manifest == layout.raw(layout.tagged(package)["digest"])
        manifest = json.loads(got.manifest)
        assert got.blobs == {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
        everything |= got.blobs
    assert len(everything) == 3 + 2 * len(PACKAGES)
    assert rows_per_blob(hub) == dict.fromkeys(everything, 1)
    assert objects_per_blob(hub) == dict.fromkeys(everything, 1)
    assert list((hub.data / "storage/uploads").iterdir()) == []
