"""No spelling, name or redirect reaches what may not be reached: a listener there hears nothing (T24)."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import aiohttp
import pytest

from fairway.frame.egress import Egress, EgressFailed, EgressRefused, doorway
from frame.egress.elsewhere import LOOPBACK, Elsewhere, Names, Raw, listening, up, way_out

LITERALS = (
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
    ),
    *(
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
    ),
    *(
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::ffff:0:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::1%25lo]",
    ),
    *("localhost", "localhost.", "LocalHost", "a.localhost", "localhost..", "１２７.0.0.1", "127。0。0。1"),
    *("who@127.0.0.1", "who:secret@127.0.0.1", "a.example@127.0.0.1", "a.example\\@127.0.0.1"),
    *("%31%32%37.0.0.1", "127.0.0.1%00.a.example", "127.0.0.1\t", "10.0.0.1", "169.254.169.254"),
)
NAMES = {
    "private": ["10.0.0.1"],
    "loopback": ["127.0.0.1"],
    "six": ["::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "any": ["0.0.0.0"],
    "metadata": ["169.254.169.254"],
    "scoped": ["fe80::1%lo"],
    "both": ["127.0.0.1", "::1"],
}
PLACES = LITERALS + tuple(f"{name}.example" for name in NAMES)


@pytest.fixture
async def canary() -> AsyncIterator[Raw]:
    async with listening() as raw:
        yield raw
        assert raw.connections == 0


@pytest.fixture
async def outside() -> AsyncIterator[Egress]:
    """A way out to the public only."""
    async with way_out(resolver=Names(**NAMES)) as egress:
        yield egress


@pytest.mark.parametrize("host", PLACES)
async def test_a_request_is_refused(outside: Egress, canary: Raw, host: str) -> None:
    with pytest.raises(EgressRefused):
        await outside.request("GET", f"http://{host}:{canary.port}/", limit=10, seconds=5)
    with pytest.raises(EgressRefused):
        await outside.session().request(
            "GET", f"http://{host}:{canary.port}/", timeout=aiohttp.ClientTimeout(total=5)
        )


@pytest.mark.parametrize("host", PLACES)
async def test_so_is_what_a_redirect_asks_for(canary: Raw, host: str) -> None:
    """From a place that may be reached: 127.0.0.2, here."""
    async with (
        up("127.0.0.2") as there,
        way_out("127.0.0.2/32", resolver=Names(**NAMES)) as egress,
    ):
        location = f"http://{host}:{canary.port}/".encode().decode("utf-8", "surrogateescape")
        there.script["/"] = (307, {"location": location}, b"")
        with pytest.raises(EgressRefused) as refused:
            await egress.request("GET", there.url, limit=10, seconds=5)
        assert str(refused.value).startswith(f"{there.url} redirects: nothing is sent to ")
        assert f":{canary.port}" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "ws", "dict", "unix", "data"])
async def test_so_is_another_scheme(egress: Egress, there: Elsewhere, scheme: str) -> None:
    there.script["/"] = (302, {"location": f"{scheme}://127.0.0.1:{there.port}/etc/passwd"}, b"")
    for url in (there.url, f"{scheme}://127.0.0.1:{there.port}/"):
        with pytest.raises(EgressRefused, match="neither http nor https"):
            await egress.request("GET", url, limit=10)
    assert there.story == ["GET /"]


@pytest.mark.parametrize("port", [22, 25, 5432, 6379])
async def test_so_is_a_port_where_no_http_is_spoken(port: int) -> None:
    async with way_out(resolver=Names(public=["192.31.196.1"])) as egress:
        for host in ("public.example", "192.31.196.1"):
            with pytest.raises(EgressRefused, match=rf"port {port}, .* FAIRWAY_EGRESS_ALLOW_NETWORKS"):
                await egress.request("GET", f"http://{host}:{port}/", limit=10, seconds=5)


async def test_the_refusal_names_the_place_and_the_setting_and_no_address(outside: Egress) -> None:
    with pytest.raises(EgressRefused) as refused:
        await outside.request("GET", "https://private.example/secret?secret", limit=10)
    assert str(refused.value) == (
        "https://private.example: nothing is sent to a private address, "
        "which only FAIRWAY_EGRESS_ALLOW_NETWORKS can allow"
    )


class TestNamesThatChange:
    """127.0.0.2 may be reached and 127.0.0.1 may not: what the public and the private are elsewhere."""

    async def test_the_connection_is_made_to_the_address_that_was_looked_at(self) -> None:
        names = Names(rebinding=[["127.0.0.2"], ["127.0.0.1"]])
        async with (
            up("127.0.0.2") as there,
            listening("127.0.0.1", there.port) as canary,
            way_out("127.0.0.2/32", resolver=names) as egress,
        ):
            there.script["/"] = (200, {"connection": "close"}, b"hello")
            for _ in range(3):
                reply = await egress.request("GET", f"http://rebinding.example:{there.port}/", limit=10)
                assert reply.body == b"hello"
            assert canary.connections == 0

    async def test_once_it_is_asked_for_again_it_is_looked_at_again(self) -> None:
        names = Names(rebinding=[["127.0.0.2"], ["127.0.0.1"]])
        async with (
            up("127.0.0.2") as there,
            listening("127.0.0.1", there.port) as canary,
        ):
            there.script["/"] = (200, {"connection": "close"}, b"hello")
            url = f"http://rebinding.example:{there.port}/"
            async with way_out("127.0.0.2/32", resolver=names) as egress:
                assert (await egress.request("GET", url, limit=10)).status == 200
            async with way_out("127.0.0.2/32", resolver=names) as egress:
                with pytest.raises(EgressRefused):
                    await egress.request("GET", url, limit=10)
            assert canary.connections == 0

    @pytest.mark.parametrize("answer", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1", "127.0.0.1"]])
    async def test_of_several_addresses_only_those_that_may_be_reached_are(self, answer: list[str]) -> None:
        async with (
            up("127.0.0.2") as there,
            listening("127.0.0.1", there.port) as canary,
            way_out("127.0.0.2/32", resolver=Names(mixed=answer)) as egress,
        ):
            assert (
                await egress.request("GET", f"http://mixed.example:{there.port}/", limit=99)
            ).status == 404
            assert canary.connections == 0

    async def test_when_they_do_not_answer_the_others_are_not_tried(self) -> None:
        async with (
            listening("127.0.0.1") as canary,
            way_out("127.0.0.2/32", resolver=Names(mixed=["127.0.0.2", "127.0.0.1"])) as egress,
        ):
            with pytest.raises(EgressFailed):
                await egress.request("GET", f"http://mixed.example:{canary.port}/", limit=99)
            assert canary.connections == 0


@pytest.mark.parametrize(
    "where", [("127.0.0.1", 80), ("::1", 80, 0, 0), ("1.1.1.1", 22), ("private.example", 80)]
)
def test_no_socket_is_made_for_what_may_not_be_reached(where: tuple[str, int]) -> None:
    """Whatever else the HTTP library may once hand on: this is asked last."""
    sockets = doorway._Sockets([ip_network("10.0.0.0/8")])
    with pytest.raises(OSError, match=r"address|port 22"):
        sockets((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))


async def test_the_systems_names_are_asked_where_none_are_given(there: Elsewhere) -> None:
    async with way_out(LOOPBACK, "::1/128") as egress:
        reply = await egress.request("GET", f"http://localhost:{there.port}/", limit=99)
    assert reply.status == 404
    async with way_out() as egress:
        with pytest.raises(EgressFailed, match="leads to no address"):
            await egress.request("GET", "http://no-such-name.invalid/", limit=99)
