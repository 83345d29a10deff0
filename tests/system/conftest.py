"""What every system test has: real images, and people at keyboards."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import PASSWORD, Hub
from system import images
from system.clients import Person
from system.layouts import Layout
from system.wire import Wire


@pytest.fixture(scope="session")
def debian() -> Layout:
    return images.debian()


@pytest.fixture(scope="session")
def hello() -> Layout:
    return images.two_platforms()


@pytest.fixture
def admin(hub: Hub, tmp_path: Path) -> Iterator[Person]:
    """Somebody who is logged in as the administrator."""
    yield Person(tmp_path / "admin", hub, password=PASSWORD)
    shutil.rmtree(tmp_path / "admin")  # pytest would keep hundreds of megabytes for days


@pytest.fixture
def nobody(hub: Hub, tmp_path: Path) -> Person:
    """Somebody who has not logged in."""
    return Person(tmp_path / "nobody", hub)


@pytest.fixture
def wire(hub: Hub) -> Wire:
    """The administrator's plain HTTP."""
    return Wire(hub)
