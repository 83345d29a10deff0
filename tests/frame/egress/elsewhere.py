"""Other hosts, on loopback: servers that answer by a script, listeners that only count, names, certificates."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.frame.egress import Egress
from fairway.frame.settings import Settings

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request that got through."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Elsewhere:
    """A server.  The script maps a path to (status, headers, body) or to a handler; every other path is 404."""

    script: dict[str, tuple[int, dict[str, str], bytes] | Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    port: int = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path_qs, headers, await request.read()))
        step = self.script.get(request.path, (404, {}, b"nothing here"))
        if not isinstance(step, tuple):
            return await step(request)
        status, out, body = step
        return web.Response(status=status, headers=out, body=body)

    @property
    def story(self) -> list[str]:
        return [str(each) for each in self.asked]


@asynccontextmanager
async def up(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Elsewhere]:
    """A server with an empty script."""
    there = Elsewhere()
    runner = web.ServerRunner(web.Server(there), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    there.port = runner.addresses[0][1]
    there.url = f"{'https' if tls else 'http'}://{host}:{there.port}"
    try:
        yield there
    finally:
        await runner.cleanup()


@dataclass
class Raw:
    """A listener that counts who connects, sends `says` piece by piece, and knows who hung up."""

    says: list[bytes] = field(default_factory=list)
    pause: float = 0.0
    connections: int = 0
    port: int = 0
    heard: bytes = b""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.says:
                self.heard += await reader.readuntil(b"\r\n\r\n")
                self.asked.set()
            for piece in self.says:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(self.pause)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.left.set()
            writer.close()


@asynccontextmanager
async def listening(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Raw]:
    """A listener."""
    raw = Raw()
    server = await asyncio.start_server(raw, host, port)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()


@asynccontextmanager
async def tunnelling(port: int) -> AsyncIterator[str]:
    """A proxy whose every tunnel ends at `port` of this host; its URL."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class Names(AbstractResolver):
    """Names that we make up: the addresses of each, or a list of answers of which every question takes the next."""

    def __init__(self, **names: list[str] | list[list[str]]) -> None:
        self.names = {f"{name}.example": list(known) for name, known in names.items()}
        self.questions: Counter[str] = Counter()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.questions[host] += 1
        known = self.names.get(host.rstrip("."), [])
        if known and isinstance(known[0], list):
            known = known.pop(0) if len(known) > 1 else known[0]
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=str(each),
                port=port,
                family=socket.AF_INET6 if ":" in str(each) else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in known
        ]

    async def close(self) -> None:
        pass


class Authority:
    """Signs certificates for servers.  `file` is its own, for those who trust it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of ours")])
        own = self._certificate(self._name, self._key, authority=True).sign(self._key, hashes.SHA256())
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str) -> ssl.SSLContext:
        """What a server with these names, or addresses, needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        known = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
        wanted = self._certificate(subject, key, authority=False)
        signed = wanted.add_extension(x509.SubjectAlternativeName(known), critical=False).sign(
            self._key, hashes.SHA256()
        )
        file = self._folder / f"{names[0]}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        ours = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ours), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )


LOOPBACK = "127.0.0.0/8"


def way_out(
    *allowed: str, resolver: AbstractResolver | None = None, **settings: Any
) -> AbstractAsyncContextManager[Egress]:
    """A way out to the public, and to the networks `allowed`."""
    return Egress.open(Settings(egress_allow_networks=allowed, **settings), resolver=resolver)
