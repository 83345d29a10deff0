"""A whole hub around the feature under test, once per database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stories.world import World, open_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(database_url, tmp_path) as world:
        yield world
