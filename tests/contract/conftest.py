"""The world of the blob store suites, once per implementation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.blob_worlds import (
    PATIENCE,
    World,
    disk_world,
    memory_world,
    s3_world,
)
from fairway.core.stores.disk import DiskStore


@pytest.fixture(params=["memory", "disk", "s3"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield memory_world()
    elif request.param == "s3":
        yield s3_world()
    else:
        opened = [DiskStore(tmp_path / "storage", threads=4, patience=PATIENCE).open()]
        yield disk_world(opened, tmp_path / "storage")
        for store in opened:
            store.close()
