"""Fixtures every test may use: a migrated, empty database on each engine."""

import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from fairway.frame.db import Database, open_database
from fairway.frame.db.migrate import migrate
from hub import Hub
from postgres import Postgres, binaries

ENGINES = ("sqlite", "postgresql")

# Beside another test that takes the machine, one example may take long; and what is drawn must not differ from run to
# run, or a change is held up by what it has nothing to do with.  `make fuzz` draws anew.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    migrate(postgres.create("fairway_template"))
    return "fairway_template"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "fairway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty, migrated database, once per engine."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "fairway.db"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t_{uuid.uuid4().hex}"
    yield server.create(name, request.getfixturevalue("postgres_template"))
    server.drop(name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url, pool=5)
    yield database
    await database.close()


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[Any]:
    """A whole hub in this process, and people to use it: `stories.world.World`."""
    from stories.world import open_world

    async with open_world(database_url, tmp_path) as world:
        yield world


StartHub = Callable[..., Hub]


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[StartHub]:
    """Starts a hub on an empty SQLite data folder, or with `database_url=`; every hub is gone after the test."""
    hubs: list[Hub] = []

    def start(*, name: str = "hub", **options: Any) -> Hub:
        folder = tmp_path / name
        folder.mkdir()
        hubs.append(Hub(folder, **options))
        return hubs[-1].start()

    yield start
    for hub in hubs:
        hub.kill()


@pytest.fixture(params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, start_hub: StartHub) -> Iterator[Hub]:
    """A running hub, once on SQLite with one worker and once on PostgreSQL with three."""
    if request.param == "sqlite":
        yield start_hub()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"h_{uuid.uuid4().hex}"
    yield start_hub(database_url=server.create(name), workers=3)
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    server.drop(name)
