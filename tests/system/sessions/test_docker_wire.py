"""What the Docker engine's classic store sends, request by request, and all that it reads in the answers.

The engine itself is in test_docker.py; this is for machines that have none, and for what an engine would hide by trying
again.  Sources: the distribution specification 1.1; docker's token specification.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from hub import Hub
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER
from system.sessions.known import DOCKER_WIRE
from system.wire import Answer, Wire

pytestmark = pytest.mark.system
CLIENT = DOCKER_WIRE
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
ACCEPT = ", ".join(ACCEPTED)


class Engine:
    """One engine's side of the conversation; a bearer token per set of scopes, as it keeps them."""

    def __init__(self, hub: Hub, user: str = "", password: str = "") -> None:
        self.wire = Wire(hub, "")
        self.login = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self.user = user

    def token(self, *scopes: str) -> None:
        """Ping, read the challenge, fetch a token for the scopes, and use it from now on."""
        self.wire.headers.pop("Authorization", None)
        ping = self.wire.ask("GET", "/v2/")
        assert (ping.status, ping.headers["docker-distribution-api-version"]) == (401, "registry/2.0")
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', ping.headers["www-authenticate"]))
        asked = [("account", self.user)] if self.user else []
        asked += [("scope", scope) for scope in scopes] + [("service", challenge["service"])]
        headers = {"Authorization": f"Basic {self.login}"} if self.login else {}
        answer = self.wire.ask(
            "GET", f"{urlsplit(challenge['realm']).path}?{urlencode(asked)}", None, headers
        )
        assert answer.status == 200, answer
        assert answer.json()["token"] == answer.json()["access_token"]
        assert answer.json()["expires_in"] >= 60
        self.wire.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def push_blob(self, repo: str, content: bytes, digest: str) -> None:
        path = f"/v2/{repo}/blobs/{digest}"
        if self.wire.ask("HEAD", path).status == 200:
            return
        started = self.wire.ask("POST", f"/v2/{repo}/blobs/uploads/", b"")
        assert started.status == 202, started
        assert started.headers["docker-upload-uuid"]
        sent = self.patch(started.headers["location"], content)
        assert sent.status == 202, sent
        first, _, last = sent.headers["range"].partition("-")
        assert (int(first), int(last)) == (0, len(content) - 1)
        assert sent.headers["docker-upload-uuid"] == started.headers["docker-upload-uuid"]
        where = urlsplit(sent.headers["location"])
        query = f"{where.query}&" if where.query else ""
        stored = self.wire.ask("PUT", f"{where.path}?{query}{urlencode({'digest': digest})}", b"")
        assert (stored.status, stored.headers["docker-content-digest"]) == (201, digest)
        confirmed = self.wire.ask("HEAD", path)
        assert (confirmed.status, confirmed.headers["content-length"]) == (200, str(len(content)))

    def patch(self, location: str, content: bytes) -> Answer:
        """One PATCH with everything, in chunks of unknown number: neither Content-Length nor Content-Range."""
        where = urlsplit(location)
        connection = self.wire.connect()
        headers = {**self.wire.headers, "Transfer-Encoding": "chunked"}
        connection.request(
            "PATCH", f"{where.path}?{where.query}".rstrip("?"), _pieces(content), headers, encode_chunked=True
        )
        got = connection.getresponse()
        answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        connection.close()
        return answer


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def an_image(both: Layout) -> tuple[bytes, dict[str, bytes]]:
    """One platform's manifest and its blobs, the configuration last."""
    raw = both.raw(both.parsed(both.tagged("both")["digest"])["manifests"][0]["digest"])
    manifest = json.loads(raw)
    digests = [*(layer["digest"] for layer in manifest["layers"]), manifest["config"]["digest"]]
    return raw, {digest: both.raw(digest) for digest in digests}


def pushed(engine: Engine, repo: str, both: Layout) -> str:
    """The manifest's digest."""
    raw, blobs = an_image(both)
    engine.token(f"repository:{repo}:pull,push")
    for digest, content in blobs.items():
        engine.push_blob(repo, content, digest)
    media_type = json.loads(raw)["mediaType"]
    stored = engine.wire.ask("PUT", f"/v2/{repo}/manifests/1", raw, {"Content-Type": media_type})
    assert stored.status == 201, stored
    return stored.headers["docker-content-digest"]


