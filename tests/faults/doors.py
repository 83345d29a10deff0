"""I12: who may, and who may not, is the same after a fault as before it."""

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from fairway.core.tokens import Access, Token, sign
from fairway.features.registry.hub import ISSUER, SERVICE
from fairway.frame.keys import load_or_create_signing_keys
from faults.images import Image, image
from hub import PASSWORD, Hub

PROJECT = "doors"
REPO = f"{PROJECT}/kept"
STRANGER = "doors-stranger"
HOUR = 3600


class Doors:
    """A private project with one image, and everybody who tries its door."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._keys = Path(hub.extra.get("FAIRWAY_KEYS_DIR", hub.data / "keys"))
        self._image: Image = image(b"{}", [])
        self._admin = _basic("admin", PASSWORD)
        project = json.dumps({"project_name": PROJECT}).encode()
        assert self._ask("POST", "/api/v2.0/projects", self._admin, project) == 201
        [(digest, config)] = self._image.blobs.items()
        assert self._ask("POST", f"/v2/{REPO}/blobs/uploads/?digest={digest}", self._admin, config) == 201
        assert self._ask("PUT", f"/v2/{REPO}/manifests/kept", self._admin, self._image.raw) == 201
        _add_user(hub, STRANGER)
        self._project = self._project_id()

    def opened(self) -> list[str]:
        """What of the rights is not as it should be."""
        tries = {
            "nobody": (None, 401),
            "another user": (_basic(STRANGER, PASSWORD), 401),
            "an expired token": (self._token(made=time.time() - HOUR), 401),
            "a token for elsewhere": (self._token(repo="library/kept"), 401),
            "a token by another key": (self._token()[:-8] + "AAAAAAAA", 401),
            "a valid token": (self._token(), 200),
            "the administrator": (self._admin, 200),
        }
        broken = []
        for who, (login, wanted) in tries.items():
            status = self._ask("GET", f"/v2/{REPO}/manifests/kept", login)
            if status != wanted:
                broken.append(f"I12: a pull by {who} is {status}, not {wanted}")
        pushed = self._ask("PUT", f"/v2/{REPO}/manifests/kept", self._token(), self._image.raw)
        if pushed != 401:
            broken.append(f"I12: a push with a token that may pull is {pushed}, not 401")
        return broken

    def _project_id(self) -> int:
        body = self._reply("GET", f"/api/v2.0/projects/{PROJECT}", self._admin)[1]
        return int(json.loads(body)["project_id"])

    def _token(self, *, made: float | None = None, repo: str = REPO) -> str:
        """A token to pull, as the hub itself would have signed it then."""
        keys = load_or_create_signing_keys(self._keys)
        now = int(made if made is not None else time.time())
        access = Access("repository", repo, frozenset({"pull"}), self._project)
        return "Bearer " + sign(
            keys,
            Token("admin", 1, ISSUER, SERVICE, (access,), issued_at=now, expires_at=now + 300, id="door"),
        )

    def _ask(self, method: str, path: str, login: str | None, body: bytes | None = None) -> int:
        return self._reply(method, path, login, body)[0]

    def _reply(
        self, method: str, path: str, login: str | None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        headers = {} if login is None else {"Authorization": login}
        if body is not None:
            kind = self._image.media_type if "/manifests/" in path else "application/json"
            headers["Content-Type"] = kind if "/blobs/" not in path else "application/octet-stream"
        connection = http.client.HTTPConnection(self._hub.place, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _add_user(hub: Hub, name: str) -> None:
    command = [sys.executable, "-m", "fairway", "user", "add", name, "--data-dir", str(hub.data)]
    env = {**os.environ, "FAIRWAY_DATABASE_URL": hub.database_url}
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, env=env, check=True, capture_output=True)
