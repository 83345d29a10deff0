"""Who reads too slowly: the rule, and what it sees of real sockets."""

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fairway.cli.slow_readers import Limits, Mark, SlowReaders, next_mark

LIMITS = Limits(seconds=60, bytes_per_second=1000)
ESTABLISHED = 1
BEGUN = Mark(at=100.0, taken=5_000)

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's view of a connection is Linux's")


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (Mark(100.0, 5_000), BEGUN),  # seen for the first time
        (Mark(159.9, 5_000), BEGUN),  # too early to say
        (Mark(160.0, 65_000), Mark(160.0, 65_000)),  # as slow as may be
        (Mark(160.0, 64_999), None),
        (Mark(160.0, 5_000), None),  # stopped
        (Mark(175.0, 79_999), None),  # looked at late: measured over all of the time
        (Mark(175.0, 80_000), Mark(175.0, 80_000)),
        (Mark(160.0, 5_000_000), Mark(160.0, 5_000_000)),  # haste before does not pay for idling after
    ],
)
def test_the_rule(now: Mark, then: Mark | None) -> None:
    assert next_mark(BEGUN, now, LIMITS) == then


class Served:
    """A server's end of a connection and its client's."""

    def __init__(self, listener: socket.socket) -> None:
        self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.client.connect(listener.getsockname())
        self.end, _ = listener.accept()
        self.end.setblocking(False)
        self.client.setblocking(False)

    def fill(self) -> None:
        """Send until no more fits in."""
        with suppress(BlockingIOError):
            while True:
                self.end.send(bytes(65536))

    def read(self, number: int) -> None:
        self.client.settimeout(30)
        while number > 0:
            number -= len(self.client.recv(min(number, 65536))) or number

    @property
    def disconnected(self) -> bool:
        state: int = self.end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]
        return state != ESTABLISHED

    def close(self) -> None:
        self.client.close()
        self.end.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def served(listener: socket.socket) -> Iterator[list[Served]]:
    made = [Served(listener) for _ in range(3)]
    yield made
    for one in made:
        one.close()


@linux
def test_only_who_does_not_take_what_waits_is_disconnected(
    listener: socket.socket, served: list[Served]
) -> None:
    stopped, reading, idle = served
    watch = SlowReaders(listener.getsockname()[1], LIMITS)
    for one in (stopped, reading):
        one.fill()
    for at in range(0, 240, 15):
        watch.look(float(at))
        assert stopped.disconnected == (at >= 60), at
        reading.read(40_000)
        reading.fill()
    assert not reading.disconnected
    assert not idle.disconnected


@linux
def test_who_is_disconnected_gets_no_byte_more_and_the_buffers_are_freed(
    listener: socket.socket, served: list[Served]
) -> None:
    stopped = served[0]
    watch = SlowReaders(listener.getsockname()[1], LIMITS)
    stopped.fill()
    watch.look(0.0)
    watch.look(60.0)
    with pytest.raises(BrokenPipeError):
        stopped.end.send(b"more")
    stopped.end.close()
    stopped.client.settimeout(30)
    with pytest.raises(ConnectionResetError):
        stopped.read(200_000)


@linux
def test_who_caught_up_in_between_starts_anew(listener: socket.socket, served: list[Served]) -> None:
    pausing = served[0]
    watch = SlowReaders(listener.getsockname()[1], LIMITS)
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += pausing.end.send(bytes(65536))
    watch.look(0.0)
    pausing.read(sent)
    watch.look(50.0)
    pausing.fill()
    watch.look(70.0)
    watch.look(129.0)
    assert not pausing.disconnected
    watch.look(130.0)
    assert pausing.disconnected


@linux
def test_connections_through_other_ports_and_other_files_are_left_alone(served: list[Served]) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    watch = SlowReaders(1, LIMITS)
    for one in served:
        one.fill()
    watch.look(0.0)
    watch.look(100.0)
    assert not any(one.disconnected for one in served)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