def test_push_then_pull_by_tag_and_by_digest(hub: Hub, project: str, both: Layout) -> None:
    engine = Engine(hub, USER, PASSWORD)
    digest = pushed(engine, f"{project}/app", both)
    raw, blobs = an_image(both)

    engine.token(f"repository:{project}/app:pull")
    for reference in ("1", digest):
        head = engine.wire.ask("HEAD", f"/v2/{project}/app/manifests/{reference}", None, {"Accept": ACCEPT})
        assert (head.status, head.headers["docker-content-digest"]) == (200, digest)
        assert head.headers["content-length"] == str(len(raw))
        got = engine.wire.ask("GET", f"/v2/{project}/app/manifests/{reference}", None, {"Accept": ACCEPT})
        assert (got.body, got.headers["content-type"]) == (raw, json.loads(raw)["mediaType"])
    for blob, content in blobs.items():
        assert engine.wire.ask("GET", f"/v2/{project}/app/blobs/{blob}").body == content


def test_an_accept_list_in_two_header_lines_is_one_list(hub: Hub, project: str, both: Layout) -> None:
    engine = Engine(hub, USER, PASSWORD)
    pushed(engine, f"{project}/app", both)
    connection = engine.wire.connect()
    connection.putrequest("GET", f"/v2/{project}/app/manifests/1")
    for name, value in (*engine.wire.headers.items(), *(("Accept", kind) for kind in ACCEPTED)):
        connection.putheader(name, value)
    connection.endheaders()

    assert connection.getresponse().read() == an_image(both)[0]
    connection.close()


def test_a_broken_pull_goes_on_with_a_range(hub: Hub, project: str, both: Layout) -> None:
    engine = Engine(hub, USER, PASSWORD)
    pushed(engine, f"{project}/app", both)
    digest, content = next(iter(an_image(both)[1].items()))

    rest = engine.wire.ask("GET", f"/v2/{project}/app/blobs/{digest}", None, {"Range": "bytes=10-"})

    assert (rest.status, rest.body) == (206, content[10:])
    assert rest.headers["content-range"] == f"bytes 10-{len(content) - 1}/{len(content)}"


def test_a_layer_is_mounted_from_another_project_and_what_cannot_be_is_uploaded(
    hub: Hub, project: str, open_project: str, both: Layout
) -> None:
    engine = Engine(hub, USER, PASSWORD)
    pushed(engine, f"{project}/app", both)
    digest = next(iter(an_image(both)[1]))
    engine.token(f"repository:{open_project}/copy:pull,push", f"repository:{project}/app:pull")

    def mount(what: str) -> Answer:
        query = urlencode({"mount": what, "from": f"{project}/app"})
        return engine.wire.ask("POST", f"/v2/{open_project}/copy/blobs/uploads/?{query}", b"")

    mounted, unknown = mount(digest), mount(f"sha256:{'0' * 64}")

    assert (mounted.status, mounted.headers["docker-content-digest"]) == (201, digest)
    assert engine.wire.ask("HEAD", f"/v2/{open_project}/copy/blobs/{digest}").status == 200
    assert unknown.status == 202
    assert engine.wire.ask("DELETE", urlsplit(unknown.headers["location"]).path).status == 204


def test_who_has_no_login_gets_a_token_for_a_public_project(
    hub: Hub, open_project: str, both: Layout
) -> None:
    pushed(Engine(hub, USER, PASSWORD), f"{open_project}/app", both)
    nobody = Engine(hub)
    nobody.token(f"repository:{open_project}/app:pull,push")

    assert (
        nobody.wire.ask("GET", f"/v2/{open_project}/app/manifests/1", None, {"Accept": ACCEPT}).status == 200
    )
    refused = nobody.wire.ask("POST", f"/v2/{open_project}/app/blobs/uploads/", b"")
    # The engine gives up at once only if it can read why.
    assert (refused.status, refused.headers["content-type"].partition(";")[0]) == (401, "application/json")
    assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
def test_a_wrong_password_is_no_anonymous_token(hub: Hub, guessing: None) -> None:
    wrong = Engine(hub, USER, "Wrong-password-1")
    headers = {"Authorization": f"Basic {wrong.login}"}
    asked = urlencode({"account": USER, "offline_token": "true", "service": "harbor-registry"})
    answer = wrong.wire.ask("GET", f"/service/token?{asked}", None, headers)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
