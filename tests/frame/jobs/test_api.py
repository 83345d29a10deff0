"""The dashboard of background work: pools, workers, queues, jobs and schedules, as Harbor's pages use it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.frame.jobs import queue, records, schedules
from fairway.frame.jobs.job import Facts, Job, Jobs, Task
from fairway.frame.jobs.runner import Runner
from fairway.frame.jobs.runs import asked_for
from stories.asgi import Answer
from stories.world import Person, World

API = "/api/v2.0"


@dataclass(frozen=True)
class Asked:
    """What the job here is told: nothing."""


class Desk:
    """The administrator's, with a job of the kind SLOW that goes on until `gate` is set."""

    def __init__(self, world: World) -> None:
        self.gate = asyncio.Event()
        self.job = Job("SLOW", Asked, self._wait)
        self.other = Job("OTHER", Asked, self._wait)
        parts = replace(world.parts, jobs=Jobs([self.job, self.other, *world.parts.jobs]))
        self.world = World(world.settings, parts)
        self.admin = Person(self.world, "admin", world.admin.id, world.admin.authorization)
        self.db = world.db

    async def _wait(self, task: Task, _asked: Asked) -> Facts:
        await task.log("waiting")
        await task.report(1, 2, "halves")
        await self.gate.wait()
        return {}

    async def get(self, path: str) -> Any:
        answer = await self.admin("GET", f"{API}{path}")
        assert answer.status == 200, answer.body
        return answer.json

    async def put(self, path: str, body: object = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return await self.admin("PUT", f"{API}{path}", data, headers={"content-type": "application/json"})

    async def ask(self, job: Job[Asked] | None = None) -> int:
        """A new execution; the id of its task."""
        made = await self.db.write(partial(queue.enqueue, job=job or self.job, arguments=Asked()))
        [task] = await records.tasks_of(self.db, made or 0)
        return task.id

    async def status(self, task: int) -> str:
        found = await records.task(self.db, task)
        assert found is not None
        return found.status

    async def becomes(self, task: int, status: str) -> None:
        async with asyncio.timeout(20):
            while await self.status(task) != status:  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def working(self, slots: int = 3) -> AsyncIterator[Runner]:
        runner = Runner(self.db, self.world.parts.jobs, slots=slots, poll_seconds=0.05)
        stop = asyncio.Event()
        loop = asyncio.create_task(runner.run(stop))
        try:
            yield runner
        finally:
            stop.set()
            await loop

    async def counts(self) -> dict[str, tuple[int, bool]]:
        return {
            each["job_type"]: (each["count"], each["paused"]) for each in await self.get("/jobservice/queues")
        }


@pytest.fixture
async def desk(world: World) -> Desk:
    return Desk(world)


async def test_pools_and_workers_show_who_runs_what(desk: Desk) -> None:
    assert await desk.get("/jobservice/pools") == []
    assert await desk.get("/jobservice/pools/all/workers") == []
    task = await desk.ask()
    async with desk.working(slots=3) as runner:
        await desk.becomes(task, "Running")
        [pool] = await desk.get("/jobservice/pools")
        assert (pool["worker_pool_id"], pool["concurrency"]) == (runner.id, 3)
        async with asyncio.timeout(20):
            while not (await records.task(desk.db, task)).progress:  # type: ignore[union-attr] # noqa: ASYNC110
                await asyncio.sleep(0.02)
        for which in ("all", "ALL", runner.id):
            busy, *idle = await desk.get(f"/jobservice/pools/{which}/workers")
            assert (busy["job_name"], busy["job_id"], busy["pool_id"]) == ("SLOW", str(task), runner.id)
            assert busy["start_at"]
            assert json.loads(busy["check_in"])["what"] == "halves"
            assert [each["job_id"] for each in idle] == ["", ""]
            assert len({each["id"] for each in (busy, *idle)}) == 3
        desk.gate.set()
        await desk.becomes(task, "Success")
    assert await desk.get("/jobservice/pools") == []
    assert (await desk.admin("GET", f"{API}/jobservice/pools/{runner.id}/workers")).short == (
        404,
        "NOT_FOUND",
    )


async def test_a_queue_is_paused_resumed_and_emptied(desk: Desk) -> None:
    for _ in range(3):
        await desk.ask()
    other = await desk.ask(desk.other)
    assert (await desk.put("/jobservice/queues/slow", {"action": "pause"})).status == 200
    counts = await desk.counts()
    assert counts["SLOW"] == (3, True)
    assert counts["OTHER"] == (1, False)
    assert counts["SCHEDULER"] == (0, False)
    assert (await desk.put("/jobservice/queues/SLOW", {"action": "stop"})).status == 200
    assert (await desk.counts())["SLOW"] == (0, True)
    assert await desk.status(other) == "Pending"
    assert (await records.listed(desk.db, kind="SLOW", statuses=["Stopped"], offset=0, limit=9))[1] == 3
    assert (await desk.put("/jobservice/queues/SLOW", {"action": "resume"})).status == 200
    assert (await desk.counts())["SLOW"] == (0, False)


async def test_all_queues_include_the_schedules(desk: Desk) -> None:
    bob = replace(await desk.world.person("bob"), world=desk.world)
    tasks = [await desk.ask(), await desk.ask(desk.other)]
    for action, paused in (("pause", True), ("resume", False)):
        assert (await desk.put("/jobservice/queues/all", {"action": action})).status == 200
        assert {each for _, each in (await desk.counts()).values()} == {paused}
        for who in (desk.admin, bob):
            assert (await who("GET", f"{API}/schedules/all/paused")).json == {"paused": paused}
    assert (await desk.put("/jobservice/queues/ALL", {"action": "stop"})).status == 200
    assert {await desk.status(each) for each in tasks} == {"Stopped"}


async def test_what_is_not_there_cannot_be_acted_on(desk: Desk) -> None:
    for path, body, status in (
        ("/jobservice/queues/NONE", {"action": "pause"}, 404),
        ("/jobservice/queues/%00", {"action": "pause"}, 404),
        ("/jobservice/queues/SLOW", {"action": "explode"}, 422),
        ("/jobservice/queues/SLOW", {}, 422),
        ("/jobservice/jobs/999999", None, 404),
        ("/jobservice/jobs/none", None, 404),
        ("/jobservice/jobs/" + "9" * 30, None, 404),
    ):
        assert (await desk.put(path, body)).status == status, path


async def test_one_job_is_stopped_whether_it_runs_or_waits(desk: Desk) -> None:
    first, second = await desk.ask(), await desk.ask()
    assert (await desk.put(f"/jobservice/jobs/{first}")).status == 200
    assert (await desk.status(first), await desk.status(second)) == ("Stopped", "Pending")
    async with desk.working():
        await desk.becomes(second, "Running")
        assert (await desk.put(f"/jobservice/jobs/{second}")).status == 200
        await desk.becomes(second, "Stopped")
    assert (await desk.put(f"/jobservice/jobs/{second}")).status == 200, "it is what was asked for"


async def test_all_that_runs_is_stopped_and_what_waits_stays(desk: Desk) -> None:
    tasks = [await desk.ask() for _ in range(3)]
    async with desk.working(slots=2):
        for each in tasks[:2]:
            await desk.becomes(each, "Running")
        await desk.put("/jobservice/queues/SLOW", {"action": "pause"})
        assert (await desk.put("/jobservice/jobs/all")).status == 200
        for each in tasks[:2]:
            await desk.becomes(each, "Stopped")
    assert await desk.status(tasks[2]) == "Pending"


async def test_one_task_of_several_is_stopped_alone(desk: Desk) -> None:
    first = await desk.ask()
    execution = await queue.execution_of(desk.db, first)
    assert execution is not None
    add = partial(queue.add_task, job=desk.job, arguments=Asked(), execution=execution)
    second = await desk.db.write(add)
    assert await desk.db.write(partial(queue.stop_task, task=first))
    assert [each.status for each in await records.tasks_of(desk.db, execution)] == ["Stopped", "Pending"]
    assert (await records.execution(desk.db, execution)).status == "Running"  # type: ignore[union-attr]
    assert await desk.db.write(partial(queue.stop_task, task=second or 0))
    assert (await records.execution(desk.db, execution)).status == "Stopped"  # type: ignore[union-attr]


async def test_the_log_of_a_job_is_text_with_times(desk: Desk) -> None:
    desk.gate.set()
    task = await desk.ask()
    await desk.world.work()
    answer = await desk.admin("GET", f"{API}/jobservice/jobs/{task}/log")
    assert answer["content-type"].startswith("text/plain")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[INFO\] waiting\n", answer.body.decode())
    for absent in (task + 1, "none"):
        assert (await desk.admin("GET", f"{API}/jobservice/jobs/{absent}/log")).short == (404, "NOT_FOUND")


async def test_schedules_are_listed_by_pages(desk: Desk) -> None:
    for kind, owner in (("SLOW", 0), ("SLOW", 7), ("OTHER", 0)):
        put = partial(
            schedules.put,
            kind=kind,
            style="Hourly",
            cron="0 0 * * * *",
            owner=owner,
            parameters={},
            asked_by="x",
        )
        await desk.db.write(put)
    answer = await desk.admin("GET", f"{API}/schedules?page_size=2")
    assert [(each["vendor_type"], each["vendor_id"]) for each in answer.json] == [("SLOW", -1), ("SLOW", 7)]
    assert answer.json[0]["cron"] == "0 0 * * * *"
    assert answer["x-total-count"] == "3"
    assert answer["link"] == f'<{API}/schedules?page=2&page_size=2>; rel="next"'
    assert (await desk.admin("GET", f"{API}/schedules/SLOW/paused")).short == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", {}),
        ("status=Running", {"status": ["Running"]}),
        ("Status={Success Error},trigger=manual", {"status": ["Success", "Error"], "trigger": ["manual"]}),
        ("status=~Run,creation_time=[2026-01-01~]", {}),
        (r"status=\~x", {"status": ["~x"]}),
        ("status%3D%7BError+Stopped%7D", {"status": ["Error", "Stopped"]}),
    ],
)
def test_a_query_is_read_as_harbors_are(q: str, found: dict[str, list[str]]) -> None:
    assert asked_for(q) == found


@pytest.mark.parametrize("q", ["status", "=Running", "status=", "status=%00", ","])
def test_a_query_that_is_none_is_refused(q: str) -> None:
    with pytest.raises(BadRequest):
        asked_for(q)
