"""A registry on a socket that answers by a script, faults included, and remembers what it was asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from contract.registry_worlds import serving


@dataclass
class Asked:
    """One request that a scripted registry got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Scripted:
    """The script maps "METHOD path" to (status, headers, body), or to a list of those, used one by one."""

    script: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        self.asked.append(Asked(scope["method"], scope["path"], query, headers, body))
        step = self.script.get(f"{scope['method']} {scope['path']}", (404, {}, b""))
        status, out, content = step.pop(0) if isinstance(step, list) else step
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        out = {"content-length": str(len(content)), **out}
        pairs = [(name.encode(), value.encode()) for name, value in out.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    @property
    def story(self) -> list[str]:
        return [str(asked) for asked in self.asked]

    @property
    def credentials(self) -> list[str]:
        return [asked.headers["authorization"] for asked in self.asked if "authorization" in asked.headers]


@asynccontextmanager
async def up() -> AsyncIterator[Scripted]:
    registry = Scripted()
    async with serving(registry) as url:
        registry.url = url
        yield registry
