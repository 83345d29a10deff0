"""A registry in memory behind the server, and a tiny ASGI client that talks to it in process."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from fairway.core.content.memory import Memory
from fairway.core.oci.digest import Digest
from fairway.core.wire.server import Request, registry_app


@dataclass
class Answer:
    """What came back: `files` are paths the server was asked to send by itself."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    files: list[str] = field(default_factory=list)
    complete: bool = False

    def __getitem__(self, name: str) -> str:
        """A header that is there exactly once."""
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the one error in an error reply."""
        assert self["content-type"] == "application/json"
        assert int(self["content-length"]) == len(self.body)
        (error,) = self.json["errors"]
        return str(error["code"])


class AsgiClient:
    """Plays the HTTP server: turns a call into ASGI events, and the app's events into an Answer."""

    def __init__(self, app: Any, *, pathsend: bool = False) -> None:
        self.app = app
        self.extensions = {"http.response.pathsend": {}} if pathsend else {}

    async def __call__(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        hang_up: bool = False,
        leave_after: int | None = None,
        version: str = "1.1",
    ) -> Answer:
        """One request. Bytes go with a Content-Length; pieces go chunked, without one.

        `hang_up` leaves before the end of the body, `leave_after` after so many bytes of the reply.
        """
        path, _, query = target.partition("?")
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        pieces = [body] if isinstance(body, bytes) else list(body)
        if isinstance(body, bytes):
            if body or method in {"PUT", "POST", "PATCH"}:
                sent.setdefault("content-length", str(len(body)))
        else:
            sent["transfer-encoding"] = "chunked"
        events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if not hang_up:
            events.append({"type": "http.request", "body": b"", "more_body": False})
        answer, gone = Answer(), asyncio.Event()
        if hang_up:
            gone.set()

        async def receive() -> dict[str, Any]:
            if events:
                return events.pop(0)
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                assert not answer.status
                answer.status = event["status"]
                answer.headers = [(key.decode(), value.decode()) for key, value in event["headers"]]
            elif event["type"] == "http.response.pathsend":
                answer.files.append(event["path"])
                answer.complete = True
            elif not gone.is_set() or hang_up:
                answer.body += event["body"]
                answer.complete = not event.get("more_body", False)
                if leave_after is not None and len(answer.body) >= leave_after:
                    gone.set()
            await asyncio.sleep(0)

        scope = {
            "type": "http",
            "http_version": version,
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("192.0.2.7", 40000),
            "extensions": self.extensions,
        }
        await self.app(scope, receive, send)
        return answer


@dataclass
class Wire:
    """The server under test: its registry, a client, and what its hooks were told."""

    registry: Any = field(default_factory=Memory)
    failures: list[Exception] = field(default_factory=list)
    observed: list[tuple[Request, int, int]] = field(default_factory=list)
    pathsend: bool = False
    max_manifest_bytes: int = 4 * 2**20

    @property
    def client(self) -> AsgiClient:
        async def open_registry(request: Request) -> Any:
            assert request.call is not None
            return self.registry

        app = registry_app(
            open_registry,
            on_error=lambda error, _: self.failures.append(error),
            observe=lambda request, status, sent, _: self.observed.append((request, status, sent)),
            max_manifest_bytes=self.max_manifest_bytes,
        )
        return AsgiClient(app, pathsend=self.pathsend)

    async def __call__(self, method: str, target: str, *args: Any, **kwargs: Any) -> Answer:
        return await self.client(method, target, *args, **kwargs)

    async def push(self, repo: str, data: bytes, algorithm: str = "sha256") -> Digest:
        """A blob that is there."""
        digest = Digest.of(data, algorithm)
        answer = await self("POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", data)
        assert answer.status == 201
        return digest

    async def push_manifest(self, repo: str, ref: str | None = None, **members: Any) -> tuple[Digest, bytes]:
        """A manifest that is there: an image of one config, with `members` added or replaced."""
        config = await self.push(repo, b"{}")
        body = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [],
            **members,
        }
        raw = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
        digest = Digest.of(raw)
        headers = {"Content-Type": body["mediaType"]}
        answer = await self("PUT", f"/v2/{repo}/manifests/{ref or digest}", raw, headers=headers)
        assert answer.status == 201, answer.body
        return digest, raw


IMAGE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def wire() -> Wire:
    return Wire()
