"""One worker's hold on one queue: sends what has its turn, one after the other, for a while.

Each outcome is written before the next is sent.  Who dies in between has sent something that another one sends again, with
the same id.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from fairway.core.crash import crashpoint
from fairway.features.webhooks import rules
from fairway.features.webhooks.measures import GIVEN_UP, measures
from fairway.features.webhooks.model import Answer, Delivery, Waiting
from fairway.features.webhooks.store import deliveries as store
from fairway.features.webhooks.store.deliveries import Claimed, Tried
from fairway.frame.db import Conn, Database
from fairway.frame.log import get_logger

_log = get_logger(__name__)

_BATCH: Final = 100
_chance = random.SystemRandom().random


class Slice:
    """What one worker does with a queue that it has claimed.  `send` sends one delivery to its target."""

    def __init__(
        self,
        db: Database,
        claimed: Claimed,
        send: Callable[[Delivery], Awaitable[Answer]],
        *,
        most: int,
        seconds: float,
        stopped: Callable[[], bool],
    ) -> None:
        self.ended = 0
        """Deliveries that were open before."""
        self._db = db
        self._claimed = claimed
        self._send = send
        self._left = most
        self._until = time.monotonic() + seconds
        self._stopped = stopped
        self._failures = claimed.failures

    async def run(self) -> None:
        """Send until nothing has its turn, the queue is to rest, or this slice is over.  Raises Superseded, Unavailable."""
        going = True
        while going and self._may_go_on():
            found = await store.front(self._db, self._claimed.target, _BATCH)
            may, behind = rules.turns(found)
            if behind:
                ids = [each.id for each in behind]
                await self._db.write(partial(store.park, claimed=self._claimed, ids=ids), soft=True)
            going = bool(found) and await self._work_through(may)

    def _may_go_on(self) -> bool:
        return self._left > 0 and time.monotonic() < self._until and not self._stopped()

    async def _work_through(self, may: Sequence[Waiting]) -> bool:
        """Send these; False when the queue is to rest."""
        held_up: set[str] = set()
        for each in may:
            if not self._may_go_on():
                break
            if (
                each.topic in held_up
                or (found := await store.still_open(self._db, self._claimed, each.id)) is None
            ):
                continue
            fate = await self._try(*found)
            if fate.rest:
                return False
            if not fate.ends:
                held_up.add(each.topic)
        return True

    async def _try(self, delivery: Delivery, refusals: int, age: float) -> rules.Fate:
        self._left -= 1
        began = time.monotonic()
        answer = await self._send(delivery)
        crashpoint("webhook.after_answer")
        took = time.monotonic() - began
        verdict = rules.verdict(answer)
        before, self._failures = self._failures, self._failures + 1 if verdict == rules.FAILED else 0
        refused = verdict == rules.REFUSED
        facts = rules.Facts(delivery.tries + 1, refusals + refused, age, self._failures)
        fate = rules.fate(answer, facts, _chance())
        tried = Tried(delivery.id, delivery.topic, answer, fate.message, took, refused)
        write = partial(self._write, verdict=verdict, tried=tried, fate=fate, before=before)
        self.ended += await self._db.write(write, soft=True)
        self._tell(verdict, fate, delivery, before)
        return fate

    async def _write(self, conn: Conn, verdict: str, tried: Tried, fate: rules.Fate, before: int) -> int:
        mine, ends = self._claimed, fate.ends
        match verdict:
            case rules.TAKEN:
                return await store.taken(conn, mine, tried, failures=before)
            case rules.REFUSED:
                return await store.refused(conn, mine, tried, failures=before, ends=ends, wait=fate.wait)
            case _:
                return await store.failed(conn, mine, tried, ends=ends, wait=fate.wait, rest=fate.rest)

    def _tell(self, verdict: str, fate: rules.Fate, delivery: Delivery, before: int) -> None:
        measures().tried(verdict)
        known = {"policy": delivery.policy, "target": delivery.target}
        if fate.ends and verdict != rules.TAKEN:
            measures().lost(GIVEN_UP)
            _log.warning("a webhook was not taken", **known, event_id=delivery.event_id, why=fate.message)
        if self._failures == rules.BROKEN_AFTER:
            _log.warning("the target of a webhook rests after failures", **known, why=fate.message)
        elif before >= rules.BROKEN_AFTER and not self._failures:
            _log.info("the target of a webhook answers again", **known)
