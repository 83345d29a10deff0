"""Certificates are verified, unless the caller says for one place that they are not (T27)."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.core.oci.errors import Unavailable
from fairway.core.wire.client import Client
from fairway.core.wire.remote import RemoteRegistry
from fairway.frame.egress import Egress, EgressFailed, EgressRefused
from fairway.frame.settings import SettingsInvalid
from frame.egress.elsewhere import LOOPBACK, Authority, Elsewhere, Names, up, way_out

NAMES = Names(known=["127.0.0.1"], unknown=["127.0.0.1"])


@pytest.fixture(scope="module")
def tls(authority: Authority) -> ssl.SSLContext:
    return authority.server("127.0.0.1", "known.example")


@pytest.fixture
async def there(tls: ssl.SSLContext) -> AsyncIterator[Elsewhere]:
    async with up(tls=tls) as server:
        server.script["/"] = (200, {}, b"hello")
        yield server


@pytest.fixture
async def stranger(tls: ssl.SSLContext) -> AsyncIterator[Elsewhere]:
    async with up(tls=tls) as server:
        yield server


async def test_one_that_nobody_vouches_for_is_refused(egress: Egress, there: Elsewhere) -> None:
    with pytest.raises(EgressFailed, match="certificate that cannot be verified; FAIRWAY_EGRESS_CA_FILE"):
        await egress.request("GET", there.url, secret_headers={"authorization": "s3cret"}, limit=10)
    assert not there.asked


async def test_an_authority_of_the_operators_is_trusted(there: Elsewhere, authority: Authority) -> None:
    async with way_out(LOOPBACK, resolver=NAMES, egress_ca_file=authority.file) as egress:
        assert (await egress.request("GET", there.url, limit=10)).body == b"hello"
        known = f"https://known.example:{there.port}/"
        assert (await egress.request("GET", known, limit=10)).body == b"hello"


async def test_for_the_names_it_vouches_for_only(there: Elsewhere, authority: Authority) -> None:
    async with way_out(LOOPBACK, resolver=NAMES, egress_ca_file=authority.file) as egress:
        with pytest.raises(EgressFailed, match="certificate"):
            await egress.request("GET", f"https://unknown.example:{there.port}/", limit=10)
    assert not there.asked


async def test_the_opt_out_is_for_one_request_and_not_for_the_next(egress: Egress, there: Elsewhere) -> None:
    """The connection of the first is still open, and is not used for the second."""
    assert (await egress.request("GET", there.url, verify=False, limit=10)).body == b"hello"
    with pytest.raises(EgressFailed, match="certificate"):
        await egress.request("GET", there.url, limit=10)
    assert there.story == ["GET /"]


async def test_nor_for_where_a_redirect_leads(egress: Egress, there: Elsewhere, stranger: Elsewhere) -> None:
    there.script["/"] = (307, {"location": "/further"}, b"")
    there.script["/further"] = (307, {"location": f"{stranger.url}/"}, b"")
    with pytest.raises(EgressFailed, match="certificate"):
        await egress.request("GET", there.url, verify=False, limit=10)
    assert there.story == ["GET /", "GET /further"]
    assert not stranger.asked


async def test_a_session_verifies_unless_it_is_one_that_does_not(egress: Egress, there: Elsewhere) -> None:
    there.script["/v2/"] = (200, {}, b"{}")
    with pytest.raises(Unavailable):
        await RemoteRegistry(Client(there.url, egress.session())).ping()
    await RemoteRegistry(Client(there.url, egress.session(verify=False))).ping()
    assert there.story == ["GET /v2/"]


async def test_it_leads_to_no_place_without_encryption(egress: Egress, there: Elsewhere) -> None:
    async with up() as plain:
        there.script["/"] = (307, {"location": plain.url}, b"")
        with pytest.raises(EgressRefused, match="without encryption"):
            await egress.request("GET", there.url, verify=False, limit=10)
        assert not plain.asked


async def test_plain_http_on_a_port_for_tls_is_a_failure(egress: Egress) -> None:
    async with up() as plain:
        with pytest.raises(EgressFailed, match="TLS"):
            await egress.request("GET", plain.url.replace("http:", "https:"), limit=10)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_a_file_that_holds_no_authority_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"egress_ca_file is '.*ca.pem', which cannot be used"):
        async with way_out(egress_ca_file=file):
            pass
