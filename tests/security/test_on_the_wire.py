"""What only a real server sees: request lines and framing that no client library would send (T01, T42, T54, T71)."""

import json
import socket
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import pytest

from hub import PASSWORD, Hub

pytestmark = pytest.mark.system

ADMIN = "Authorization: Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()
MANIFEST = "Content-Type: application/vnd.oci.image.manifest.v1+json"
NO_LAYERS = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
INDEX = "Content-Type: application/vnd.oci.image.index.v1+json"


@dataclass
class Answer:
    """The first answer on a connection; status 0 when the server hung up without a word."""

    status: int
    head: str
    body: bytes


class HasPlace(Protocol):
    """A hub, or what stands before it."""

    place: str


def exchange(hub: HasPlace, request: bytes, more: Iterable[bytes] = ()) -> Answer:
    """Send bytes as they are and read one answer, even while the server wants no more of them."""
    host, port = hub.place.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(request)
            for piece in more:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough; its answer may be there all the same
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return Answer(0, "", received)
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        text = head.decode("latin-1").lower()
        length = int(text.partition("content-length:")[2].split("\r\n")[0] or 0)
        while len(body) < length and (piece := connection.recv(65536)):
            body += piece
    except ConnectionResetError:
        return Answer(0, "", received)
    return Answer(int(text.split(" ")[1]), text, body)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [line, "Host: hub.example", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def is_well(hub: Hub) -> None:
    """It still answers, and nothing went wrong that it did not foresee."""
    assert exchange(hub, request("GET /api/v2.0/ping HTTP/1.1")).body == b"Pong"
    assert "Traceback" not in hub.log


@pytest.fixture
def library(hub: Hub) -> Hub:
    """A hub with something in it: `library/app:v1` is public, `library` as well."""
    length = f"Content-Length: {len(NO_LAYERS)}"
    pushed = exchange(
        hub, request("PUT /v2/library/app/manifests/v1 HTTP/1.1", ADMIN, INDEX, length, body=NO_LAYERS)
    )
    assert pushed.status == 201, pushed.body
    return hub


CLOSED = (
    "/v2/_catalog",
    "/v2/_catalog/",
    "/v2//_catalog",
    "//v2/_catalog",
    "/v2/./_catalog",
    "/v2/../v2/_catalog",
    "/v2/%5fcatalog",
    "/v2/%2e/_catalog",
    "/v2/x/%2e%2e/_catalog",
    "/api/v2.0/../v2/_catalog",
    "/api/v2.0/..%2f..%2fv2/_catalog",
    "/v2/_catalog%2f",
    "/v2/_catalog%00",
    "/v2/_catalog;x=1",
    "/v2%2f_catalog",
    "/v2/_catalog%3fn=1",
    "/v2/_catalog#",
    "\\v2\\_catalog",
    "http://hub.example/v2/_catalog",
    "http://evil.example/v2/_catalog",
    "https://hub.example//v2/./_catalog",
    "/v2/library/app/../../_catalog",
    "/metrics/../v2/_catalog",
    "/readyz/../v2/_catalog",
)


def test_no_way_of_writing_a_path_opens_what_is_closed(library: Hub) -> None:
    for target in CLOSED:
        answer = exchange(library, request(f"GET {target} HTTP/1.1"))
        assert answer.status in (400, 401, 404), target
        assert b"library" not in answer.body, target
    is_well(library)


def test_an_address_in_the_request_line_changes_nothing(library: Hub) -> None:
    for prefix in ("", "http://hub.example", "http://evil.example"):
        answer = exchange(library, request(f"GET {prefix}/v2/library/app/manifests/v1 HTTP/1.1"))
        assert (answer.status, answer.body) == (200, NO_LAYERS)
        closed = exchange(library, request(f"GET {prefix}/v2/_catalog HTTP/1.1", "X-Original-URL: /v2/"))
        assert closed.status == 401
        assert "evil" not in closed.head.partition("www-authenticate")[2]


def test_paths_that_are_no_text_are_refused(library: Hub) -> None:
    for target in (
        "/v2/%ff/manifests/v1",
        "/v2/library/%c0%ae%c0%ae/manifests/v1",
        "/v2/library/app/manifests/%ed%a0%80",
        "/v2/library/app/manifests/%",
        "/v2/library/app/manifests/%zz",
        "/v2/library/app/manifests/v1%0d%0aX: y",
        "/v2/library/app/blobs/sha256:\xff",
        "/v2/library/app/tags/list?last=%ff",
        "/v2/library/app/tags/list?last=\xff",
        "/service/token?scope=%ff&service=%ff",
        "/api/v2.0/projects/%ff",
        "/api/v2.0/projects?name=%ff",
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = exchange(library, request(f"{method} {target} HTTP/1.1", ADMIN, "Content-Length: 0"))
            assert answer.status < 500, (method, target)
            assert answer.status != 201, (method, target)
    is_well(library)


def test_methods_nobody_knows_are_refused(library: Hub) -> None:
    for method in ("get", "FOO", "TRACE", "OPTIONS", "PRI", "G\x00T", "CONNECT"):
        answer = exchange(library, request(f"{method} /v2/library/app/manifests/v1 HTTP/1.1"))
        assert answer.status in (0, 400, 405), method
    is_well(library)


def test_a_large_manifest_is_refused_before_it_is_here(library: Hub) -> None:
    line = "PUT /v2/library/app/manifests/v2 HTTP/1.1"
    megabyte = bytes(2**20)
    announced = request(line, ADMIN, MANIFEST, f"Content-Length: {64 * 2**20}")
    chunk = b"100000\r\n" + megabyte + b"\r\n"
    chunked = request(line, ADMIN, MANIFEST, "Transfer-Encoding: chunked")
    expecting = request(line, ADMIN, MANIFEST, f"Content-Length: {64 * 2**20}", "Expect: 100-continue")
    library.forget_peaks()
    before = library.peaks()
    for head, pieces in ((announced, [megabyte] * 64), (chunked, [chunk] * 64), (expecting, [])):
        answer = exchange(library, head, pieces)
        if pieces and answer.status == 0:
            continue  # hung up on us while we were talking: as good a refusal
        assert answer.status == 413
        assert json.loads(answer.body)["errors"][0]["code"] == "MANIFEST_INVALID"
    for pid, peak in library.peaks().items():
        assert peak < before[pid] + 48 * 2**20  # checking the first password takes a worker 19 MiB of it
    listed = exchange(library, request("GET /v2/library/app/tags/list HTTP/1.1"))
    assert json.loads(listed.body)["tags"] == ["v1"]
    is_well(library)


def test_headers_without_end_are_refused(library: Hub) -> None:
    line = "GET /v2/library/app/tags/list HTTP/1.1"
    many = request(line, *(f"X-{n}: x" for n in range(10_000)))
    long = request(line, f"X-Long: {'x' * 2**20}")
    query = request(f"GET /v2/library/app/tags/list?{'&'.join('n=1' for _ in range(10_000))} HTTP/1.1")
    for sent in (many, long, query):
        assert exchange(library, sent).status in (0, 400, 414, 431)
    is_well(library)


def test_framing_that_can_be_read_two_ways_is_refused(library: Hub) -> None:
    """Whatever stands behind such a request, it is not taken for a request of its own."""
    line, smuggled = "POST /service/token HTTP/1.1", request("GET /api/v2.0/ping HTTP/1.1")
    for headers in (
        ("Content-Length: 0", "Content-Length: 5"),
        ("Content-Length: 0, 5",),
        ("Content-Length: +5",),
        ("Content-Length: -1",),
        ("Content-Length: 5x",),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 0"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
        ("X-Folded: a\r\n b",),
        ("No colon here",),
    ):
        host, port = library.place.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request(line, *headers) + smuggled)
            answer = read_answer(connection)
            assert answer.status in (0, 400, 501), headers
            assert b"Pong" not in answer.body + rest(connection), headers
    is_well(library)


def rest(connection: socket.socket) -> bytes:
    """Whatever else comes once nothing more is sent."""
    received = b""
    try:
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    except OSError:
        pass  # reset, or shut down already
    return received


def test_credentials_that_are_no_text_are_wrong_ones(library: Hub) -> None:
    for header in (
        "Basic \xff\xfe",
        "Basic " + b64encode(b"admin:\xff\xfe").decode(),
        "Basic " + b64encode(b"admin").decode(),
        "Basic " + b64encode(b"admin\0:x").decode(),
        "Bearer \xff\xff.\xff.\xff",
        "Bearer ..",
        "Bearer",
        "\xff",
    ):
        answer = exchange(library, request("GET /v2/ HTTP/1.1", f"Authorization: {header}"))
        assert answer.status in (400, 401), header
        assert json.loads(answer.body)["errors"]
    is_well(library)
