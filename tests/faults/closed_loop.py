"""Clients in closed loops: each asks again as soon as it was answered, on a connection and in a thread of its own."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from hub import Hub

SECONDS = 60
"""How long a client waits for one answer: much longer than any should take, for machines that are busy."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass
class Seen:
    """What the clients of a loop saw.  `wrong` must be empty: it has what is neither an answer nor a clean refusal."""

    statuses: Counter[int] = field(default_factory=Counter)
    served_at: list[float] = field(default_factory=list)
    """When, by the monotonic clock, each 2xx came."""
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def rate(self, start: float, end: float) -> float:
        """How many were served a second between two moments."""
        return sum(start <= at < end for at in self.served_at) / (end - start)


def refusal_faults(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """What is wrong with a refusal of somebody who asked too much; "" when it is clean.

    Clean is 429 or 503 in JSON, with a code, and when to come again.
    """
    if status not in (429, 503):
        return f"{status} {body[:200]!r}"
    again = headers.get("retry-after", "")
    if not again.isdigit() or not int(again):
        return f"{status} with retry-after {again!r}"
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return f"{status} {body[:200]!r}"
    return "" if code in ("TOOMANYREQUESTS", "UNAVAILABLE") else f"{status} says {code!r}"


@contextmanager
def asking(hub: Hub, number: int, next_ask: Callable[[random.Random], Ask]) -> Iterator[Seen]:
    """`number` clients ask on and on during the block.  All of them have been answered, or given up, after it."""
    seen, over = Seen(), threading.Event()
    threads = [
        threading.Thread(target=_ask_on, args=(hub, random.Random(each), next_ask, seen, over), daemon=True)
        for each in random.sample(range(2**62), number)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _ask_on(
    hub: Hub,
    rng: random.Random,
    next_ask: Callable[[random.Random], Ask],
    seen: Seen,
    over: threading.Event,
) -> None:
    connection = http.client.HTTPConnection(hub.place, timeout=SECONDS)
    while not over.is_set():
        ask = next_ask(rng)
        began = time.monotonic()
        try:
            connection.request(ask.method, ask.path, ask.body, dict(ask.headers))
            reply = connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            seen.wrong.append(f"{ask.method} {ask.path}: {error!r}")
            continue
        now = time.monotonic()
        seen.slowest = max(seen.slowest, now - began)
        seen.statuses[reply.status] += 1
        if 200 <= reply.status < 300:
            seen.served_at.append(now)
            continue
        headers = {name.lower(): value for name, value in reply.getheaders()}
        if fault := refusal_faults(reply.status, headers, body):
            seen.wrong.append(f"{ask.method} {ask.path}: {fault}")
    connection.close()
