"""Transactions that hold a policy and want its target, and the other way round: one of them begins again, and both are done."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from fairway.features.webhooks.model import NewDelivery
from fairway.features.webhooks.store import deliveries, policies
from fairway.frame.db import Conn, Database
from features.webhooks.telling import Telling

Step = Callable[[Conn], Awaitable[object]]


class Both:
    """Two that each take a first step before either takes its second, as far as the database lets them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.begun = 0

    async def do(self, first: Step, second: Step) -> None:
        async def body(conn: Conn) -> None:
            self.begun += 1
            await first(conn)
            if self.db.dialect == "postgresql":  # SQLite has one after the other
                await self._wait()
            await second(conn)

        await self.db.write(body)

    async def _wait(self) -> None:
        async with asyncio.timeout(5):
            while self.begun < 2:  # noqa: ASYNC110 - a transaction tells nobody
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)


async def test_a_sample_and_the_end_of_its_project_at_once(telling: Telling) -> None:
    target = await telling.target("https://ci.example.com/hook")
    new = [NewDelivery(1, target, "e", "PUSH_ARTIFACT", "team/app", "application/json", "{}")]
    policy: Step = partial(policies.by_id, project=1, policy=1, lock=True)
    add: Step = partial(deliveries.add, new=new)
    both = Both(telling.db)
    async with asyncio.timeout(30):
        await asyncio.gather(both.do(policy, add), both.do(add, partial(policies.disable_all, project=1)))
    assert len(await telling.rows()) == 2
    found = await policies.by_id(telling.db, 1, 1)
    assert found is not None
    assert not found.enabled
    row = await telling.of(target)
    assert row["waiting"] == 2
    assert both.begun == (3 if telling.db.dialect == "postgresql" else 2)
