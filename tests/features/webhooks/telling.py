"""Targets with queues, and workers that tell them, in a time that passes as fast as a test wants."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from fairway.features.webhooks.deliverer import Deliverer
from fairway.features.webhooks.model import NewDelivery
from fairway.features.webhooks.store import deliveries as store
from fairway.features.webhooks.targets import context
from fairway.features.webhooks.tidying import Tidying
from fairway.frame.db import SECOND, Database, Row
from fairway.frame.db.tables import webhook_deliveries, webhook_policies, webhook_targets
from fairway.frame.db.tables.webhooks import PARKED
from fairway.frame.egress import Egress
from fairway.frame.sealing import Sealer
from frame.egress.elsewhere import Elsewhere

SEALER = Sealer([b"k" * 32])

_d, _t = webhook_deliveries, webhook_targets
_by = bindparam("by")
_EARLIER = (
    update(_t)
    .where(_t.c.due_at.is_not(None))
    .values(due_at=_t.c.due_at - _by, paused_until=_t.c.paused_until - _by),
    update(_d).where(_d.c.next_at > 0, _d.c.next_at < PARKED).values(next_at=_d.c.next_at - _by),
    update(_d).values(created_at=_d.c.created_at - _by, started_at=_d.c.started_at - _by),
)


class Telling:
    """A database with targets, and one worker."""

    def __init__(self, db: Database, egress: Egress, **options: Any) -> None:
        self.db = db
        self.egress = egress
        self.options = options
        self.deliverer = self.worker()
        self._added = 0

    def worker(self, **options: Any) -> Deliverer:
        """Another worker on the same database."""
        return Deliverer(self.db, self.egress, SEALER, **(self.options | options))

    async def target(
        self,
        address: str,
        *,
        policy: int = 1,
        number: int = 0,
        auth_header: str = "",
        secret: str = "",
        skip_cert_verify: bool = False,
    ) -> int:
        """A target, and its policy if there is none."""
        if await self.db.first(select(webhook_policies).where(webhook_policies.c.id == policy)) is None:
            await self.db.run(
                insert(webhook_policies).values(
                    id=policy, project_id=1, name=f"p{policy}", event_types="[]", enabled=True, creator="a",
                    created_at=1, updated_at=1,
                )
            )  # fmt: skip
        made = insert(_t).values(
            policy_id=policy, number=number, type="http", address=address, payload_format="Default",
            skip_cert_verify=skip_cert_verify,
        ).returning(_t.c.id)  # fmt: skip
        id: int = await self.db.write(lambda conn: conn.scalar(made))
        sealed = {
            what: SEALER.seal(text.encode(), context(id, what)) if text else ""
            for what, text in (("auth_header", auth_header), ("secret", secret))
        }
        await self.db.run(update(_t).where(_t.c.id == id).values(sealed))
        return id

    async def add(self, target: int, *texts: str, topic: str = "team/app", policy: int = 1) -> None:
        """Events, each with a body of its own."""
        new = []
        for text in texts:
            self._added += 1
            new.append(
                NewDelivery(
                    policy,
                    target,
                    f"e{self._added}",
                    "PUSH_ARTIFACT",
                    topic,
                    "application/json",
                    json.dumps(text),
                )
            )
        await self.db.write(partial(store.add, new=new))

    async def work(self, worker: Deliverer | None = None) -> int:
        """Until nothing is due; how many times a queue was taken."""
        worker = worker or self.deliverer
        taken = 0
        while count := await worker.take():
            taken += count
            await worker.idle()
        return taken

    async def pass_time(self, seconds: float, *, every: float = 0) -> None:
        """Let so much time pass; with `every`, somebody looks as often as that."""
        left = seconds
        while left > 0:
            step = min(every or left, left)
            await self.earlier(step)
            left -= step
            if every:
                await self.work()

    async def earlier(self, seconds: float) -> None:
        """What was said to be at a time is said to be before that."""
        for statement in _EARLIER:
            await self.db.run(statement, by=int(seconds * SECOND))

    async def rows(self, target: int | None = None) -> list[Row]:
        """Deliveries, in the order of their ids."""
        found = select(_d).order_by(_d.c.id)
        return await self.db.all(found if target is None else found.where(_d.c.target_id == target))

    async def states(self, target: int | None = None) -> list[str]:
        return [row["status"] for row in await self.rows(target)]

    async def of(self, target: int) -> Row:
        row = await self.db.first(select(_t).where(_t.c.id == target))
        assert row is not None
        return row

    def tidying(self, **options: int) -> Tidying:
        return Tidying(self.db, **options)


def bodies(there: Elsewhere, path: str = "/hook") -> list[str]:
    """What was told, in order."""
    return [json.loads(each.body) for each in there.asked if each.path == path]


def in_order(heard: Sequence[str]) -> bool:
    """First occurrences are in the order of their numbers."""
    first = list(dict.fromkeys(heard))
    return first == sorted(first)
