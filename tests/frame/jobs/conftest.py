"""A job and its workers on either database, and a look at what stays behind."""

from collections.abc import Iterator

import pytest

from fairway.frame.db import Database
from frame.jobs.bench import Bench
from frame.jobs.processes import children


@pytest.fixture
async def bench(db: Database) -> Bench:
    return Bench(db)


@pytest.fixture
def no_child_left() -> Iterator[None]:
    before = children()
    yield
    assert children() == before
