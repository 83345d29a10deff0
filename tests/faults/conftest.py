"""Hubs that are killed again and again: on either engine, with one web worker and with three."""

import uuid
from collections.abc import Iterator

import pytest
from faults.stage import Scene, Stage
from hub import Hub
from postgres import Postgres

WORLDS = {
    "sqlite-1": ("sqlite", 1),
    "sqlite-3": ("sqlite", 3),
    "postgresql-1": ("postgresql", 1),
    "postgresql-3": ("postgresql", 3),
}


@pytest.fixture(scope="session", params=WORLDS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One hub per world for all tests of a run: every test leaves it running."""
    engine, workers = WORLDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    if engine == "sqlite":
        made = Stage(Hub(folder, workers=workers), folder)
        made.hub.start()
        yield made
        made.hub.kill()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"f_{uuid.uuid4().hex}"
    made = Stage(Hub(folder, workers=workers, database_url=server.create(name)), folder)
    made.hub.start()
    yield made
    made.hub.kill()
    server.drop(name)


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """A hub that is whole, and clients whose deeds can be checked."""
    if stage.hub.process is None or stage.hub.process.poll() is not None:
        stage.hub.start()
    made = stage.scene()
    yield made
    made.close()
    stage.disarm()
