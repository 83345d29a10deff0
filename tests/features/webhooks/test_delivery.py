"""Notifications reach who they are for: in order, with the event's id, again when they were not taken."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.features.webhooks.jobs import KIND, Notifications
from fairway.features.webhooks.registry.model import MEDIA_TYPE, Endpoint
from fairway.features.webhooks.store import notifications as store
from fairway.frame.db import Database
from fairway.frame.db.tables import notifications, tasks
from fairway.frame.egress import Egress
from fairway.frame.events import hand_over, record
from fairway.frame.jobs import records
from fairway.frame.jobs.job import Jobs
from fairway.frame.jobs.runner import Runner
from frame.egress.elsewhere import LOOPBACK, Elsewhere, up, way_out

PUSHED = {
    "project_id": 1,
    "repository": "library/app",
    "actor": "a",
    "media_type": "m",
    "size": 3,
    "tags": {},
}


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    async with way_out(LOOPBACK) as egress:
        yield egress


@pytest.fixture
async def there() -> AsyncIterator[Elsewhere]:
    async with up() as server:
        server.script["/hook"] = (200, {}, b"")
        yield server


class Told:
    """Endpoints, and what happens when something is pushed."""

    def __init__(self, db: Database, egress: Egress, *endpoints: Endpoint) -> None:
        self.db = db
        self.notifications = Notifications(list(endpoints), db, egress, base="http://r", node=lambda: "n")
        self._reactions = {"artifact.pushed": [self.notifications.reaction]}

    async def push(self, *numbers: int) -> None:
        for number in numbers:
            facts = {**PUSHED, "digest": f"sha256:{number}"}
            await self.db.write(partial(record, topic="p", kind="artifact.pushed", payload=facts))
        await hand_over(self.db, self._reactions)

    async def work(self) -> None:
        """Once through all that is due."""
        runner = Runner(self.db, Jobs([self.notifications.job]))
        await runner.beat()
        while await runner.take():
            await runner.idle()

    async def wait(self) -> None:
        """Until what failed is tried again."""
        await self.db.run(update(tasks).where(tasks.c.status == "Pending").values(due_at=0))


def heard(there: Elsewhere) -> list[dict[str, Any]]:
    return [json.loads(asked.body)["events"][0] for asked in there.asked]


def digests(there: Elsewhere) -> list[str]:
    return [each["target"]["digest"].rpartition(":")[2] for each in heard(there)]


async def test_each_is_told_in_order_with_its_headers(db: Database, egress: Egress, there: Elsewhere) -> None:
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook", {"Authorization": "Bearer t"}))
    await told.push(*range(5))
    await told.work()
    assert digests(there) == ["0", "1", "2", "3", "4"]
    assert len({each["id"] for each in heard(there)}) == 5
    assert there.asked[0].headers["content-type"] == MEDIA_TYPE
    assert there.asked[0].headers["authorization"] == "Bearer t"
    assert await store.waiting(db) == {}


async def test_what_is_not_taken_is_told_again_with_the_same_id(
    db: Database, egress: Egress, there: Elsewhere
) -> None:
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook"))
    there.script["/hook"] = (503, {}, b"later")
    await told.push(1, 2)
    await told.work()
    assert digests(there) == ["1"]
    [execution], _ = await records.listed(db, kind=KIND, offset=0, limit=9)
    assert execution.status == "Running"
    there.script["/hook"] = (202, {}, b"")
    await told.push(3)
    await told.wait()
    await told.work()
    assert digests(there) == ["1", "1", "2", "3"]
    first, again, *_ = heard(there)
    assert first["id"] == again["id"]
    assert await store.waiting(db) == {}


async def test_one_that_is_down_keeps_only_its_own_waiting(
    db: Database, egress: Egress, there: Elsewhere
) -> None:
    down = Endpoint("down", "http://127.0.0.1:1/hook", timeout=1)
    told = Told(db, egress, down, Endpoint("up", f"{there.url}/hook"))
    await told.push(1, 2)
    await told.work()
    assert digests(there) == ["1", "2"]
    assert await store.waiting(db) == {"down": 2}


async def test_what_waits_is_bounded(
    db: Database, egress: Egress, there: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.script["/hook"] = (500, {}, b"")
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook"))
    await told.push(*range(12))
    monkeypatch.setattr("fairway.features.webhooks.jobs.MOST_WAITING", 4)
    monkeypatch.setattr("fairway.features.webhooks.jobs._AT_ONCE", 3)
    assert await told.notifications.tidy() == 8
    there.script["/hook"] = (200, {}, b"")
    there.asked.clear()
    await told.work()
    assert digests(there) == ["8", "9", "10", "11"]


async def test_strangers_are_forgotten_after_a_day_and_that_is_told(
    db: Database, egress: Egress, there: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    """While settings are changed on one process after the other, some know an endpoint that others do not."""
    endpoint, gone = (Endpoint(name, f"{there.url}/hook") for name in ("e", "gone"))
    await Told(db, egress, endpoint, gone).push(1, 2)
    told = Told(db, egress, endpoint)
    assert await told.notifications.tidy() == 0
    assert await store.waiting(db) == {"e": 2, "gone": 2}
    await db.run(update(notifications).values(created_at=notifications.c.created_at - 86_401 * 1_000_000))
    assert await told.notifications.tidy() == 2
    assert await store.waiting(db) == {"e": 2}
    assert "nobody has set up" in capsys.readouterr().out


@pytest.mark.parametrize(
    "reply", [(200, {}, b"x" * 200_000), (202, {"content-encoding": "gzip"}, b"abc"), (204, {}, b"")]
)
async def test_what_was_taken_is_taken_whatever_the_answer_says(
    db: Database, egress: Egress, there: Elsewhere, reply: tuple[int, dict[str, str], bytes]
) -> None:
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook"))
    there.script["/hook"] = reply
    await told.push(1, 2)
    await told.work()
    assert digests(there) == ["1", "2"]
    assert await store.waiting(db) == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_an_endpoint_that_redirects_has_taken_nothing(
    db: Database, egress: Egress, there: Elsewhere, status: int
) -> None:
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook"))
    there.script["/hook"] = (status, {"location": f"{there.url}/login"}, b"")
    there.script["/login"] = (200, {}, b"please log in")
    await told.push(1)
    await told.work()
    assert await store.waiting(db) == {"e": 1}
    [task] = await db.all(select(tasks))
    assert "set its url" in task["message"]
    assert [asked.path for asked in there.asked] == ["/hook"]


async def test_one_that_came_as_the_task_ended_is_not_forgotten(
    db: Database, egress: Egress, there: Elsewhere
) -> None:
    told = Told(db, egress, Endpoint("e", f"{there.url}/hook"))
    await db.write(partial(store.add, endpoint="e", event="x", body={"target": {"digest": "a:9"}}))
    await told.work()
    assert there.asked == []
    await told.notifications.tidy()
    await told.work()
    assert digests(there) == ["9"]
