"""One hub per engine for all sessions, a person who is no administrator, and projects of their own for each test."""

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub import Hub
from postgres import Postgres
from system.layouts import Layout
from system.sessions import samples
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import Client, found, version
from system.wire import Wire

_SECONDS = 120


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """SQLite with one worker, PostgreSQL with three."""
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "sqlite":
        hub = Hub(folder)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        hub = Hub(folder, database_url=server.create(f"h_{uuid.uuid4().hex}"), workers=3)
    try:
        hub.launch()
        hub._wait_until_ready(_SECONDS)
        _add_user(hub)
        yield hub
    finally:
        hub.kill()
        shutil.rmtree(hub.data)


def _add_user(hub: Hub) -> None:
    command = [sys.executable, "-m", "fairway", "user", "add", USER, "--data-dir", str(hub.data)]
    env = {**os.environ, "FAIRWAY_DATABASE_URL": hub.database_url}
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, env=env, check=True, capture_output=True)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    """The client that the module is about, which its CLIENT names."""
    about: Client = request.module.CLIENT
    return about


@pytest.fixture(autouse=True)
def _recorded(client: Client, record_property: Callable[[str, object], None]) -> None:
    """Say in the report of the run whose session this is; page.py makes a table of it."""
    if client.program:
        found(client.program)  # or the test skips, before anything is started for it
    record_property("client", client.name)
    record_property("version", version(client))


@pytest.fixture
def keyboard(hub: Hub, client: Client, tmp_path: Path) -> Keyboard:
    return Keyboard(tmp_path / "keyboard", hub, client)


@pytest.fixture
def deckhand(hub: Hub) -> Wire:
    """The plain HTTP of the person the sessions log in as."""
    return Wire(hub, USER, PASSWORD)


@pytest.fixture
def project(deckhand: Wire) -> str:
    """A private project of theirs."""
    name = f"p{uuid.uuid4().hex[:12]}"
    deckhand.create_project(name)
    return name


@pytest.fixture
def open_project(deckhand: Wire) -> str:
    """A public project of theirs."""
    name = f"o{uuid.uuid4().hex[:12]}"
    deckhand.create_project(name, public=True)
    return name


@pytest.fixture
def guessing(hub: Hub) -> Iterator[None]:
    """Wrong passwords may be tried: nobody has to wait for them afterwards.  Needs the hub on SQLite."""
    yield
    with closing(sqlite3.connect(hub.data / "fairway.db", timeout=30)) as rows:
        rows.execute("DELETE FROM login_failures")
        rows.commit()


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return samples.two_platforms(tmp_path_factory.mktemp("both") / "layout")


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    folder = tmp_path_factory.mktemp("large")
    yield samples.large(folder / "layout")
    shutil.rmtree(folder)
