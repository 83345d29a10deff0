"""Says the same requests to any registry, and puts down what it answered in a form that can be compared.

A step is one request, of a hand-written session or of a recording.  What is different on every server is taken out of the
answers: host, port, upload ids and their state.
"""

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub import PASSWORD
from system.recorder import COMPARED, Recording, plain, upload_in

Facts = dict[str, object]
_LOGIN = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
_KINDS = (
    (r"/v2/", "/v2/"),
    (r"/v2/.+/blobs/uploads/", "uploads"),
    (r"\{upload \d+\}", "upload"),
    (r"/v2/.+/blobs/.+", "blob"),
    (r"/v2/.+/manifests/\w+:.+", "manifest by digest"),
    (r"/v2/.+/manifests/.+", "manifest by tag"),
    (r"/v2/.+/tags/list", "tags"),
    (r"/v2/.+/referrers/.+", "referrers"),
)


@dataclass(frozen=True)
class Step:
    """In its target, `{upload N}` is where the last answer to a step with `upload=N` said to go on, `{registry}` the
    registry's host and port."""

    name: str
    method: str
    target: str
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    chunked: bool = False
    upload: int = 0


def steps_of(recording: Recording) -> Iterator[Step]:
    """Each is called `recording: number, what was asked for`."""
    for number, each in enumerate(recording.exchanges, 1):
        name = f"{recording.name} {number}: {each.method} {kind_of(each.target)}"
        body = base64.b64decode(each.body)
        yield Step(name, each.method, each.target, body, each.headers, each.chunked, each.upload)


def kind_of(target: str) -> str:
    """What a request is about; with the parameters' names, for these make it another request."""
    path, _, query = target.partition("?")
    names = [part.partition("=")[0] for part in query.split("&") if part]
    for pattern, kind in _KINDS:
        if re.fullmatch(pattern, path):
            return f"{kind}?{'&'.join(names)}" if names else kind
    raise ValueError(f"a request of no known kind: {target}")


class Replayer:
    """One connection to one registry.  `login` is for registries that want one: recordings hold none."""

    def __init__(self, place: str, *, login: bool) -> None:
        self._place = place
        self._connection = http.client.HTTPConnection(place, timeout=60)
        self._login = [("Authorization", _LOGIN)] if login else []
        self._places: dict[int, str] = {}

    def close(self) -> None:
        self._connection.close()

    def replay(self, steps: Iterable[Step]) -> dict[str, Facts]:
        """What each step was answered, by its name: status, compared headers, and what the body says."""
        self._places = {}
        return {step.name: self._say(step) for step in steps}

    def _say(self, step: Step) -> Facts:
        reply = None
        try:
            self._send(step)
            reply = self._connection.getresponse()
            body = reply.read()
        except http.client.IncompleteRead:
            self._connection.close()
            return {"status": reply.status if reply else 0, "body": "shorter than announced"}
        headers = {name.lower(): value for name, value in reply.getheaders()}
        if step.upload and (place := upload_in(headers)):
            self._places[step.upload] = place
        return {
            "status": reply.status,
            **_told(step, reply.status, headers),
            **_said(step, reply.status, body),
        }

    def _send(self, step: Step) -> None:
        connection = self._connection
        connection.putrequest(step.method, self._filled_in(step.target), skip_accept_encoding=True)
        for name, value in (*self._login, *step.headers):
            connection.putheader(name, value)
        if step.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif step.body or step.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(step.body)))
        body = [step.body] if step.chunked and step.body else [] if step.chunked else step.body or None
        connection.endheaders(body, encode_chunked=step.chunked)

    def _filled_in(self, target: str) -> str:
        target = target.replace("{registry}", self._place)
        found = re.match(r"\{upload (\d+)\}", target)
        if not found:
            return target
        place, query = (
            self._places.get(int(found[1]), "/v2/no/such/blobs/uploads/none"),
            target[found.end() + 1 :],
        )
        return f"{place}{'&' if '?' in place else '?'}{query}" if query else place


def _told(step: Step, status: int, headers: Mapping[str, str]) -> dict[str, str]:
    told = {name: plain(headers[name]) for name in COMPARED if name in headers}
    if step.method == "HEAD" and status < 400 and "content-length" in headers:
        told["content-length"] = headers["content-length"]
    return told


def _said(step: Step, status: int, body: bytes) -> Facts:
    """Of an error its code, of a list what is in it, of anything else every byte."""
    if not body:
        return {}
    if status >= 400:
        return {"code": code_of(body)}
    if re.match(r"/v2/(_catalog|.*/tags/list)", step.target):
        listed = json.loads(body)
        # docker-registry lists tags as its file system does: another one, another order.
        return {"body": {**listed, "tags": sorted(listed["tags"])} if "tags" in listed else listed}
    return {"body": body}


def code_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["errors"][0]["code"])
    except (ValueError, TypeError, KeyError):
        return "no error document"


def unlike_recorded(recording: Recording, said: Mapping[str, Facts]) -> dict[str, tuple[object, object]]:
    """`step / what` → (now, recorded), where a registry answers otherwise than the recorded one did."""
    found: dict[str, tuple[object, object]] = {}
    for name, each in zip(said, recording.exchanges, strict=True):
        facts = said[name]
        told = {"status": each.status, **each.told}
        now = {what: facts[what] for what in ("status", *COMPARED) if what in facts}
        if isinstance(body := facts.get("body", b""), bytes):
            told["body"] = each.content if each.status < 400 else ""
            now["body"] = f"sha256:{hashlib.sha256(body).hexdigest()}" if body else ""
        found |= {
            f"{name} / {what}": (now.get(what), told.get(what))
            for what in sorted(now.keys() | told.keys())
            if now.get(what) != told.get(what)
        }
    return found


def differences(ours: Mapping[str, Facts], theirs: Mapping[str, Facts]) -> dict[str, tuple[object, object]]:
    """`step / what` → (ours, theirs)."""
    return {
        f"{step} / {what}": (ours[step].get(what), theirs[step].get(what))
        for step in ours
        for what in sorted(ours[step].keys() | theirs[step].keys())
        if ours[step].get(what) != theirs[step].get(what)
    }
