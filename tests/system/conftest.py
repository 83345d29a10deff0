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


@pytest.fixture(autouse=True)
def _nothing_large_stays(tmp_path: Path) -> Iterator[None]:
    """Remove images after each test, of which pytest would keep gigabytes for days; logs stay."""
    yield
    for folder in (*tmp_path.glob("*/data/storage"), *tmp_path.glob("*/store"), *tmp_path.glob("*/pulled-*")):
        shutil.rmtree(folder)


@pytest.fixture
def admin(hub: Hub, tmp_path: Path) -> Person:
    """Somebody who is logged in as the administrator."""
    return Person(tmp_path / "admin", hub, password=PASSWORD)


@pytest.fixture
def nobody(hub: Hub, tmp_path: Path) -> Person:
    """Somebody who has not logged in."""
    return Person(tmp_path / "nobody", hub)


@pytest.fixture
def wire(hub: Hub) -> Wire:
    """The administrator's plain HTTP."""
    return Wire(hub)
