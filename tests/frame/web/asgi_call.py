"""Calls an ASGI application without a socket, one request at a time, with the body in whatever chunks the test says."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass
class Answer:
    """What came back; header names in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        (entry,) = self.json["errors"]
        return dict(entry)


@dataclass
class Caller:
    """Sends requests to `app`, each with `headers` added."""

    app: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str = "192.0.2.7"

    async def __call__(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] = (),
        json_body: Any = None,
    ) -> Answer:
        sent = {**self.headers, **(headers or {})}
        chunks = list(body)
        if json_body is not None:
            chunks = [json.dumps(json_body).encode()]
            sent.setdefault("content-type", "application/json")
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
            "client": (self.client, 4711),
            "server": ("hub.example", 80),
        }
        answer = Answer()
        pending = [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
            for number, chunk in enumerate(chunks or [b""], start=1)
        ]

        async def receive() -> dict[str, Any]:
            return pending.pop(0) if pending else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode().lower(): v.decode("latin-1") for k, v in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return answer
