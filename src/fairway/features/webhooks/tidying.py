"""Sees to it that what waits for targets stays within its bounds, and that nothing is kept for policies that are gone."""

import asyncio
from functools import partial
from typing import Final

from fairway.features.webhooks import rules
from fairway.features.webhooks.measures import DROPPED, EXPIRED, measures
from fairway.features.webhooks.store import bounds
from fairway.frame.db import Body, Database
from fairway.frame.jobs.job import ERROR
from fairway.frame.log import get_logger

_log = get_logger(__name__)

MOST_WAITING: Final = 100_000
"""Deliveries kept for a target that takes none: a push a second for a day; of those beyond, the oldest go."""
KEPT_WAITING: Final = 95_000
"""How many are left then, so that it is not to be done again for each that follows."""
AT_ONCE: Final = 1_000
"""Rows written in one transaction."""
_BATCHES: Final = 100
_LOOKED_AT: Final = 200


class Tidying:
    """Looks at some targets and policies each time it is asked to, and at the next ones the time after that."""

    def __init__(self, db: Database, *, most: int = MOST_WAITING, kept: int = KEPT_WAITING) -> None:
        self._db = db
        self._most, self._kept = most, kept
        self._target = self._orphaned_target = self._orphaned_policy = 0

    async def tidy(self) -> int:
        """For a step now and then; how much there was to do."""
        return await self._drop() + await self._expire() + await self._forget()

    async def _drop(self) -> int:
        done = 0
        for target in await bounds.with_too_many(self._db, self._most):
            last = await self._db.walk(partial(bounds.newest_over, target=target, kept=self._kept))
            if last is None:
                await self._db.write(partial(bounds.no_more_than, target=target, kept=self._kept), soft=True)
                continue
            message = f"dropped: more than {self._most} events waited for this target"
            some = partial(bounds.drop, target=target, last=last, message=message, most=AT_ONCE)
            dropped = await self._batches(some)
            measures().lost(DROPPED, dropped)
            _log.warning(
                "too much waits for a webhook's target; the oldest was dropped", target=target, count=dropped
            )
            done += dropped
        return done

    async def _expire(self) -> int:
        """End what has waited for so long that nobody wants it any more, for some of the targets."""
        some = await bounds.targets(self._db, self._target, _LOOKED_AT)
        self._target = some[-1] if len(some) == _LOOKED_AT else 0
        done = 0
        for target in some:
            await asyncio.sleep(0)  # on SQLite nothing else here lets others go on
            old = await bounds.old(self._db, target, rules.OLDEST_SECONDS, AT_ONCE)
            if old:
                message = f"expired: the target took nothing for {rules.OLDEST_SECONDS / 86_400:.0f} days"
                ending = partial(bounds.end, target=target, ids=old, status=ERROR, message=message)
                expired = await self._db.write(ending, soft=True)
                measures().lost(EXPIRED, expired)
                done += expired
        return done

    async def _forget(self) -> int:
        """Forget what is left of policies and targets that are gone, for some of them."""
        done = 0
        for _ in range(_LOOKED_AT):
            await asyncio.sleep(0)
            found = await bounds.next_policy(self._db, self._orphaned_policy)
            if found is None:
                self._orphaned_policy = 0
                break
            self._orphaned_policy, there = found
            if not there:
                done += await self._batches(partial(bounds.forget_policy, policy=found[0], most=AT_ONCE))
        for _ in range(_LOOKED_AT):
            await asyncio.sleep(0)
            found = await bounds.next_target(self._db, self._orphaned_target)
            if found is None:
                self._orphaned_target = 0
                break
            self._orphaned_target, there = found
            if not there:
                done += await self._batches(partial(bounds.forget_target, target=found[0], most=AT_ONCE))
        return done

    async def _batches(self, some: Body[int]) -> int:
        done = 0
        for _ in range(_BATCHES):
            count = await self._db.write(some, soft=True)
            done += count
            if count < AT_ONCE:
                break
        return done
