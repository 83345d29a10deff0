"""What Prometheus may know of webhooks.

Counters are each process's own, and added up.  What waits is read from the database by whoever works, and the last one to
have looked is believed.
"""

import functools

from prometheus_client import Counter, Gauge

from fairway.features.webhooks import rules
from fairway.features.webhooks.store import bounds
from fairway.frame.db import SECOND, Conn, Database
from fairway.frame.metrics import metrics

GIVEN_UP, DROPPED, EXPIRED = "given_up", "dropped", "expired"


class Measures:
    """This process's numbers about webhooks.  One instance per process: `measures()`."""

    def __init__(self) -> None:
        registry = metrics().registry

        def last_said(name: str, about: str) -> Gauge:
            return Gauge(name, about, multiprocess_mode="mostrecent", registry=registry)

        self._tries = Counter(
            "fairway_webhook_tries",
            "Times that an event was sent to a target: taken, refused, or failed.",
            ("outcome",),
            registry=registry,
        )
        self._lost = Counter(
            "fairway_webhook_lost",
            "Events that a target never took: given up after tries, dropped as too many waited, or expired.",
            ("why",),
            registry=registry,
        )
        for outcome in (rules.TAKEN, rules.REFUSED, rules.FAILED):
            self._tries.labels(outcome)
        for why in (GIVEN_UP, DROPPED, EXPIRED):
            self._lost.labels(why)
        self._waiting = last_said("fairway_webhook_deliveries_waiting", "Events that wait for a target.")
        self._oldest = last_said(
            "fairway_webhook_oldest_waiting_seconds", "Seconds that the oldest has waited."
        )
        self._resting = last_said(
            "fairway_webhook_targets_resting",
            "Targets that failed several times in a row, and rest between tries.",
        )

    def tried(self, outcome: str) -> None:
        """Something was sent, and this came of it."""
        self._tries.labels(outcome).inc()

    def lost(self, why: str, count: int = 1) -> None:
        """So many ended without being taken."""
        self._lost.labels(why).inc(count)

    async def look(self, db: Database) -> None:
        """Say how much waits."""

        async def read(conn: Conn) -> None:
            found = await bounds.standing(conn, rules.BROKEN_AFTER)
            self._waiting.set(int(found["waiting"]))
            self._oldest.set(max(0, found["age"] or 0) / SECOND)
            self._resting.set(found["broken"])

        await db.read(read)


@functools.cache
def measures() -> Measures:
    """This process's measures, made on first use."""
    return Measures()
