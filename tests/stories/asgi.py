"""Plays the HTTP server for an ASGI app in this process: a call becomes events, the app's events become an Answer."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Body = bytes | Iterable[bytes]


@dataclass
class Answer:
    """What came back.  Header names are in lower case; a file that the server was asked to send is in `body`, too."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    asked_for: int = 0
    """How many pieces of the request's body the app wanted to have."""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def __getitem__(self, name: str) -> str:
        """A header that is there exactly once."""
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error, which must be a whole one: JSON, labelled as such, of the length it says."""
        assert self["content-type"].startswith("application/json")
        assert int(self["content-length"]) == len(self.body)
        (error,) = self.json["errors"]
        assert error["message"]
        return str(error["code"])

    @property
    def short(self) -> tuple[int, str]:
        """Status and error code, for comparing at a glance."""
        return self.status, self.code if self.status >= 400 and self.body else ""


def content(file: str) -> bytes:
    return Path(file).read_bytes()


async def call(
    app: Any,
    method: str,
    target: str,
    body: Body = b"",
    *,
    headers: Mapping[str, str] | None = None,
    client: str = "192.0.2.7",
) -> Answer:
    """One request.  Bytes go with a Content-Length; pieces go chunked unless `headers` announce a length.

    `target` is as it stands in the request line; the path in it is percent-decoded once, as servers do.
    """
    path, _, query = target.partition("?")
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if not isinstance(body, bytes):
        if "content-length" not in sent:
            sent["transfer-encoding"] = "chunked"
    elif body or method in ("POST", "PUT", "PATCH"):
        sent.setdefault("content-length", str(len(body)))
    pieces = iter((body,) if isinstance(body, bytes) else body)
    answer, ended = Answer(), False

    async def receive() -> dict[str, Any]:
        nonlocal ended
        if ended:
            await asyncio.Event().wait()  # the client stays until it has its answer
        piece = next(pieces, None)
        answer.asked_for += piece is not None
        ended = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": not ended}

    async def send(event: Mapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            assert not answer.status, "an answer begins once"
            answer.status = event["status"]
            answer.headers = [
                (key.decode().lower(), value.decode("latin-1")) for key, value in event["headers"]
            ]
        elif event["type"] == "http.response.pathsend":
            answer.body += content(event["path"])
        else:
            answer.body += event.get("body", b"")
        await asyncio.sleep(0)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": (client, 40000),
        "server": ("hub.example", 80),
        "extensions": {"http.response.pathsend": {}},
    }
    await app(scope, receive, send)
    if answer.status == 401 and not unquote(path).startswith("/api/"):
        assert "www-authenticate" in answer, "a 401 says how to log in (RFC 9110 §15.5.2)"
    return answer
