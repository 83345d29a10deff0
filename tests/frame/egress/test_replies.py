"""Replies have an end: in bytes, in time, in headers; and what they hold is not in errors."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from fairway.frame.egress import Egress, EgressFailed, EgressTooLarge, Stream, client
from frame.egress.elsewhere import Elsewhere, Raw, listening

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    async with listening() as raw:
        yield raw


async def sends_without_end(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b"x" * 65536)
    return response


async def take(reply: Stream, into: bytearray) -> None:
    async for piece in reply.pieces():
        into += piece


class TestBytes:
    async def test_as_many_as_are_taken_are(self, egress: Egress, there: Elsewhere) -> None:
        there.script["/"] = (418, {"X-Thing": "yes"}, b"0123456789")
        reply = await egress.request("GET", there.url, limit=10)
        assert (reply.status, reply.body, reply.headers["x-thing"]) == (418, b"0123456789", "yes")

    async def test_one_more_is_an_error_that_says_so(self, egress: Egress, there: Elsewhere) -> None:
        there.script["/"] = (502, {}, b"s3cret67890")
        with pytest.raises(EgressTooLarge) as error:
            await egress.request("GET", f"{there.url}/?s3cret", limit=10)
        assert str(error.value) == f"{there.url} answers 502 with more than the 10 bytes that are taken"

    async def test_what_announces_too_much_is_not_read(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD + b"content-length: 1000000000000\r\n\r\n"]
        with pytest.raises(EgressTooLarge):
            await egress.request("GET", raw.url, limit=1_000_000, seconds=30)
        await asyncio.wait_for(raw.left.wait(), 10)

    async def test_chunks_without_end_have_one(self, egress: Egress, there: Elsewhere) -> None:
        there.script["/"] = sends_without_end
        with pytest.raises(EgressTooLarge):
            await egress.request("GET", there.url, limit=1_000_000, seconds=30)

    async def test_in_a_stream_too(self, egress: Egress, there: Elsewhere) -> None:
        there.script["/"] = sends_without_end
        taken = bytearray()
        async with egress.stream("GET", there.url, limit=1_000_000) as reply:
            assert reply.length is None
            with pytest.raises(EgressTooLarge):
                await take(reply, taken)
        assert len(taken) <= 1_000_000

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
    async def test_nothing_is_unpacked(self, egress: Egress, there: Elsewhere, encoding: str) -> None:
        bomb = gzip.compress(bytes(50_000_000))
        there.script["/"] = (200, {"content-encoding": encoding}, bomb)
        with pytest.raises(EgressFailed, match="encoding that was not asked for"):
            await egress.request("GET", there.url, limit=100_000)
        async with egress.stream("GET", there.url, limit=100_000) as reply:
            assert await reply.read() == bomb
        assert there.asked[0].headers["accept-encoding"] == "identity"

    async def test_a_head_announces_and_sends_nothing(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD + b"content-length: 1000000000000\r\n\r\n"]
        async with egress.stream("HEAD", raw.url, limit=0) as reply:
            assert reply.length == 1_000_000_000_000
            assert await reply.read() == b""


class TestTime:
    async def test_a_body_that_drips_is_given_up(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD + b"content-length: 1000\r\n\r\n", *[b"x"] * 1000]
        raw.pause = 0.05
        with pytest.raises(EgressFailed, match="takes too long"):
            await egress.request("GET", raw.url, limit=1000, seconds=0.5)
        await asyncio.wait_for(raw.left.wait(), 10)

    async def test_so_is_a_head_that_drips(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD, *[b"x-a: b\r\n"] * 1000]
        raw.pause = 0.05
        with pytest.raises(EgressFailed, match="takes too long"):
            await egress.request("GET", raw.url, limit=1000, seconds=0.5)

    async def test_the_time_is_for_all_redirects_together(self, egress: Egress, there: Elsewhere) -> None:
        async def later(_request: web.BaseRequest) -> web.StreamResponse:
            await asyncio.sleep(0.4)
            return web.Response(status=302, headers={"location": "/"})

        there.script["/"] = later
        with pytest.raises(EgressFailed, match="takes too long"):
            await egress.request("GET", there.url, limit=1000, seconds=1)
        assert len(there.asked) <= 3

    async def test_a_stream_may_take_long_but_not_be_silent(
        self, egress: Egress, raw: Raw, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "IDLE_SECONDS", 1.5)
        raw.says = [HEAD + b"content-length: 100\r\n\r\n", *[b"x"] * 20]
        raw.pause = 0.05
        taken = bytearray()
        async with egress.stream("GET", raw.url, limit=1000) as reply:
            with pytest.raises(EgressFailed, match="takes too long"):
                await take(reply, taken)
        assert taken == b"x" * 20

    async def test_who_says_nothing_at_all_is_given_up(
        self, egress: Egress, raw: Raw, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "IDLE_SECONDS", 0.2)
        with pytest.raises(EgressFailed, match="takes too long"):
            async with egress.stream("GET", raw.url, limit=1000):
                pass

    async def test_cancelling_hangs_up(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD + b"content-length: 100\r\n\r\nx"]
        task = asyncio.create_task(egress.request("GET", raw.url, limit=1000))
        await asyncio.wait_for(raw.asked.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(raw.left.wait(), 10)

    async def test_so_does_leaving_in_the_middle(self, egress: Egress, raw: Raw) -> None:
        raw.says = [HEAD + b"content-length: 100\r\n\r\nx"]
        async with egress.stream("GET", raw.url, limit=1000) as reply:
            assert await anext(reply.pieces()) == b"x"
        await asyncio.wait_for(raw.left.wait(), 10)


@pytest.mark.parametrize(
    "said",
    [
        HEAD + b"x-long: " + b"y" * 40_000 + b"\r\n\r\n",
        HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(500)) + b"\r\n",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: -5\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\ns3cret\r\n",
        b"SSH-2.0-OpenSSH_9.2 s3cret\r\n\r\n",
        b"220 mail.internal ESMTP s3cret\r\n",
        b"-ERR unknown command 's3cret'\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50s3cret",
    ],
)
async def test_what_is_no_reply_is_an_error_that_does_not_quote_it(
    egress: Egress, raw: Raw, said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    raw.says = [said]
    with pytest.raises(EgressFailed) as error:
        await egress.request("GET", f"{raw.url}/s3cret?s3cret", limit=100_000, seconds=5)
    assert str(error.value).startswith(f"{raw.url} ")
    assert error.value.__suppress_context__
    shown = f"{error.value} {capfd.readouterr()}"
    assert "outgoing request failed" in shown
    assert "s3cret" not in shown
    assert "internal" not in shown


async def test_a_body_that_breaks_off_is_not_taken_for_whole(egress: Egress, there: Elsewhere) -> None:
    async def breaks(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    there.script["/"] = breaks
    with pytest.raises(EgressFailed, match="broke off"):
        await egress.request("GET", there.url, limit=1000)


async def test_a_place_where_nobody_is_cannot_be_reached(egress: Egress) -> None:
    async with listening() as raw:
        url = raw.url
    with pytest.raises(EgressFailed) as error:
        await egress.request("GET", f"{url}/s3cret", limit=1000)
    assert str(error.value) == f"{url} cannot be reached"
