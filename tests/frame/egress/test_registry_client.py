"""The registry client goes through the same doorway, and keeps the login home by itself (T24, T25)."""

from collections.abc import AsyncIterator

import pytest

from contract.registry_worlds import chunks, image, push, serving
from contract.scripted_registry import Scripted
from contract.scripted_registry import up as scripted
from fairway.core.content.memory import Memory
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unauthorized
from fairway.core.oci.names import Repository, Tag
from fairway.core.wire.challenge import Login
from fairway.core.wire.client import Client
from fairway.core.wire.remote import RemoteRegistry
from fairway.core.wire.server import Request, registry_app
from fairway.frame.egress import Egress, EgressRefused
from frame.egress.elsewhere import LOOPBACK, Names, Raw, listening, way_out

APP, V1 = Repository("team/app"), Tag("v1")
DATA = b"0123456789"
DIGEST = Digest.of(DATA)
BLOB = f"/v2/team/app/blobs/{DIGEST}"
LOGIN = Login("robot", "s3cret")


@pytest.fixture
async def there() -> AsyncIterator[Scripted]:
    async with scripted() as registry:
        yield registry


@pytest.fixture
async def canary() -> AsyncIterator[Raw]:
    """Where nothing may be sent: 127.0.0.3, here."""
    async with listening("127.0.0.3") as raw:
        yield raw
        assert raw.connections == 0


@pytest.fixture
async def some() -> AsyncIterator[Egress]:
    names = Names(rebound=["127.0.0.3"])
    async with way_out("127.0.0.1/32", resolver=names) as egress:
        yield egress


async def test_images_pass_both_ways() -> None:
    behind = Memory()

    async def open_registry(_request: Request) -> Memory:
        return behind

    async with serving(registry_app(open_registry)) as url, way_out(LOOPBACK) as egress:
        remote = RemoteRegistry(Client(url, egress.session()))
        manifest = image(DATA)
        await push(remote, APP, manifest, V1, blobs=(DATA,))
        assert (await remote.manifest(APP, V1)).raw == manifest.raw
        blob = await remote.blob(APP, DIGEST)
        assert b"".join([piece async for piece in blob.read(0, blob.size)]) == DATA


async def test_what_the_registry_names_is_looked_at(there: Scripted, some: Egress, canary: Raw) -> None:
    remote = RemoteRegistry(Client(there.url, some.session(), LOGIN))
    for host in ("127.0.0.3", "0x7f.3", "rebound.example", "[::ffff:127.0.0.3]"):
        elsewhere = f"http://{host}:{canary.port}"
        there.script |= {
            f"HEAD {BLOB}": (307, {"location": f"{elsewhere}/blob"}, b""),
            "POST /v2/team/app/blobs/uploads/": (202, {"location": f"{elsewhere}/upload"}, b""),
        }
        with pytest.raises(EgressRefused):
            await remote.blob_size(APP, DIGEST)
        with pytest.raises(EgressRefused):
            await remote.put_blob(APP, DIGEST, chunks(DATA))


@pytest.mark.parametrize("host", ["127.0.0.3", "rebound.example"])
async def test_so_is_who_gives_tokens(there: Scripted, some: Egress, canary: Raw, host: str) -> None:
    challenge = f'Bearer realm="http://{host}:{canary.port}/token",service="x"'
    there.script[f"HEAD {BLOB}"] = (401, {"www-authenticate": challenge}, b"")
    with pytest.raises(EgressRefused):
        await RemoteRegistry(Client(there.url, some.session(), LOGIN)).blob_size(APP, DIGEST)


async def test_a_realm_elsewhere_does_not_get_the_password(there: Scripted) -> None:
    async with scripted() as stranger, way_out(LOOPBACK) as egress:
        challenge = f'Bearer realm="{stranger.url}/token",service="x"'
        there.script[f"HEAD {BLOB}"] = (401, {"www-authenticate": challenge}, b"")
        stranger.script["GET /token"] = (200, {}, {"token": "anonymous"})
        with pytest.raises(Unauthorized):
            await RemoteRegistry(Client(there.url, egress.session(), LOGIN)).blob_size(APP, DIGEST)
        assert stranger.story == ["GET /token"]
        assert not stranger.credentials
        assert b"s3cret" not in stranger.asked[0].body


async def test_a_login_in_the_url_of_a_registry_is_refused(there: Scripted, some: Egress) -> None:
    url = there.url.replace("//", "//robot:s3cret@")
    with pytest.raises(EgressRefused, match="with a login in it"):
        await RemoteRegistry(Client(url, some.session())).ping()
