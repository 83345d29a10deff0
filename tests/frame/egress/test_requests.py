"""What is sent: the caller's headers and body, nobody else's cookies, and nothing that the environment says."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from fairway.frame.egress import Egress, EgressFailed, EgressRefused
from fairway.frame.settings import Settings
from frame.egress.elsewhere import (
    LOOPBACK,
    Authority,
    Elsewhere,
    Names,
    Raw,
    listening,
    tunnelling,
    up,
    way_out,
)


async def pieces(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if error is not None:
        await asyncio.sleep(0.05)
        raise error


async def test_a_body_arrives(egress: Egress, there: Elsewhere) -> None:
    for body in (b"", b"hello", pieces(b"he", b"", b"llo")):
        await egress.request("POST", f"{there.url}/a%2Fb?c=%20+", body=body, limit=99)
    assert there.story == ["POST /a%2Fb?c=%20+"] * 3
    assert [asked.body for asked in there.asked] == [b"", b"hello", b"hello"]
    assert there.asked[0].headers["content-length"] == "0"


async def test_an_error_of_the_body_is_the_callers(egress: Egress, there: Elsewhere) -> None:
    with pytest.raises(ZeroDivisionError):
        await egress.request("PUT", there.url, body=pieces(b"x", error=ZeroDivisionError()), limit=99)


async def test_a_reply_before_the_end_of_the_body_is_a_reply(egress: Egress) -> None:
    async with listening() as raw:
        raw.says = [b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"]
        body = pieces(*[b"x" * 1000] * 10)
        assert (await egress.request("PUT", raw.url, body=body, limit=99)).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"Host": "internal"},
            {"Content-Length": "5"},
            {"Transfer-Encoding": "chunked"},
            {"Connection": "x"},
        ),
        *({"Upgrade": "h2c"}, {"Expect": "100-continue"}, {"Accept-Encoding": "gzip"}, {"TE": "trailers"}),
        *({"Proxy-Authorization": "s3cret"}, {"a b": "s3cret"}, {"": "s3cret"}, {"a\r\nb": "s3cret"}),
        *({"x": "s3cret\r\nHost: internal"}, {"x": "s3cret\n"}, {"x": "s3cret\0"}, {"x": "s3cret" * 9999}),
    ],
)
@pytest.mark.parametrize("secret", [False, True])
async def test_headers_that_nobody_may_set_are_refused_unsaid(
    egress: Egress, there: Elsewhere, headers: dict[str, str], secret: bool
) -> None:
    kind = "secret_headers" if secret else "headers"
    with pytest.raises(EgressRefused, match="the header") as refused:
        await egress.request("GET", there.url, limit=99, **{kind: headers})  # type: ignore[arg-type]
    assert "s3cret" not in str(refused.value)
    assert not there.asked


@pytest.mark.parametrize("method", ["get", "GET /x HTTP/1.1\r\n", "", "G T"])
async def test_a_method_is_a_word(egress: Egress, there: Elsewhere, method: str) -> None:
    with pytest.raises(EgressRefused, match="method"):
        await egress.request(method, there.url, limit=99)
    assert not there.asked


async def test_cookies_are_not_kept(egress: Egress, there: Elsewhere) -> None:
    """Requests of one user would carry what another was given."""
    there.script["/"] = (200, {"set-cookie": "a=b; Path=/"}, b"")
    for _ in range(2):
        await egress.request("GET", there.url, limit=99)
    assert "cookie" not in there.asked[1].headers


async def test_connections_are_used_again(egress: Egress, there: Elsewhere) -> None:
    peers = set()

    async def remember(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"hello")

    there.script["/"] = remember
    for _ in range(3):
        await egress.request("GET", there.url, limit=99)
    assert len(peers) == 1


async def test_no_secret_is_shown_or_logged(
    there: Elsewhere, stranger: Elsewhere, capfd: pytest.CaptureFixture[str]
) -> None:
    there.script["/s3cret"] = (307, {"location": f"http://10.0.0.1/s3cret?s3cret={stranger.url}"}, b"s3cret")
    async with way_out(LOOPBACK) as egress:
        with pytest.raises(EgressRefused) as refused:
            await egress.request(
                "POST", f"{there.url}/s3cret?s3cret", headers={"x": "s3cret"}, body=b"s3cret", limit=9
            )
    assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r} {capfd.readouterr()}"
    assert "10.0.0.1" not in str(refused.value)


class TestProxy:
    async def test_the_environment_names_none(
        self, egress: Egress, there: Elsewhere, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with listening() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            assert (await egress.request("GET", there.url, limit=99)).status == 404
            assert proxy.connections == 0

    async def test_the_setting_does(self) -> None:
        """The proxy is on loopback, which only it may be; it is asked for a name that we do not look up."""
        names = Names()
        async with listening() as proxy:
            proxy.says = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"]
            url = f"http://who:pass%40word@127.0.0.1:{proxy.port}"
            async with way_out(egress_proxy=url, resolver=names) as egress:
                reply = await egress.request("GET", "http://registry.example/v2/", limit=99)
        assert reply.body == b"hello"
        assert proxy.heard.startswith(b"GET http://registry.example/v2/ HTTP/1.1\r\n")
        assert login_in(proxy) == "who:pass@word"
        assert not names.questions

    async def test_it_gets_what_is_encrypted_encrypted(self) -> None:
        async with listening() as proxy:
            proxy.says = [b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n"]
            async with way_out(egress_proxy=f"http://who:secret@127.0.0.1:{proxy.port}") as egress:
                with pytest.raises(EgressFailed, match="cannot be reached through FAIRWAY_EGRESS_PROXY"):
                    await egress.request(
                        "GET", "https://registry.example/secret", headers={"x": "secret"}, limit=99
                    )
        assert proxy.heard.startswith(b"CONNECT registry.example:443 HTTP/1.1\r\n")
        assert login_in(proxy) == "who:secret"
        assert b"secret" not in proxy.heard

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost.", "10.0.0.1", "[::ffff:10.0.0.1]", "a.example:22", "0x7f.1"]
    )
    async def test_it_is_not_asked_for_what_is_known_to_be_private(self, host: str) -> None:
        async with listening() as proxy:
            async with way_out(egress_proxy=proxy.url) as egress:
                with pytest.raises(EgressRefused):
                    await egress.request("GET", f"http://{host}/", limit=99)
            assert proxy.connections == 0

    async def test_the_way_through_it_is_verified(self, authority: Authority) -> None:
        tls = authority.server("registry.example")
        async with up(tls=tls) as there, tunnelling(there.port) as proxy:
            for ca_file, status in ((authority.file, 404), (None, 0)):
                trust = {} if ca_file is None else {"egress_ca_file": ca_file}
                async with way_out(egress_proxy=proxy, **trust) as egress:
                    if status:
                        reply = await egress.request("GET", "https://registry.example/v2/", limit=99)
                        assert reply.status == status
                    else:
                        with pytest.raises(EgressFailed, match="certificate"):
                            await egress.request("GET", "https://registry.example/v2/", limit=99)
            assert there.story == ["GET /v2/"]


def login_in(proxy: Raw) -> str:
    found = re.search(rb"(?i)\r\nproxy-authorization: basic ([\w+/=]+)\r\n", proxy.heard)
    assert found
    return base64.b64decode(found[1]).decode()


def test_a_proxys_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Settings(egress_proxy="http://who:s3cret@proxy.example:3128"))
