"""The same requests to Fairway and to Debian's docker-registry: same answers, or a reason why not.

Sessions are what docker, containerd and skopeo send for a push and a pull, and then calls that go wrong.  Statuses,
headers that clients read, error codes and bodies are compared.  A difference without a reason fails, and so does a
reason for a difference that is none any more.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from faults.client import Answer, Client, Lost
from faults.images import IMAGE, INDEX, digest_of, image, index
from faults.journal import Deed, Journal
from hub import Hub
from system.differences import EXPLAINED
from system.peer import Peer

pytestmark = pytest.mark.system

CONFIG, LAYER = b'{"architecture":"amd64","os":"linux"}', bytes(range(256)) * 40
PUSHED = image(CONFIG, [LAYER])
LIST = index([PUSHED])
NOTHING = f"sha256:{0:064x}"
COMPARED = (
    *("content-type", "content-range", "docker-content-digest", "docker-distribution-api-version"),
    *("etag", "link", "location", "range", "docker-upload-uuid", "allow"),
)
R = "/v2/library/app"


@dataclass(frozen=True)
class Step:
    """One request; `{upload}` in its path is where the last answer with an upload said to go on."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def blob(name: str, data: bytes) -> list[Step]:
    """A layer as docker pushes it."""
    return [
        Step(f"{name}: is it there", "HEAD", f"{R}/blobs/{digest_of(data)}"),
        Step(f"{name}: start", "POST", f"{R}/blobs/uploads/"),
        Step(f"{name}: stream", "PATCH", "{upload}", data, {"Content-Type": "application/octet-stream"}),
        Step(f"{name}: status", "GET", "{upload}"),
        Step(f"{name}: close", "PUT", "{upload}?digest=" + digest_of(data)),
        Step(f"{name}: is it there now", "HEAD", f"{R}/blobs/{digest_of(data)}"),
    ]


MANIFEST = f"{R}/manifests"
SESSION = [
    Step("ping", "GET", "/v2/"),
    *blob("config", CONFIG),
    *blob("layer", LAYER),
    Step("push manifest", "PUT", f"{MANIFEST}/v1", PUSHED.raw, {"Content-Type": IMAGE}),
    Step("push index", "PUT", f"{MANIFEST}/list", LIST.raw, {"Content-Type": INDEX}),
    Step("push again", "PUT", f"{MANIFEST}/v2", PUSHED.raw, {"Content-Type": IMAGE}),
    Step("mount", "POST", f"/v2/library/copy/blobs/uploads/?mount={digest_of(LAYER)}&from=library/app"),
    Step("head by tag", "HEAD", f"{MANIFEST}/v1", headers={"Accept": f"{IMAGE}, {INDEX}"}),
    Step("get by tag", "GET", f"{MANIFEST}/v1", headers={"Accept": f"{IMAGE}, {INDEX}"}),
    Step("get by digest", "GET", f"{MANIFEST}/{PUSHED.digest}", headers={"Accept": IMAGE}),
    Step("get index", "GET", f"{MANIFEST}/list", headers={"Accept": f"{IMAGE}, {INDEX}"}),
    Step("get index, image wanted", "GET", f"{MANIFEST}/list", headers={"Accept": IMAGE}),
    Step("get config", "GET", f"{R}/blobs/{digest_of(CONFIG)}"),
    Step("get part", "GET", f"{R}/blobs/{digest_of(LAYER)}", headers={"Range": "bytes=10-19"}),
    Step("get bad part", "GET", f"{R}/blobs/{digest_of(LAYER)}", headers={"Range": "bytes=99999-"}),
    Step("tags", "GET", f"{R}/tags/list"),
    Step("tags, first page", "GET", f"{R}/tags/list?n=1"),
    Step("tags, last page", "GET", f"{R}/tags/list?n=5&last=v1"),
    Step("tags, bad page", "GET", f"{R}/tags/list?n=-1"),
    Step("catalog", "GET", "/v2/_catalog"),
    Step("catalog, first page", "GET", "/v2/_catalog?n=1"),
    Step("no such tag", "GET", f"{MANIFEST}/none"),
    Step("no such tag, head", "HEAD", f"{MANIFEST}/none"),
    Step("no such manifest", "GET", f"{MANIFEST}/{NOTHING}"),
    Step("no such blob", "GET", f"{R}/blobs/{NOTHING}"),
    Step("no such blob, head", "HEAD", f"{R}/blobs/{NOTHING}"),
    Step("no such repository", "GET", "/v2/library/none/tags/list"),
    Step("bad name", "GET", "/v2/library/APP/tags/list"),
    Step("bad digest", "GET", f"{R}/blobs/sha256:abc"),
    Step("no such upload", "GET", f"{R}/blobs/uploads/00000000-0000-4000-8000-000000000000"),
    Step("wrong digest: start", "POST", f"{R}/blobs/uploads/"),
    Step("wrong digest: close", "PUT", "{upload}?digest=" + NOTHING, b"other bytes"),
    Step("cancelled: start", "POST", f"{R}/blobs/uploads/"),
    Step("cancelled: cancel", "DELETE", "{upload}"),
    Step("cancelled: status", "GET", "{upload}"),
    Step("bad chunk: start", "POST", f"{R}/blobs/uploads/"),
    Step("bad chunk: too far", "PATCH", "{upload}", b"0123", {"Content-Range": "100-103"}),
    Step("bad manifest", "PUT", f"{MANIFEST}/bad", b"{}", {"Content-Type": IMAGE}),
    Step("missing layer", "PUT", f"{MANIFEST}/bad", image(CONFIG, [b"no"]).raw, {"Content-Type": IMAGE}),
    Step("wrong manifest digest", "PUT", f"{MANIFEST}/{NOTHING}", PUSHED.raw, {"Content-Type": IMAGE}),
    Step("wrong method", "POST", f"{MANIFEST}/v1"),
    Step("delete index", "DELETE", f"{MANIFEST}/{LIST.digest}"),
    Step("delete index again", "DELETE", f"{MANIFEST}/{LIST.digest}"),
    Step("delete tag", "DELETE", f"{MANIFEST}/v2"),
    Step("delete used blob", "DELETE", f"{R}/blobs/{digest_of(LAYER)}"),
    Step("delete manifest", "DELETE", f"{MANIFEST}/{PUSHED.digest}"),
    Step("get deleted", "GET", f"{MANIFEST}/{PUSHED.digest}"),
    Step("delete missing blob", "DELETE", f"{R}/blobs/{NOTHING}"),
]


