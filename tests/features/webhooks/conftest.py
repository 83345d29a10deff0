"""A way out to loopback, a server there, and who tells it."""

from collections.abc import AsyncIterator

import pytest

from fairway.frame.db import Database
from fairway.frame.egress import Egress
from features.webhooks.telling import Telling
from frame.egress.elsewhere import LOOPBACK, Elsewhere, up, way_out


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with way_out(LOOPBACK) as egress:
        yield egress


@pytest.fixture
async def there() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        server.script["/hook"] = (200, {}, b"")
        yield server


@pytest.fixture
def telling(db: Database, egress: Egress) -> Telling:
    return Telling(db, egress, request_seconds=0.5, slice_seconds=5.0)
