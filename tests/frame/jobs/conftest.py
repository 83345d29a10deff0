"""A job and its workers on either database."""

import pytest

from fairway.frame.db import Database
from frame.jobs.bench import Bench


@pytest.fixture
async def bench(db: Database) -> Bench:
    return Bench(db)
