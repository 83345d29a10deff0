"""Plain HTTP to a hub, for what no client does: a connection per request, answers as they came."""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import new
from typing import Any
from urllib.parse import urlsplit

from hub import PASSWORD, Hub


@dataclass(frozen=True)
class Answer:
    """`headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One user's requests, with Basic authentication; `user=""` is nobody."""

    def __init__(self, hub: Hub, user: str = "admin", password: str = PASSWORD) -> None:
        self.hub = hub
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}"} if user else {}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    def start_upload(self, repo: str) -> str:
        """The path of a new upload."""
        started = self.ask("POST", f"/v2/{repo}/blobs/uploads/", b"")
        assert started.status == 202, started
        return urlsplit(started.headers["location"]).path

    def push_blob(self, repo: str, content: bytes, algorithm: str = "sha256") -> str:
        """Its digest."""
        digest = f"{algorithm}:{new(algorithm, content).hexdigest()}"
        stored = self.ask("PUT", f"{self.start_upload(repo)}?digest={digest}", content)
        assert stored.status == 201, stored
        return digest

    def create_project(self, name: str, *, public: bool = False) -> None:
        asked = {"project_name": name, "metadata": {"public": str(public).lower()}}
        made = self.ask(
            "POST", "/api/v2.0/projects", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        assert made.status == 201, made
