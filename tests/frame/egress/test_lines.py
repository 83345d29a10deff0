"""Lines sent to a socket elsewhere: judged by address, bounded in time, and an error says what to do."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from fairway.frame.egress import EgressFailed, EgressRefused, lines
from fairway.frame.egress.lines import LONGEST_DATAGRAM, send_lines

HERE = [ip_network("127.0.0.0/8")]
BIG = [b"x" * 100_000] * 200


async def serve(take: Any) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_each_line_is_sent_with_its_end() -> None:
    got = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.read())
        writer.close()

    server, port = await serve(take)
    async with server:
        await send_lines("tcp", "localhost", port, [b"one", b"two"], [*HERE, ip_network("::1/128")])
        assert await got == b"one\ntwo\n"


async def test_a_datagram_is_a_line_and_has_a_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking:
        taking.bind(("127.0.0.1", 0))
        taking.settimeout(5)
        port = taking.getsockname()[1]
        await send_lines("udp", "127.0.0.1", port, [b"one", b"x" * 20_000], HERE)
        assert taking.recv(65_536) == b"one"
        assert taking.recv(65_536) == b"x" * LONGEST_DATAGRAM


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"]
)
async def test_private_addresses_take_the_operators_leave(transport: str, host: str) -> None:
    with pytest.raises(EgressRefused, match="FAIRWAY_EGRESS_ALLOW_NETWORKS"):
        await send_lines(transport, host, 514, [b"one"], [])


async def test_every_address_of_a_name_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())
        writer.close()

    server, port = await serve(take)

    async def found(*_: Any, **__: Any) -> Sequence[Any]:
        return [(0, 0, 0, "", (address, port)) for address in ("10.0.0.1", "127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    async with server:
        await send_lines("tcp", "log.example.com", port, [b"one"], [ip_network("127.0.0.0/28")])
        # The first may not be reached, and nobody listens at the second.
        assert await heard == b"one\n"


@pytest.mark.parametrize("sent", [[], [b"one"]])
async def test_where_nobody_listens(sent: list[bytes]) -> None:
    server, port = await serve(lambda *_: None)
    server.close()
    await server.wait_closed()
    with pytest.raises(EgressFailed, match=f"nothing answers at 127.0.0.1:{port}"):
        await send_lines("tcp", "127.0.0.1", port, sent, HERE)
    with pytest.raises(EgressFailed, match="leads nowhere"):
        await send_lines("tcp", "nobody.invalid", port, sent, HERE)


async def test_who_takes_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SECONDS", 0.2)
    done = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server, port = await serve(take)
    async with server:
        async with asyncio.timeout(5):
            with pytest.raises(EgressFailed):
                await send_lines("tcp", "127.0.0.1", port, BIG, HERE)
        done.set()
