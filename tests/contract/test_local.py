"""The hub's own place, names in a database and bytes on a disk, seen through the gate: the same contract as all others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.test_target import (  # noqa: F401 - collected here, on the registry below
    APP,
    OTHER,
    TestBlobs,
    TestLists,
    TestManifests,
    TestMounting,
    TestReferrers,
    TestUploads,
    test_whoever_may_use_it_may_ask,
)
from fairway.core.content.protocols import Registry
from fairway.features.registry.gate import Gate
from fairway.frame.access.principals import User
from fairway.frame.web.who import Identity
from stories.world import open_world


@pytest.fixture
async def registry(database_url: str, tmp_path: Path) -> AsyncIterator[Registry]:
    """`Local` over `SqlNames` and a disk store, in front of it a gate that finds each repository's project."""
    async with open_world(database_url, tmp_path) as world:
        for repo in (APP, OTHER):
            await world.project(repo.project)
        identity = Identity(User(world.admin.id, world.admin.name, sysadmin=True))
        yield Gate(world.parts.hub, identity, realm="")
