"""The fault proxy does what it says: each fault is seen from both of its sides."""

import random
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from faults.proxy import FaultProxy

DATA = random.Random(1).randbytes(300_000)


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets and, when the client is done, how many bytes that were."""

    def handle(self) -> None:
        total = 0
        how = "end"
        try:
            while piece := self.request.recv(65536):
                total += len(piece)
                self.request.sendall(piece)
            self.request.sendall(f"({total})".encode())
        except OSError as error:
            how = type(error).__name__
        self.server.ends.append((how, total))  # type: ignore[attr-defined]


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Echo) as made:
        made.ends = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", server.server_address[1]), seed=7) as made:
        yield made


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def receive(connection: socket.socket, number: int) -> bytes:
    received = b""
    while len(received) < number and (piece := connection.recv(65536)):
        received += piece
    return received


def ask(connection: socket.socket, data: bytes) -> bytes:
    """Send while receiving, as much as will come back.  Raises ConnectionError."""

    def send() -> None:
        with suppress(ConnectionError):
            connection.sendall(data)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return receive(connection, len(data))
    finally:
        sender.join()


def ask_until_the_end(connection: socket.socket) -> None:
    ask(connection, DATA)
    connection.sendall(b"?")
    connection.recv(1)


def ends(server: Server, number: int = 1) -> list[tuple[str, int]]:
    """How so many connections ended on the server's side, each with the bytes it got."""
    deadline = time.monotonic() + 30
    found: list[tuple[str, int]] = server.ends  # type: ignore[attr-defined]
    while len(found) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def test_without_a_fault_all_bytes_get_through_and_ends_too(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as connection:
        assert ask(connection, DATA) == DATA
        assert proxy.connections() == 1
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 100) == f"({len(DATA)})".encode()
    assert ends(server) == [("end", len(DATA))]
    assert proxy.passed == {"server": len(DATA), "client": len(DATA) + 8}
    deadline = time.monotonic() + 30
    while proxy.connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert proxy.connections() == 0


def test_a_delay_is_waited_for_in_both_directions_but_does_not_narrow(proxy: FaultProxy) -> None:
    proxy.delay(0.2)
    with connect(proxy) as connection:
        began = time.monotonic()
        assert ask(connection, DATA) == DATA
        assert time.monotonic() - began >= 0.4
        proxy.delay(0)
        assert ask(connection, b"again") == b"again"


def test_a_rate_narrows(proxy: FaultProxy) -> None:
    proxy.rate(100_000)
    with connect(proxy) as connection:
        began = time.monotonic()
        assert ask(connection, DATA[:50_000]) == DATA[:50_000]
        assert time.monotonic() - began >= 0.45
        proxy.rate(0)
        assert ask(connection, DATA) == DATA


@pytest.mark.parametrize("number", [0, 1, 1000, 99_999])
def test_a_cut_towards_the_server_lets_exactly_so_many_bytes_through(
    proxy: FaultProxy, server: Server, number: int
) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"before") == b"before"
        proxy.cut_after(number)
        with pytest.raises(ConnectionError):
            ask_until_the_end(connection)
    [(how, got)] = ends(server)
    assert how == "ConnectionResetError"
    assert proxy.passed["server"] == len(b"before") + number
    assert got <= len(b"before") + number  # a RST may overtake what its reader has not fetched yet


def test_a_cut_towards_the_client_lets_exactly_so_many_bytes_through(proxy: FaultProxy) -> None:
    proxy.cut_after(1000, to="client", to_next=True)
    with connect(proxy) as connection, pytest.raises(ConnectionError):
        ask_until_the_end(connection)
    assert proxy.passed["client"] == 1000
    proxy.cut_after(None, to="client")
    with connect(proxy) as connection:
        assert ask(connection, DATA) == DATA


def test_cuts_by_lot_are_the_same_for_the_same_seed(server: Server) -> None:
    def run(seed: int) -> list[int]:
        with FaultProxy(("127.0.0.1", server.server_address[1]), seed=seed) as proxy:
            proxy.cut_at_random(5000)
            return [limit for _ in range(8) if (limit := proxy.limit("server")) is not None]

    assert run(1) == run(1) != run(2)
    with FaultProxy(("127.0.0.1", server.server_address[1])) as proxy:
        proxy.cut_at_random(20)
        with connect(proxy) as connection, pytest.raises(ConnectionError):
            ask_until_the_end(connection)


def test_nothing_leaves_a_black_hole_and_nothing_is_lost_in_it(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as early:
        assert ask(early, b"before") == b"before"
        proxy.black_hole(True)
        with connect(proxy) as late:
            for connection in (early, late):
                connection.sendall(b"anybody?")
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
            proxy.black_hole(False)
            for connection in (early, late):
                connection.settimeout(30)
                assert receive(connection, 8) == b"anybody?"


def test_a_half_closed_server_goes_on_speaking(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"before") == b"before"
        proxy.half_close("server")
        assert receive(connection, 3) == b"(6)"
    assert ends(server) == [("end", 6)]


def test_a_half_closed_client_goes_on_speaking(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"before") == b"before"
        proxy.half_close("client")
        assert connection.recv(1) == b""
        connection.sendall(b"after")
        connection.shutdown(socket.SHUT_WR)
        assert ends(server) == [("end", 11)]


def test_a_reset_reaches_both_sides_and_later_connections_work(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as one, connect(proxy) as two:
        for connection in (one, two):
            assert ask(connection, b"before") == b"before"
        proxy.reset_all()
        for connection in (one, two):
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
    assert ends(server, 2) == [("ConnectionResetError", 6)] * 2
    assert proxy.connections() == 0
    with connect(proxy) as connection:
        assert ask(connection, b"after") == b"after"


def test_a_client_that_resets_is_reset_through_to_the_server(proxy: FaultProxy, server: Server) -> None:
    with connect(proxy) as connection:
        assert ask(connection, b"before") == b"before"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ends(server) == [("ConnectionResetError", 6)]


def test_who_is_refused_is_told_and_open_connections_stay(proxy: FaultProxy) -> None:
    with connect(proxy) as early:
        assert ask(early, b"before") == b"before"
        proxy.refuse(True)
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
        assert ask(early, DATA) == DATA
        proxy.refuse(False)
        with connect(proxy) as late:
            assert ask(late, b"after") == b"after"


def test_a_server_that_is_not_there_is_a_reset(proxy: FaultProxy) -> None:
    nobody = FaultProxy(("127.0.0.1", 1)).start()
    with pytest.raises(ConnectionResetError), connect(nobody) as connection:
        connection.recv(1)
    nobody.close()


def test_hundreds_of_connections_at_once(proxy: FaultProxy) -> None:
    connections = [connect(proxy) for _ in range(300)]
    for number, connection in enumerate(connections):
        connection.sendall(b"%05d" % number)
    for number, connection in enumerate(connections):
        assert receive(connection, 5) == b"%05d" % number
    assert proxy.connections() == 300
    for connection in connections:
        connection.close()
