"""A plain registry client for fault tests: one connection, Basic auth, no retries of its own.

It knows every way to push a blob that the specification has, and keeps a journal of what it was told.
"""

import base64
import http.client
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from faults.images import Image, digest_of
from faults.journal import Deed, Journal
from faults.outages import Refusal
from hub import PASSWORD

SECONDS = 30
_PIECE = 64 * 1024


class Lost(Exception):
    """No reply: the request may have been carried out or not."""


class Refused(Exception):
    """The hub said no.  `saved`: when, in seconds since the epoch, it last acknowledged a step of the same upload."""

    def __init__(self, answer: "Answer", saved: float | None = None) -> None:
        super().__init__(f"{answer.status} {answer.body[:300]!r}")
        self.answer = answer
        self.saved = saved


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code of the body."""
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code


class Client:
    """Not for several threads at a time."""

    def __init__(self, place: str, journal: Journal, rng: random.Random) -> None:
        self.journal = journal
        self.rng = rng
        self.refusals: list[Refusal] = []
        self.patience = 0.0
        """Seconds for which it asks again when it is told, cleanly, that the hub cannot just now."""
        self._connection = http.client.HTTPConnection(place, timeout=SECONDS)
        self._login = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

    def close(self) -> None:
        self._connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        deed: Deed | None = None,
    ) -> Answer:
        """One request.  The status of `deed` is known as soon as the head of the reply is.  Raises Lost."""
        deadline = time.monotonic() + self.patience
        while True:
            answer = self._ask(method, path, body, headers, deed)
            later = answer.status == 503 and "retry-after" in answer.headers
            if not later or time.monotonic() >= deadline:
                return answer
            time.sleep(0.2)

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None, deed: Deed | None
    ) -> Answer:
        sent = {"Authorization": self._login, **(headers or {})}
        if body or method in ("POST", "PUT", "PATCH"):
            sent["Content-Length"] = str(len(body))
        began = time.monotonic()
        try:
            self._send(method, path, body, sent)
            reply = self._connection.getresponse()
            if deed is not None:
                deed.status = reply.status
            content = reply.read()
            if reply.will_close:
                self._connection.close()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Lost(f"{method} {path}: {error!r}") from error
        answer = Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, content)
        if answer.status >= 400:
            asked = f"{method} {path}"
            self.refusals.append(Refusal(asked, answer.status, answer.headers, content, began))
        return answer

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # the reply may have come before the body was sent
            for at in range(0, len(body), _PIECE):
                self._connection.send(body[at : at + _PIECE])

    # -- pushing

    def push_blob(self, repo: str, data: bytes, style: str = "") -> str:
        """Push `data` in one of STYLES, else in one drawn by lot; its digest.  Raises Lost, Refused."""
        digest = digest_of(data)
        with self.journal.deed("blob", repo, digest=digest) as deed:
            STYLES[style or self.rng.choice(list(STYLES))](self, repo, data, deed)
        return digest

    def mount(self, repo: str, digest: str, source: str) -> bool:
        """Mount a blob from another repository; False when the hub wants an upload instead."""
        with self.journal.deed("mount", repo, digest=digest) as deed:
            path = f"/v2/{repo}/blobs/uploads/?mount={digest}&from={quote(source, safe='')}"
            answer = _expect(self.call("POST", path, deed=deed), 201, 202)
        if answer.status == 202:
            self.call("DELETE", urlsplit(answer.headers["location"]).path)
        return answer.status == 201

    def push_manifest(self, repo: str, image: Image, tags: Sequence[str] = ()) -> Answer:
        """Push a manifest by its first tag, or by digest with all of them as parameters."""
        path = f"/v2/{repo}/manifests/{image.digest}"
        if len(tags) == 1:
            path = f"/v2/{repo}/manifests/{tags[0]}"
        elif tags:
            path += "?" + "&".join(f"tag={tag}" for tag in tags)
        facts = {"digest": image.digest, "tags": list(tags), "subject": image.subject}
        with self.journal.deed("manifest", repo, **facts) as deed:
            headers = {"Content-Type": image.media_type}
            return _expect(self.call("PUT", path, image.raw, headers, deed=deed), 201)

    def push_image(self, repo: str, image: Image, tags: Sequence[str] = ()) -> None:
        for data in image.blobs.values():
            self.push_blob(repo, data)
        self.push_manifest(repo, image, tags)

    # -- deleting

    def untag(self, repo: str, tag: str) -> Answer:
        with self.journal.deed("untag", repo, tags=[tag]) as deed:
            return _expect(self.call("DELETE", f"/v2/{repo}/manifests/{tag}", deed=deed), 202)

    def delete(self, repo: str, digest: str) -> Answer:
        with self.journal.deed("delete", repo, digest=digest) as deed:
            return _expect(self.call("DELETE", f"/v2/{repo}/manifests/{digest}", deed=deed), 202)

    def delete_blob(self, repo: str, digest: str) -> Answer:
        with self.journal.deed("delete_blob", repo, digest=digest) as deed:
            return _expect(self.call("DELETE", f"/v2/{repo}/blobs/{digest}", deed=deed), 202)

    # -- looking

    def manifest(self, repo: str, ref: str) -> Answer:
        return self.call("GET", f"/v2/{repo}/manifests/{ref}")

    def blob(self, repo: str, digest: str, method: str = "GET") -> Answer:
        return self.call(method, f"/v2/{repo}/blobs/{digest}")


class Upload:
    """An upload in progress, step by step.  `saved`: when the hub last acknowledged that it has come further."""

    saved: float | None = None

    def __init__(self, client: Client, repo: str, deed: Deed | None = None) -> None:
        self.client = client
        self.deed = deed or Deed("blob", repo)
        answer = self._expect(client.call("POST", f"/v2/{repo}/blobs/uploads/"), 202)
        self.saved = time.time()
        self.path = urlsplit(answer.headers["location"]).path

    def patch(self, data: bytes, at: int | None = None) -> Answer:
        """Send a chunk; with `at`, say where it belongs."""
        where = {} if at is None else {"Content-Range": f"{at}-{at + len(data) - 1}"}
        answer = self._expect(self.client.call("PATCH", self.path, data, where), 202)
        self.saved = time.time()
        return answer

    def offset(self) -> int:
        """How far it has come, as the hub says."""
        answer = self._expect(self.client.call("GET", self.path), 204)
        # "0-0" means nothing as well as one byte (OCI distribution specification); no test here has one byte
        last = int(answer.headers["range"].partition("-")[2])
        return last + 1 if last else 0

    def finish(self, digest: str, data: bytes = b"") -> Answer:
        path = f"{self.path}?digest={digest}"
        return self._expect(self.client.call("PUT", path, data, deed=self.deed), 201)

    def _expect(self, answer: Answer, status: int) -> Answer:
        """Raises Refused; then the deed has come to its end too."""
        if answer.status != status:
            self.deed.status = answer.status
            raise Refused(answer, self.saved)
        return answer


def _single_post(client: Client, repo: str, data: bytes, deed: Deed) -> None:
    path = f"/v2/{repo}/blobs/uploads/?digest={deed.digest}"
    headers = {"Content-Type": "application/octet-stream"}
    _expect(client.call("POST", path, data, headers, deed=deed), 201)


def _post_put(client: Client, repo: str, data: bytes, deed: Deed) -> None:
    Upload(client, repo, deed).finish(deed.digest, data)


def _stream(client: Client, repo: str, data: bytes, deed: Deed) -> None:
    upload = Upload(client, repo, deed)
    upload.patch(data)
    upload.finish(deed.digest)


def _chunks(client: Client, repo: str, data: bytes, deed: Deed) -> None:
    upload = Upload(client, repo, deed)
    for at, chunk in _cut(client.rng, data):
        upload.patch(chunk, at)
    upload.finish(deed.digest)


def _last_chunk_closes(client: Client, repo: str, data: bytes, deed: Deed) -> None:
    upload = Upload(client, repo, deed)
    pieces = _cut(client.rng, data)
    for at, chunk in pieces[:-1]:
        upload.patch(chunk, at)
    upload.finish(deed.digest, pieces[-1][1] if pieces else b"")


STYLES: dict[str, Callable[[Client, str, bytes, Deed], None]] = {
    "single-post": _single_post,
    "post-put": _post_put,
    "stream": _stream,
    "chunks": _chunks,
    "last-chunk-closes": _last_chunk_closes,
}


def _cut(rng: random.Random, data: bytes) -> list[tuple[int, bytes]]:
    """`data` in two to four pieces, each with its offset."""
    if len(data) < 4:
        return [(0, data)] if data else []
    cuts = sorted({0, *rng.sample(range(1, len(data)), rng.randint(1, 3))})
    return [(start, data[start:end]) for start, end in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def _expect(answer: Answer, *statuses: int) -> Answer:
    """Raises Refused."""
    if answer.status not in statuses:
        raise Refused(answer)
    return answer
