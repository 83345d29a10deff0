"""A registry client for one thread: the token dance, and pushes as docker and containerd make them."""

import base64
import http.client
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SECONDS = 600

Address = tuple[str, int]
Login = tuple[str, str]


class Refused(Exception):
    """A server answered otherwise than it should; the text says what was asked and what came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. `headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Client:
    """One keep-alive connection to one server. `headers` go with every request."""

    def __init__(self, address: Address, headers: Mapping[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=_SECONDS)
        self.headers = dict(headers or {})

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes | memoryview] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request and its whole reply."""
        self._connection.request(method, path, body or None, {**self.headers, **(headers or {})})
        got = self._connection.getresponse()
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())

    def push_blob(self, repo: str, digest: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """POST, one PATCH with everything, PUT without a body: docker's, podman's and skopeo's way."""
        place = self._expect(202, "POST", f"/v2/{repo}/blobs/uploads/")
        octets = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        place = self._expect(202, "PATCH", place, pieces, octets)
        self._expect(201, "PUT", with_digest(place, digest))

    def push_manifest(self, repo: str, reference: str, raw: bytes) -> None:
        """Store a manifest under a tag or its digest."""
        kind = {"Content-Type": MANIFEST_TYPE}
        self._expect(201, "PUT", f"/v2/{repo}/manifests/{reference}", raw, kind)

    def _expect(
        self,
        status: int,
        method: str,
        path: str,
        body: bytes | Iterable[bytes | memoryview] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The path of the reply's Location. Raises Refused for another status."""
        own = {} if body else {"Content-Length": "0"}
        answer = self.ask(method, path, body, {**own, **(headers or {})})
        if answer.status != status:
            raise Refused(f"{method} {path}: {answer.status} {answer.body[:300]!r}, expected {status}")
        return local(answer.headers.get("location", ""))


def local(location: str) -> str:
    """The path and query of a Location, which may be a whole URL."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def with_digest(location: str, digest: str) -> str:
    """Where an upload is closed."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def token_url(address: Address, repos: Iterable[str]) -> str | None:
    """Where a token for pulling from and pushing to `repos` comes from; None where no server asks for one.

    Source: the distribution project's token authentication specification.
    """
    client = Client(address)
    try:
        challenge = client.ask("GET", "/v2/").headers.get("www-authenticate", "")
    finally:
        client.close()
    if not challenge.lower().startswith("bearer "):
        return None
    asked = dict(_CHALLENGE.findall(challenge))
    scopes = [("scope", f"repository:{repo}:pull,push") for repo in repos]
    return f"{urlsplit(asked['realm']).path}?{urlencode([('service', asked['service']), *scopes])}"


def basic(login: Login) -> dict[str, str]:
    """The header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode()}


def bearer(address: Address, login: Login | None, repos: Iterable[str]) -> dict[str, str]:
    """The header with a fresh token for `repos`; none where no server asks for one."""
    url = token_url(address, repos) if login else None
    if url is None or login is None:
        return {}
    client = Client(address, basic(login))
    try:
        answer = client.ask("GET", url)
    finally:
        client.close()
    if answer.status != 200:
        raise Refused(f"no token: {answer.status} {answer.body[:300]!r}")
    return {"Authorization": f"Bearer {answer.json()['token']}"}
