"""Sending new lines of the audit log elsewhere, as syslog (RFC 5424).

A line is queued in the transaction that learns of the event, so that no request waits for a syslog server and a crash
loses nothing; a step of the background process sends what is queued.  A server that is away finds the newest MOST lines.
What was sent and not yet crossed out when a process died is sent again, with the same id.
"""

import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from fairway.core.oci.errors import FairwayError
from fairway.features.audit import rules, store
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.declared import EVENTS_OFF, FORWARD, SKIP_DATABASE
from fairway.frame.configuration.kinds import Place
from fairway.frame.db import Conn, Database
from fairway.frame.events import Event, Reaction
from fairway.frame.log import get_logger

_log = get_logger(__name__)

MOST: Final = 100_000
"""Lines kept for a server that does not take them; the oldest go first."""
BATCH: Final = 200
_CLAIM_SECONDS: Final = 60
_LONGEST_PAUSE: Final = 60.0
_FORGOTTEN_AT_ONCE: Final = 1000

Send = Callable[[Place, Sequence[bytes]], Awaitable[None]]
"""Sends lines there; without any it only looks whether somebody is there.  Raises FairwayError."""


def writing(configuration: Configuration) -> Reaction:
    """What follows from any event that the log has a line for: it is kept, queued to be sent, both, or neither."""
    host = socket.gethostname()

    async def write(conn: Conn, event: Event) -> None:
        forwards = bool(configuration.get(FORWARD))
        off = rules.listed(configuration.get(EVENTS_OFF))
        for entry in rules.entries(event.kind, event.facts):
            if entry.event_type in off:
                continue
            if forwards:
                await store.queue_line(conn, rules.syslog(entry, event.id, event.at, host))
            if not (forwards and configuration.get(SKIP_DATABASE)):
                await store.keep(conn, event, entry)

    return write


class Forwarder:
    """Sends what is queued, in a process that runs in the background."""

    def __init__(self, db: Database, configuration: Configuration, send: Send) -> None:
        self._db = db
        self._configuration = configuration
        self._send = send
        self._pause = 0.0
        self._not_before = 0.0

    async def forward(self) -> int:
        """Send all that waits, unless the server was away just now; how many lines."""
        if not await store.any_line(self._db):
            return 0
        place = Place.read(self._configuration.get(FORWARD))
        if place is None:
            forgotten = await self._forget(0)
            _log.warning("lines of the audit log wait for a syslog server that nobody wants", count=forgotten)
            return forgotten
        if time.monotonic() < self._not_before:
            return 0
        return await self._send_all(place)

    async def _send_all(self, place: Place) -> int:
        sent = 0
        while rows := await self._db.write(
            partial(store.claim_lines, limit=BATCH, seconds=_CLAIM_SECONDS), soft=True
        ):
            ids = [row["id"] for row in rows]
            try:
                await self._send(place, [row["line"].encode() for row in rows])
            except FairwayError as error:
                await self._db.write(partial(store.release_lines, ids=ids), soft=True)
                self._pause = min(max(1.0, self._pause * 2), _LONGEST_PAUSE)
                self._not_before = time.monotonic() + self._pause
                _log.warning("lines of the audit log cannot be forwarded", error=str(error))
                if dropped := await self._forget(MOST):
                    _log.error("the syslog server takes no lines; the oldest were dropped", count=dropped)
                return sent
            self._pause = 0.0
            await self._db.write(partial(store.forget_lines, ids=ids), soft=True)
            sent += len(ids)
        return sent

    async def _forget(self, kept: int) -> int:
        forgotten = 0
        forget = partial(store.forget_oldest_lines, kept=kept, limit=_FORGOTTEN_AT_ONCE)
        while some := await self._db.write(forget, soft=True):
            forgotten += some
        return forgotten
