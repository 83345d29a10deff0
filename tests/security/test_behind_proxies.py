"""The hub behind a reverse proxy that normalises paths in its own way, or splits requests in its own way (T01, T71)."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import Hub
from postgres import free_port
from security.test_on_the_wire import ADMIN, CLOSED, INDEX, NO_LAYERS, exchange, read_answer, request

pytestmark = [pytest.mark.system, pytest.mark.slow]

NGINX = """
user {user};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://{hub}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; }}
  }}
}}
"""
NGINX_WITH_URI = NGINX.replace("proxy_pass http://{hub};", "proxy_pass http://{hub}/;")
"""With a slash at its end, nginx sends on the path as it understood it, decoded and made shorter."""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{port}
  default_backend hub
backend hub
  http-reuse always
  server one {hub}
"""
PROXIES = {
    "nginx": ("nginx", NGINX, ["-c"]),
    "nginx, normalising": ("nginx", NGINX_WITH_URI, ["-c"]),
    "haproxy": ("haproxy", HAPROXY, ["-db", "-f"]),
}
TWO_WAYS = (
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Content-Length: 0", "Content-Length: 5"),
    ("Content-Length: 0, 5",),
    ("Content-Length: +5",),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding: \x0bchunked",),
    ("X-Folded: a\r\n b",),
    ("X-Bare: a\nTransfer-Encoding: chunked",),
)


@dataclass
class Front:
    """Where the proxy listens; it stands in for the hub."""

    place: str
    hub: Hub


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("behind")).start()
    length = f"Content-Length: {len(NO_LAYERS)}"
    line = "PUT /v2/library/app/manifests/v1 HTTP/1.1"
    assert exchange(hub, request(line, ADMIN, INDEX, length, body=NO_LAYERS)).status == 201
    yield hub
    hub.kill()


@pytest.fixture(scope="module", params=PROXIES)
def front(
    request: pytest.FixtureRequest, behind: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    program, text, options = PROXIES[request.param]
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: apt-get install {program})")
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    config = folder / "config"
    config.write_text(text.format(user=getpass.getuser(), folder=folder, port=port, hub=behind.place))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([found, *options, str(config)], stdout=log, stderr=log)
    try:
        wait_for(port, process, folder / "log")
        yield Front(f"127.0.0.1:{port}", behind)
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(log.read_text())


def is_well(front: Front) -> None:
    assert exchange(front.hub, request("GET /api/v2.0/ping HTTP/1.1")).body == b"Pong"
    assert "Traceback" not in front.hub.log


def test_no_way_of_writing_a_path_opens_what_is_closed(front: Front) -> None:
    for target in CLOSED:
        answer = exchange(front, request(f"GET {target} HTTP/1.1"))
        assert answer.status in (0, 400, 401, 404, 405), target
        assert b"library/app" not in answer.body, target
    opened = exchange(front, request("GET /v2/library/app/manifests/v1 HTTP/1.1"))
    assert (opened.status, opened.body) == (200, NO_LAYERS)
    is_well(front)


def test_framing_that_can_be_read_two_ways_is_refused(front: Front) -> None:
    """Nobody's request becomes part of another's: what is asked next, by anybody, gets its own answer.

    What is left over of a body would be the beginning of the next request on the same connection to the hub.
    """
    left_over = b"0\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: hub.example\r\nX-Swallow: "
    host, port = front.place.split(":")
    for headers in TWO_WAYS:
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request("POST /service/token HTTP/1.1", *headers, body=left_over))
            answer = read_answer(connection)
            assert answer.status in (0, 400, 401, 413, 501), headers
        for _ in range(3):
            after = exchange(front, request("GET /api/v2.0/ping HTTP/1.1"))
            assert (after.status, after.body) == (200, b"Pong"), headers
    is_well(front)
