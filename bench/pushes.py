"""Load for pushes: many small images at once, one large layer, many large layers at once."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from content import Large, digest_of, manifest_of, tails
from pulls import Load
from wire import MANIFEST_TYPE, Address, Client, Refused, local, with_digest

_SMALL = 4096
_CONFIG = b'{"architecture":"amd64","os":"linux"}'


class Connection:
    """One keep-alive connection with as little between us and the socket as will do: we share two cores with
    the server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Mapping[str, str]
    ):
        self._reader, self._writer = reader, writer
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    @classmethod
    async def open(cls, address: Address, headers: Mapping[str, str]) -> Self:
        """Connect."""
        return cls(
            *await asyncio.open_connection(*address), {"Host": f"{address[0]}:{address[1]}", **headers}
        )

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def expect(self, status: int, method: str, path: str, body: bytes = b"", kind: str = "") -> str:
        """One request; the path of the reply's Location. Raises Refused for another status."""
        typed = f"Content-Type: {kind}\r\n" if kind else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}{typed}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        reply = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, rest = reply.partition("\r\n")
        fields = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in rest.splitlines())
        }
        said = (
            b"" if method == "HEAD" else await self._reader.readexactly(int(fields.get("content-length", 0)))
        )
        if int(first.split()[1]) != status:
            raise Refused(f"{method} {path}: {first} {said[:300]!r}, expected {status}")
        return local(fields.get("location", ""))


def repo_of(client: int) -> str:
    """Each client has a repository of its own, as builds of different programs have."""
    return f"library/small-{client}"


def small(address: Address, headers: list[dict[str, str]], *, seconds: float, seed: str) -> Load:
    """Push little images for `seconds`, one client for each of `headers`, each waiting for every answer.

    An image is a new layer of 4 KiB, a config that is there already, and a manifest under a new tag. The layer goes
    as containerd sends it: HEAD, POST, PUT.
    """
    import uvloop

    return uvloop.run(_small(address, headers, seconds, seed))


async def _small(address: Address, headers: list[dict[str, str]], seconds: float, seed: str) -> Load:
    took: list[float] = []
    connections = [await Connection.open(address, header) for header in headers]
    for client, connection in enumerate(connections):
        await _push_blob(connection, repo_of(client), _CONFIG, expect_new=False)
    started = time.perf_counter()

    async def one(client: int, connection: Connection) -> None:
        chance = random.Random(f"{seed}/{client}")
        number = 0
        now = time.perf_counter()
        while now - started < seconds:
            layer = chance.randbytes(_SMALL)
            await _push_blob(connection, repo_of(client), layer)
            manifest = manifest_of(_CONFIG, [layer])
            tag = f"{seed}-{number}"
            place = f"/v2/{repo_of(client)}/manifests/{tag}"
            await connection.expect(201, "PUT", place, manifest, MANIFEST_TYPE)
            number += 1
            before, now = now, time.perf_counter()
            took.append(now - before)

    try:
        await asyncio.gather(*(one(client, connection) for client, connection in enumerate(connections)))
    finally:
        for connection in connections:
            connection.close()
    elapsed = time.perf_counter() - started
    took.sort()
    return Load(len(took), elapsed, len(took) * _SMALL, took[len(took) // 2], took[len(took) * 99 // 100])


async def _push_blob(connection: Connection, repo: str, raw: bytes, *, expect_new: bool = True) -> None:
    digest = digest_of(raw)
    if expect_new:
        await connection.expect(404, "HEAD", f"/v2/{repo}/blobs/{digest}")
    place = await connection.expect(202, "POST", f"/v2/{repo}/blobs/uploads/")
    await connection.expect(201, "PUT", with_digest(place, digest), raw, "application/octet-stream")


def large(address: Address, headers: Mapping[str, str], layer: Large, *, at_once: int, seed: str) -> float:
    """Push so many different layers of one size into one repository, all at once; how long it took, in seconds."""
    endings: Iterator[bytes] = tails(random.Random(seed))
    chosen = [next(endings) for _ in range(at_once)]

    def one(tail: bytes) -> None:
        client = Client(address, headers)
        try:
            client.push_blob(repo_of(0), layer.digest(tail), layer.size, layer.pieces(tail))
        finally:
            client.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(one, chosen))
    return time.perf_counter() - started
