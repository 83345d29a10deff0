"""Load for pulls: wrk for GET, a loop of our own for HEAD, which wrk cannot do (it waits for a body)."""

import json
import select
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wire import Address, Refused

_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "bytes": %d, "bad": %d, "p50": %f, "p99": %f}\\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""
_ENOUGH = 65536


@dataclass(frozen=True, slots=True)
class Load:
    """What a loop of requests came to. Times are in seconds; `bytes` holds heads and bodies."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def get(
    wrk: Path, folder: Path, url: str, headers: Mapping[str, str], *, seconds: int, connections: int
) -> Load:
    """GET `url` for `seconds` on so many connections, always. Raises Refused if any reply is no success."""
    script = folder / "done.lua"
    script.write_text(_DONE)
    fields = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    command = [
        str(wrk),
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
        "--timeout",
        "30",
        *fields,
        url,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(said.strip().splitlines()[-1])
    bad = found.pop("bad")
    if bad or not found["requests"]:
        raise Refused(f"GET {url}: {bad} of {found['requests']} requests failed")
    return Load(**found)


def head(
    address: Address, path: str, headers: Mapping[str, str], *, seconds: float, connections: int
) -> Load:
    """HEAD `path` likewise."""
    lines = [f"HEAD {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    poll = select.epoll()
    sockets = {}
    for _ in range(connections):
        one = socket.create_connection(address)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
    try:
        return _loop(poll, sockets, request, seconds)
    finally:
        poll.close()
        for one in sockets.values():
            one.close()


def _loop(poll: select.epoll, sockets: dict[int, socket.socket], request: bytes, seconds: float) -> Load:
    started = now = time.perf_counter()
    sent = dict.fromkeys(sockets, started)
    for one in sockets.values():
        one.sendall(request)
    received = 0
    took = []
    while now - started < seconds:
        for number, _ in poll.poll(1):
            reply = sockets[number].recv(_ENOUGH)
            if not (reply.startswith(b"HTTP/1.1 200") and reply.endswith(b"\r\n\r\n")):
                raise Refused(f"{request.splitlines()[0].decode()}: {reply[:300]!r}")
            now = time.perf_counter()
            received += len(reply)
            took.append(now - sent[number])
            sent[number] = now
            sockets[number].send(request)
        now = time.perf_counter()
    took.sort()
    count = len(took)
    return Load(count, now - started, received, took[count // 2], took[count * 99 // 100])
