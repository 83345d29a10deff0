"""SIGTERM: what is under way is finished, nothing new is begun, and the exit status is 0."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from hashlib import sha256
from http.client import HTTPConnection, HTTPResponse

import pytest

from faults.slow import wait_for
from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system

MB = 2**20
CONTENT = os.urandom(64 * MB)
"""More than the kernel buffers for a client that does not read."""
DIGEST = f"sha256:{sha256(CONTENT).hexdigest()}"


class Slow:
    """A client that begins requests and leaves them at that for a while."""

    def __init__(self, wire: Wire, connections: ExitStack) -> None:
        self.wire = wire
        self.connections = connections

    def _connect(self) -> HTTPConnection:
        return self.connections.enter_context(closing(self.wire.connect()))

    def half_an_upload(self, method: str, path: str) -> HTTPConnection:
        """A request with its head and the first half of its body sent."""
        connection = self._connect()
        connection.putrequest(method, path)
        for name, value in {**self.wire.headers, "Content-Length": str(len(CONTENT))}.items():
            connection.putheader(name, value)
        connection.endheaders(CONTENT[: len(CONTENT) // 2])
        return connection

    def pull(self, **headers: str) -> HTTPResponse:
        """An answer of which only the head has been read."""
        connection = self._connect()
        connection.request(
            "GET", f"/v2/library/drain/blobs/{DIGEST}", headers={**self.wire.headers, **headers}
        )
        return connection.getresponse()

    def idle(self) -> None:
        """A connection kept open after an answer."""
        connection = self._connect()
        connection.request("GET", "/v2/", headers=self.wire.headers)
        connection.getresponse().read()


@pytest.fixture
def slow(wire: Wire) -> Iterator[Slow]:
    with ExitStack() as connections:
        yield Slow(wire, connections)


def ask_to_stop(hub: Hub) -> None:
    assert hub.process is not None
    hub.process.send_signal(signal.SIGTERM)


def exit_status(hub: Hub) -> int:
    assert hub.process is not None
    return hub.process.wait(150)


def refuses_connections(hub: Hub) -> bool:
    """Whether nobody listens any more, within reasonable time."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", hub.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


def test_requests_under_way_are_finished(hub: Hub, wire: Wire, slow: Slow) -> None:
    hub.stop()
    hub.start(FAIRWAY_SHUTDOWN_SECONDS="120")
    wire.push_blob("library/drain", CONTENT)
    slow.idle()
    in_pieces, at_once = wire.start_upload("library/drain"), wire.start_upload("library/drain")
    patch = slow.half_an_upload("PATCH", in_pieces)
    put = slow.half_an_upload("PUT", f"{at_once}?digest={DIGEST}")
    whole, part = slow.pull(), slow.pull(Range="bytes=1000-")
    time.sleep(0.5)  # all four are in somebody's hands

    ask_to_stop(hub)

    assert refuses_connections(hub)
    assert whole.read() == CONTENT
    assert part.read() == CONTENT[1000:]
    for connection, status in ((patch, 202), (put, 201)):
        connection.send(CONTENT[len(CONTENT) // 2 :])
        assert connection.getresponse().status == status
    assert exit_status(hub) == 0
    hub.start()
    assert wire.ask("GET", in_pieces).headers["range"] == f"0-{len(CONTENT) - 1}"
    assert wire.ask("PUT", f"{in_pieces}?digest={DIGEST}", b"").status == 201


def test_an_impatient_operator_breaks_nothing(hub: Hub, wire: Wire, slow: Slow) -> None:
    upload = wire.start_upload("library/drain")
    put = slow.half_an_upload("PUT", f"{upload}?digest={DIGEST}")
    time.sleep(0.5)

    assert hub.process is not None
    for _ in range(3):
        os.killpg(hub.process.pid, signal.SIGINT)  # Ctrl-C: the terminal tells all processes
        time.sleep(0.3)

    put.send(CONTENT[len(CONTENT) // 2 :])
    assert put.getresponse().status == 201
    assert exit_status(hub) == 0


def test_clients_that_never_end_do_not_keep_it_from_stopping(hub: Hub, wire: Wire, slow: Slow) -> None:
    hub.stop()
    hub.start(FAIRWAY_SHUTDOWN_SECONDS="2")
    wire.push_blob("library/drain", CONTENT)
    upload = wire.start_upload("library/drain")
    slow.half_an_upload("PATCH", upload)
    slow.pull()
    time.sleep(0.5)

    ask_to_stop(hub)

    assert exit_status(hub) == 0
    wait_for(lambda: hub.pids() == [], "nobody is left")
    hub.start()
    last = int(wire.ask("GET", upload).headers["range"].partition("-")[2])
    at = last + 1 if last else 0
    headers = {"Content-Range": f"{at}-{len(CONTENT) - 1}"}
    assert wire.ask("PUT", f"{upload}?digest={DIGEST}", CONTENT[at:], headers).status == 201


def test_it_stops_at_once_while_it_is_still_starting(hub: Hub) -> None:
    hub.stop()
    for moment in ("Spawning worker", "Started worker"):
        before = hub.log.count(moment)
        hub.launch()
        deadline = time.monotonic() + 60
        while hub.log.count(moment) < before + hub.workers:
            assert time.monotonic() < deadline, hub.log[-3000:]
            time.sleep(0.001)

        ask_to_stop(hub)

        assert exit_status(hub) == 0
    assert "refused to gracefully stop" not in hub.log
