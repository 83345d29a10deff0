"""A team's life on a running hub, told through harborapi, a client of Harbor's API that other people wrote."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from harborapi import HarborAsyncClient

from hub import Hub
from postgres import Postgres
from system.harborapi.watched import logged_in


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for all chapters, which keep out of each other's way by names."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        hub = Hub(folder)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        hub = Hub(folder, database_url=server.create(f"h_{uuid.uuid4().hex}"), workers=3)
    try:
        yield hub.start()
    finally:
        hub.kill()


@pytest.fixture
async def harbor(hub: Hub) -> AsyncIterator[HarborAsyncClient]:
    """The administrator's client."""
    async with logged_in(hub) as api:
        yield api
