"""A way out that may reach loopback, and two servers there."""

from collections.abc import AsyncIterator

import pytest

from fairway.frame.egress import Egress
from frame.egress.elsewhere import LOOPBACK, Authority, Elsewhere, up, way_out


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with way_out(LOOPBACK) as egress:
        yield egress


@pytest.fixture
async def there() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        yield server


@pytest.fixture
async def stranger() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))