def replayed(client: Client) -> dict[str, dict[str, object]]:
    """What each step was answered: status, compared headers, and what the body says."""
    upload, found = "", {}
    for step in SESSION:
        path, _, query = step.path.partition("?")
        target = path.format(upload=upload)
        if query:
            target += ("&" if "?" in target else "?") + query
        deed = Deed("", "")
        try:
            answer = client.call(step.method, target, step.body, step.headers, deed=deed)
        except Lost:
            found[step.name] = {"status": deed.status, "body": "shorter than announced"}
            continue
        if "docker-upload-uuid" in answer.headers and "location" in answer.headers:
            place = urlsplit(answer.headers["location"])
            upload = f"{place.path}?{place.query}" if place.query else place.path
        found[step.name] = facts(step, answer)
    return found


def facts(step: Step, answer: Answer) -> dict[str, object]:
    told = {name: plain(answer.headers[name]) for name in COMPARED if name in answer.headers}
    return {"status": answer.status, **told, **body_of(step, answer)}


def plain(value: str) -> str:
    """A header without what is different on every server: host, port, upload ids and their state."""
    value = re.sub(r"http://127\.0\.0\.1:\d+", "", value)
    value = re.sub(r"(/uploads/)[^?>]+(\?_state=[^>]*)?", r"\1ID", value)
    value = re.sub(r"^[0-9a-f]{8}-[0-9a-f-]{27}$|^[A-Za-z0-9_-]{16,64}$", "ID", value)
    return value.replace("; charset=utf-8", "")


def body_of(step: Step, answer: Answer) -> dict[str, object]:
    if answer.status >= 400:
        return {"code": code_of(answer.body)} if answer.body and step.method != "HEAD" else {}
    if "json" in answer.headers.get("content-type", "") and "/manifests/" not in step.path and answer.body:
        return {"body": json.loads(answer.body)}
    return {"body": answer.body} if answer.body else {}


def code_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["errors"][0]["code"])
    except (ValueError, TypeError, KeyError):
        return "no error document"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict, dict]]:
    folder: Path = tmp_path_factory.mktemp("differential")
    (folder / "hub").mkdir()
    (folder / "peer").mkdir()
    peer = Peer(folder / "peer")
    hub = Hub(folder / "hub")
    try:
        hub.start()
        got = []
        for name, place in (("hub", hub.place), ("peer", peer.place)):
            client = Client(place, Journal(folder, name), Random(0))
            got.append(replayed(client))
            client.close()
        yield got[0], got[1]
    finally:
        hub.kill()
        peer.close()


def differences(ours: dict, theirs: dict) -> dict[str, tuple[object, object]]:
    """`step / what` → (ours, theirs)."""
    return {
        f"{step} / {what}": (ours[step].get(what), theirs[step].get(what))
        for step in ours
        for what in sorted(ours[step].keys() | theirs[step].keys())
        if ours[step].get(what) != theirs[step].get(what)
    }


def test_every_difference_has_a_reason_and_every_reason_a_difference(answers: tuple[dict, dict]) -> None:
    found = differences(*answers)
    patterns = [pattern for patterns in EXPLAINED.values() for pattern in patterns]
    unexplained = {
        key: values
        for key, values in found.items()
        if not any(fnmatchcase(key, pattern) for pattern in patterns)
    }
    assert not unexplained
    stale = [pattern for pattern in patterns if not any(fnmatchcase(key, pattern) for key in found)]
    assert not stale, "explained, and not different any more"


def test_the_reasons_are_published() -> None:
    page = (Path(__file__).parents[2] / "docs/concepts/compatibility.md").read_text("utf-8")
    assert not [reason for reason in EXPLAINED if reason not in page]
