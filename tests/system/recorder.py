"""A proxy on the loopback interface that writes down what a client and a registry say to each other.

A recording holds what is needed to say the same again to another registry: upload ids are numbered in the order in which
they were given out, names of hosts are left out, and of headers only those are kept that a registry or a client looks at.
It goes to registries without a login only, so that no recording has anything secret in it; a request with a password or
token is refused.
"""

import base64
import hashlib
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

FOLDER = Path(__file__).parent / "recordings"
LARGEST = 60_000
"""Bytes of a recording: a session is recorded with images of some hundred bytes."""

ASKED = ("accept", "accept-encoding", "content-type", "content-range", "range", "if-none-match")
COMPARED = (
    *("content-type", "content-range", "docker-content-digest", "docker-distribution-api-version"),
    *("etag", "link", "location", "range", "docker-upload-uuid", "allow", "oci-subject"),
    *("oci-filters-applied", "www-authenticate"),
)
_UPLOAD = re.compile(r"(/v2/.+/blobs/uploads/)([^/?]+)(?:\?(.*))?")


@dataclass
class Exchange:
    """One request and its answer.

    In a target, `{upload N}` is where the last answer with upload N said to go on, `{registry}` the registry's host and port.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    """A header may come several times, as skopeo's Accept does."""
    chunked: bool
    body: str
    """base64"""
    status: int = 0
    told: dict[str, str] = field(default_factory=dict)
    content: str = ""
    """The digest of the answer's body, if there was one."""
    upload: int = 0
    """The number of the upload that the answer's Location is about."""


@dataclass
class Recording:
    """What one client did to do one thing.  Those of a client build on each other, in the order of `number`."""

    client: str
    version: str
    what: str
    number: int
    registry: str
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.client}-{self.what}"

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1) + "\n"
        assert self.exchanges, f"{self.name}: nothing came by"
        assert len(text) < LARGEST, f"{self.name}: {len(text)} bytes; record it with smaller images"
        (folder / f"{self.name}.json").write_text(text)


def read(path: Path) -> Recording:
    told: dict[str, Any] = json.loads(path.read_text())
    return Recording(**{**told, "exchanges": [Exchange(**each) for each in told["exchanges"]]})


def recordings(folder: Path = FOLDER) -> list[Recording]:
    """All there are, in the order in which they are said again."""
    found = [read(path) for path in folder.glob("*.json")]
    return sorted(found, key=lambda recording: (recording.client, recording.number))


def plain(value: str) -> str:
    """A header without what is different on every server: host, port, upload ids and their state."""
    value = re.sub(r"http://127\.0\.0\.1:\d+", "", value)
    value = re.sub(r"(/uploads/)[^?>]+(\?_state=[^>]*)?", r"\1ID", value)
    value = re.sub(r"^[0-9a-f]{8}-[0-9a-f-]{27}$|^[A-Za-z0-9_-]{16,64}$", "ID", value)
    return value.replace("; charset=utf-8", "")


class Recorder:
    """The proxy.  Requests are passed on one at a time, so that what is written down has one order."""

    def __init__(self, registry: str) -> None:
        self.registry = registry
        self.recording: Recording | None = None
        self.turn = threading.Lock()
        self.uploads: dict[str, int] = {}
        recorder = self

        class Handler(_Handler):
            owner = recorder

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def to(self, recording: Recording) -> Iterator[Recording]:
        """Write down what happens in the block; what happens outside of one is passed on and forgotten."""
        self.recording, self.uploads = recording, {}
        try:
            yield recording
        finally:
            with self.turn:
                self.recording = None

    def asked(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Exchange:
        kept = [(name, value) for name, value in headers if name in ASKED]
        if match := _UPLOAD.fullmatch(target):
            number = self.uploads.get(match[2], 0)
            rest = [part for part in (match[3] or "").split("&") if part and not part.startswith("_state=")]
            target = f"{{upload {number}}}" + ("?" + "&".join(rest) if rest else "")
        for mine in (self.place, quote(self.place, safe="")):
            target = target.replace(mine, "{registry}")  # go-containerregistry tells a mount's origin
        sent = base64.b64encode(body).decode()
        return Exchange(method, target, kept, "transfer-encoding" in dict(headers), sent)

    def answered(self, exchange: Exchange, status: int, headers: dict[str, str], body: bytes) -> None:
        exchange.status = status
        exchange.told = {name: plain(headers[name]) for name in COMPARED if name in headers}
        exchange.content = f"sha256:{hashlib.sha256(body).hexdigest()}" if body else ""
        if match := _UPLOAD.fullmatch(upload_in(headers)):
            exchange.upload = self.uploads.setdefault(match[2], len(self.uploads) + 1)
        if self.recording is not None:
            self.recording.exchanges.append(exchange)


def upload_in(headers: dict[str, str]) -> str:
    """The path, with its query, at which an upload goes on; empty if the answer is about none."""
    place = urlsplit(headers.get("location", ""))
    if "/blobs/uploads/" not in place.path:
        return ""
    return f"{place.path}?{place.query}" if place.query else place.path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # docker tries plain HTTP when its TLS greeting is answered in HTTP
    disable_nagle_algorithm = True
    owner: Recorder

    def pass_on(self) -> None:
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        if "authorization" in dict(headers):
            self.send_error(400, "a recording holds no secrets")
            return
        body = self._body(dict(headers))
        with self.owner.turn:
            exchange = self.owner.asked(self.command, self.path, headers, body)
            status, answer, content = self._ask(headers, body)
            self.owner.answered(exchange, status, {name.lower(): value for name, value in answer}, content)
        self.send_response_only(status)
        for name, value in answer:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        told = {name.lower(): value for name, value in answer}
        if status != 204:
            length = told.get("content-length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 http.server wants these names

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _ask(self, headers: list[tuple[str, str]], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """The registry's answer.  It sees the proxy's name as its own, so that its Locations lead back here."""
        own = ("transfer-encoding", "connection", "content-length")
        sent = [(name, value) for name, value in headers if name not in own]
        if body or self.command in ("POST", "PUT", "PATCH"):
            sent += [("content-length", str(len(body)))]
        connection = http.client.HTTPConnection(self.owner.registry, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as http.server calls it
        """Clients that try TLS first are no news."""
