"""Sending lines to a socket elsewhere, by TCP or UDP, as syslog does it.

Addresses are judged as they are for requests, each one that a name has, and the connection is made to the one that was
judged.  Ports are not: an administrator names the place, and what is sent are lines of our own making.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from fairway.frame.egress import addresses
from fairway.frame.egress.addresses import Network
from fairway.frame.egress.errors import EgressFailed, EgressRefused

SECONDS: Final = 5.0
"""For the name and the connection, and again for the lines."""
_MAX_ADDRESSES: Final = 8
_ANY_PORT: Final = 443
LONGEST_DATAGRAM: Final = 8192


async def send_lines(
    transport: str, host: str, port: int, lines: Sequence[bytes], allowed: Sequence[Network]
) -> None:
    """Send each of the lines, which have no line break in them; none at all just connects.

    TCP says of nothing that it has arrived, UDP not even that somebody listens.  Raises EgressRefused, EgressFailed.
    """
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        async with asyncio.timeout(SECONDS):
            usable = await _addresses(host, port, kind, allowed)
    except (OSError, TimeoutError, UnicodeError):  # the last for a name that can be none
        raise EgressFailed(f"the name {host} leads nowhere") from None
    send = _send_by_udp if transport == "udp" else _send_by_tcp
    for address in usable:
        with suppress(OSError, TimeoutError):
            return await send(address, port, lines)
    raise EgressFailed(f"nothing answers at {host}:{port}")


async def _addresses(host: str, port: int, kind: int, allowed: Sequence[Network]) -> list[str]:
    usable, why = [], ""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    for address in dict.fromkeys(str(where[0]) for *_, where in found):
        read = addresses.read(address)
        reason = "what is no address" if read is None else addresses.why_not(read, _ANY_PORT, allowed)
        if reason:
            why = reason
        else:
            usable.append(address)
    if not usable:
        raise EgressRefused(f"nothing is sent to {why}") if why else EgressFailed("the name leads nowhere")
    return usable[:_MAX_ADDRESSES]


async def _send_by_tcp(address: str, port: int, lines: Sequence[bytes]) -> None:
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(address, port)
    try:
        async with asyncio.timeout(SECONDS):
            for line in lines:
                writer.write(line + b"\n")
                await writer.drain()
            writer.close()
            await writer.wait_closed()
    except BaseException:
        writer.transport.abort()  # closing it would wait for the lines to go
        raise


async def _send_by_udp(address: str, port: int, lines: Sequence[bytes]) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(address, port)
    )
    try:
        for line in lines:
            transport.sendto(line[:LONGEST_DATAGRAM])
            await asyncio.sleep(0)
    finally:
        transport.close()
