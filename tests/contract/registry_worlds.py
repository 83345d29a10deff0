"""The places that the contract of `Registry` is tried on, and images to put there."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from granian.constants import Interfaces
from granian.server.embed import Server

from fairway.core.content.memory import Memory
from fairway.core.content.protocols import Registry
from fairway.core.oci.digest import Digest
from fairway.core.oci.manifest import Manifest, parse_manifest
from fairway.core.oci.media_types import OCI_EMPTY, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from fairway.core.wire.client import Client
from fairway.core.wire.remote import RemoteRegistry
from fairway.core.wire.server import Request, registry_app

LAYER = "application/vnd.oci.image.layer.v1.tar"


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The app behind a real server on a real socket; where it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    running = asyncio.create_task(server.serve())
    for _ in range(1000):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.005)
        else:
            writer.close()
            await writer.wait_closed()
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await running


@asynccontextmanager
async def memory() -> AsyncIterator[Registry]:
    yield Memory()


@asynccontextmanager
async def over_http() -> AsyncIterator[Registry]:
    """Our server in front of memory, our client in front of that: every case tries both halves of the wire."""
    behind = Memory()

    async def open_registry(_request: Request) -> Registry:
        return behind

    async with (
        serving(registry_app(open_registry)) as url,
        aiohttp.ClientSession() as session,
    ):
        yield RemoteRegistry(Client(url, session))


WORLDS = {"memory": memory, "over-http": over_http}


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def broken(data: bytes) -> AsyncIterator[bytes]:
    """A body that fails after `data`."""
    yield data
    await asyncio.sleep(0.05)  # the bytes leave before the connection breaks
    raise ConnectionResetError("the client is gone")


async def read(registry: Any, repo: Any, digest: Digest, start: int = 0, end: int | None = None) -> bytes:
    blob = await registry.blob(repo, digest)
    return b"".join([piece async for piece in blob.read(start, blob.size if end is None else end)])


def image(*layers: bytes, config: bytes = b"{}", algorithm: str = "sha256", **members: Any) -> Manifest:
    """An image of these layers; `members` are added to the manifest."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MANIFEST,
        "config": pointer(OCI_EMPTY, config, algorithm),
        "layers": [pointer(LAYER, layer, algorithm) for layer in layers],
        **members,
    }
    return parse_manifest(json.dumps(body).encode(), OCI_IMAGE_MANIFEST, algorithm=algorithm)


def index(*children: Manifest, **members: Any) -> Manifest:
    """An index of these manifests."""
    listed = [pointer(child.media_type, child.raw) for child in children]
    body = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": listed, **members}
    return parse_manifest(json.dumps(body).encode(), OCI_IMAGE_INDEX)


def pointer(media_type: str, data: bytes, algorithm: str = "sha256") -> dict[str, Any]:
    return {"mediaType": media_type, "digest": Digest.of(data, algorithm), "size": len(data)}


async def push(registry: Any, repo: Any, manifest: Manifest, *tags: Any, blobs: tuple[bytes, ...]) -> None:
    """The manifest with all its blobs."""
    for data in (b"{}", *blobs):
        await registry.put_blob(repo, Digest.of(data, manifest.digest.algorithm), chunks(data))
    await registry.put_manifest(repo, manifest, tags)
