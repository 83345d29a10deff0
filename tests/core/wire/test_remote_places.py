"""What another registry names as the next place may be anything: an error of ours, and nothing is asked there."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from contract.registry_worlds import chunks
from contract.scripted_registry import Scripted, up
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unavailable
from fairway.core.oci.names import Repository
from fairway.core.wire.client import Client
from fairway.core.wire.remote import RemoteRegistry

APP = Repository("team/app")
DATA = b"0123456789"
DIGEST = Digest.of(DATA)
NOWHERE = (
    "http://[",
    "http://host:port/",
    "http://[::1/",
    "//host:99999/x",
    "gopher://somewhere/",
    "//who:secret@host/",
)

pytestmark = pytest.mark.parametrize("place", NOWHERE)


@pytest.fixture
async def there() -> AsyncIterator[Scripted]:
    async with up() as registry:
        yield registry


@pytest.fixture
async def remote(there: Scripted) -> AsyncIterator[RemoteRegistry]:
    async with aiohttp.ClientSession() as session:
        yield RemoteRegistry(Client(there.url, session))


async def test_a_redirect(there: Scripted, remote: RemoteRegistry, place: str) -> None:
    there.script[f"HEAD /v2/team/app/blobs/{DIGEST}"] = (307, {"location": place}, b"")
    with pytest.raises(Unavailable):
        await remote.blob_size(APP, DIGEST)


async def test_a_page(there: Scripted, remote: RemoteRegistry, place: str) -> None:
    link = {"link": f'<{place}>; rel="next"'}
    there.script["GET /v2/team/app/tags/list"] = (200, link, {"tags": ["a"]})
    with pytest.raises(Unavailable):
        await remote.tags(APP, limit=100)


async def test_an_upload(there: Scripted, remote: RemoteRegistry, place: str) -> None:
    there.script["POST /v2/team/app/blobs/uploads/"] = (202, {"location": place}, b"")
    with pytest.raises(Unavailable):
        await remote.put_blob(APP, DIGEST, chunks(DATA))
