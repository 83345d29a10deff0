"""The loop that tells targets: takes queues that are due, each for a while, many at a time.

Nothing here runs as a job: a job's place would be held for as long as a target takes to answer.  A queue is given back after
SLICE_SECONDS or SLICE_MOST deliveries and goes to the end of those that are due, so that targets which take their time keep
nobody from their turn; those that have failed in a row share a quarter of the places.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from fairway.core.oci.errors import FairwayError
from fairway.features.webhooks import rules, sending
from fairway.features.webhooks.model import Answer, Delivery, Target
from fairway.features.webhooks.slices import Slice
from fairway.features.webhooks.store import bounds
from fairway.features.webhooks.store import deliveries as store
from fairway.features.webhooks.store.deliveries import Claimed
from fairway.features.webhooks.targets import opened
from fairway.frame.db import Database
from fairway.frame.egress import Egress
from fairway.frame.jobs.job import Superseded
from fairway.frame.jobs.measures import measures as loops
from fairway.frame.log import get_logger
from fairway.frame.sealing import SealBroken, Sealer

_log = get_logger(__name__)

SLOTS: Final = 64
"""Queues that one process works through at a time."""
SLICE_SECONDS: Final = 10.0
SLICE_MOST: Final = 100
LEASE_SECONDS: Final = 30.0
"""Longer than a slice and the request that begins at its end."""
POLL_SECONDS: Final = 0.5
GOODBYE_SECONDS: Final = 3.0
"""How long what is being sent may take when the process ends."""
KEPT: Final = 200
"""Ended deliveries that are kept of a policy."""
_SWEPT_AT_A_TIME: Final = 500
_LOOP: Final = "deliver webhooks"


class Deliverer:
    """One worker.  `paused` says that nothing is to be sent now."""

    def __init__(
        self,
        db: Database,
        egress: Egress,
        sealer: Sealer,
        *,
        paused: Callable[[], bool] = lambda: False,
        slots: int = SLOTS,
        slice_seconds: float = SLICE_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        request_seconds: float = sending.SECONDS,
    ) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._db = db
        self._egress = egress
        self._sealer = sealer
        self._paused = paused
        self._slots = slots
        self._slice_seconds = slice_seconds
        self._lease = lease_seconds
        self._request_seconds = request_seconds
        self._stopping = False
        self._running: dict[asyncio.Task[None], bool] = {}
        """Whether the queue is one that had failed in a row."""
        self._freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then what is being sent may come to its end, and queues are left to others."""
        ending = asyncio.create_task(stop.wait())
        while not stop.is_set():
            try:
                await self.take()
                loops().loop_turned(_LOOP, POLL_SECONDS)
            except Exception as error:  # noqa: BLE001 - one bad turn must not end the loop
                _log.error("the loop that delivers webhooks failed", exc_info=error)
                self._freed.clear()
            freed = asyncio.create_task(self._freed.wait())
            await asyncio.wait({freed, ending}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            freed.cancel()
        self._stopping = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=GOODBYE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def take(self) -> int:
        """Claim queues that are due and begin with them; how many."""
        self._freed.clear()
        sound = self._slots - len(self._running)
        broken = min(sound, max(1, self._slots // 4) - sum(self._running.values()))
        if sound <= 0 or self._paused() or not await store.anything_due(self._db):
            return 0
        claimed = await self._db.write(
            partial(
                store.claim,
                worker=self.id,
                broken_after=rules.BROKEN_AFTER,
                sound=sound,
                broken=broken,
                lease_seconds=self._lease,
            ),
            soft=True,
        )
        for each in claimed:
            task = asyncio.create_task(self._hold(each))
            self._running[task] = each.failures >= rules.BROKEN_AFTER
            task.add_done_callback(self._ended)
        return len(claimed)

    async def idle(self) -> None:
        """Return when nothing is being worked through here."""
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("working through a webhook's queue failed", exc_info=error)

    async def _hold(self, claimed: Claimed) -> None:
        """Work through a queue for a while, and give it back."""
        working: Slice | None = None
        try:
            target = opened(claimed.row, self._sealer)
            working = Slice(
                self._db,
                claimed,
                partial(self._send, target),
                most=SLICE_MOST,
                seconds=self._slice_seconds,
                stopped=lambda: self._stopping or self._paused(),
            )
            await working.run()
        except SealBroken as broken:
            await self._count(claimed, broken.message)
            _log.error("a webhook's secret cannot be opened", target=claimed.target, why=broken.message)
        except Superseded:
            _log.info("a queue of webhooks was taken over, or its target changed", target=claimed.target)
        except FairwayError:
            raise  # the database does not answer: no failure of the target
        except Exception as error:  # noqa: BLE001 - or it would be due again at once, for ever
            await self._count(claimed, _own_fault(error))
            _log.error("working through a webhook's queue failed", exc_info=error, target=claimed.target)
        finally:
            await self._give_back(claimed, working.ended if working else 0)

    async def _count(self, claimed: Claimed, message: str) -> None:
        """One more failure of a target, which rests, since it is not to be told at all now."""
        rest = rules.rest_after(claimed.failures + rules.BROKEN_AFTER, 1)
        with suppress(Superseded):
            failed = partial(store.target_failed, claimed=claimed, message=message, rest=rest)
            await self._db.write(failed, soft=True)

    async def _send(self, target: Target, delivery: Delivery) -> Answer:
        try:
            return await sending.send(self._egress, target, delivery, seconds=self._request_seconds)
        except Exception as error:  # noqa: BLE001 - put off as if it had failed there, so that others have their turn
            _log.error(
                "a webhook could not be sent", exc_info=error, target=target.id, event_id=delivery.event_id
            )
            return Answer(None, _own_fault(error))

    async def _give_back(self, claimed: Claimed, ended: int) -> None:
        # Should the database not answer, the lease ends by itself.
        with suppress(FairwayError):
            await self._db.write(partial(store.give_back, claimed=claimed, ended=ended), soft=True)
            if ended:
                await self._sweep(claimed.row["policy_id"])

    async def _sweep(self, policy: int) -> None:
        """Forget what is beyond the history that is kept."""
        some = partial(bounds.sweep, policy=policy, kept=KEPT, most=_SWEPT_AT_A_TIME)
        while await self._db.write(some, soft=True) == _SWEPT_AT_A_TIME:
            pass


def _own_fault(error: Exception) -> str:
    # Its text may hold what was to be sent.
    return f"an error of this registry ({type(error).__name__}), no fault of the target; its log says more"
