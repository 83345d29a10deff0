"""Hubs that are killed again and again: on either engine, with one web worker and with three."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def running(
    request: pytest.FixtureRequest, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """A hub in the world `request.param` names, with the settings `env`."""
    engine, workers = WORLDS[request.param]
    server: Postgres | None = request.getfixturevalue("postgres") if engine == "postgresql" else None
    name = f"f_{uuid.uuid4().hex}"
    url = server.create(name) if server else None
    hub = Hub(folder, workers=workers, database_url=url, env=dict(env or {}))
    made = Stage(hub, folder)
    try:
        hub.start()
        yield made
    finally:
        hub.kill()
        if server:
            server.drop(name)


@pytest.fixture(scope="session", params=WORLDS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One hub per world for all tests of a run: every test leaves it running."""
    with running(request, tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """A hub that is whole, and clients whose deeds can be checked."""
    if stage.hub.process is None or stage.hub.process.poll() is not None:
        stage.hub.start()
    made = stage.scene()
    yield made
    made.close()
    stage.disarm()


@pytest.fixture(scope="session", params=["sqlite-1", "postgresql-3"])
def rotten_stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Hubs whose data is damaged; every test repairs what it damaged."""
    with running(request, tmp_path_factory.mktemp("rotten")) as made:
        yield made


@pytest.fixture
def rotten(rotten_stage: Stage) -> Iterator[Scene]:
    made = rotten_stage.scene()
    yield made
    made.close()
