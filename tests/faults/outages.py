"""I10: what a hub refuses in its good times and in its bad ones.

Every error is JSON with a code and carries a request id; outside of faults there is no 5xx; and soon after a fault the
hub is healthy.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

HEALTHY_SECONDS = 60
"""A hub serves again after a few seconds; the rest is for a machine that is busy with other tests."""
GRACE_SECONDS = 10
"""A fault may be felt for so long after the first process is healthy: the others follow."""
SOFT_SECONDS = 5
"""PostgreSQL writes out a soft commit within three times wal_writer_delay (200 ms), sooner or later on a busy machine."""


LATELY = 1.0
"""Seconds for which the hub takes a file to be there that it has looked at; also what an answer may take."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of 400 or more, and when (on the monotonic clock) its request was sent."""

    asked: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    at: float


def misshapen(refusal: Refusal) -> str:
    """What is wrong with the shape of an error; "" when nothing is."""
    if not refusal.headers.get("x-request-id"):
        return "it has no request id"
    if refusal.status == 503 and not refusal.headers.get("retry-after"):
        return "it does not say when to try again"
    if refusal.asked.startswith("HEAD "):
        return ""
    try:
        code = json.loads(refusal.body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError):
        return f"its body is {refusal.body[:100]!r}"
    return "" if isinstance(code, str) and code else "it has no code"


@dataclass
class Outages:
    """When there were faults, and what is to be said about recovery from them."""

    place: str
    spans: list[tuple[float, float]] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    forgotten: list[tuple[float, float]] = field(default_factory=list)
    """From when until when, in seconds since the epoch, soft commits were made that may be lost."""
    disk_failed_at: float | None = None
    """When, by the monotonic clock, a disk began to fail that is not told of as a fault; see `_could_not_be_opened`."""

    @contextmanager
    def fault(self, what: str, *, forgets: bool = False) -> Iterator[None]:
        """A fault is active inside the block; afterwards the hub must become healthy.

        `forgets`: it may cost soft commits, as a crash of the database does; when is told in `forgotten`.
        """
        began, since = time.monotonic(), time.time()
        try:
            yield
        finally:
            if not healthy_within(self.place, HEALTHY_SECONDS):
                self.slow.append(f"I10: not healthy {HEALTHY_SECONDS} s after {what}")
            self.spans.append((began, time.monotonic()))
            if forgets:  # what was on its way meanwhile may be written when all is well again
                self.forgotten.append((since - SOFT_SECONDS, time.time()))

    def may_have_forgotten(self, saved: float | None) -> bool:
        """May what was committed softly at that moment be lost?  Known for certain when all faults are over."""
        return saved is not None and any(start <= saved <= end for start, end in self.forgotten)

    def judge(self, refusals: list[Refusal]) -> list[str]:
        """What breaks the promise.  Where no fault was announced, nothing is known about any 5xx."""
        broken = list(self.slow)
        for refusal in refusals:
            if self._could_not_be_opened(refusal):
                continue
            if wrong := misshapen(refusal):
                broken.append(f"I10: {refusal.status} for {refusal.asked}: {wrong}")
            if refusal.status >= 500 and self.spans and not self._excused(refusal.at):
                broken.append(f"I10: {refusal.status} for {refusal.asked} while nothing was wrong")
        return broken

    def _could_not_be_opened(self, refusal: Refusal) -> bool:
        """A bare 404: the server sends a blob's file by its path, and we look at the file once a second only."""
        bare = (refusal.status, refusal.body) == (404, b"Not found") and "x-request-id" not in refusal.headers
        pull = refusal.asked.startswith("GET ") and "/blobs/sha256:" in refusal.asked
        return bare and pull and self.disk_failed_at is not None and refusal.at > self.disk_failed_at - LATELY

    def _excused(self, at: float) -> bool:
        return any(start - GRACE_SECONDS <= at <= end + GRACE_SECONDS for start, end in self.spans)


def healthy_within(place: str, seconds: float) -> bool:
    """Does it say it is ready before so many seconds are over?"""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if probe(place, "/readyz") == 200:
            return True
        time.sleep(0.1)
    return False


def probe(place: str, path: str) -> int:
    """The status of an answer to somebody who does not log in, as a load balancer asks; 0 without one."""
    try:
        with urllib.request.urlopen(f"http://{place}{path}", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except (OSError, urllib.error.URLError):
        return 0
