"""What Prometheus hears of background work."""

import asyncio
from dataclasses import dataclass
from functools import partial

from prometheus_client import generate_latest

from fairway.frame.db import Database
from fairway.frame.events import record
from fairway.frame.jobs import queue
from fairway.frame.jobs.job import Job, Jobs, Task
from fairway.frame.jobs.measures import measures
from fairway.frame.jobs.runner import Runner
from fairway.frame.metrics import metrics


@dataclass(frozen=True)
class Nothing:
    """No arguments."""


def shown() -> list[str]:
    return generate_latest(metrics().registry).decode().splitlines()


async def test_queues_tasks_and_loops_are_measured(db: Database) -> None:
    gate = asyncio.Event()

    async def wait(_task: Task, _asked: Nothing) -> None:
        await gate.wait()

    async def fail(_task: Task, _asked: Nothing) -> None:
        raise RuntimeError("no")

    kinds = [Job("MEASURED", Nothing, wait, at_once=1), Job("FAILING", Nothing, fail)]
    runner = Runner(db, Jobs(kinds))
    await runner.beat()
    for job in (*kinds, kinds[0]):
        await db.write(partial(queue.enqueue, job=job, arguments=Nothing()))
    await db.write(partial(record, topic="t", kind="k", payload={}))
    assert await runner.take() == 2
    await measures().look(db)
    lines = shown()
    assert 'harbor_task_queue_size{type="MEASURED"} 1.0' in lines
    assert 'harbor_task_concurrency{type="MEASURED"} 1.0' in lines
    assert 'fairway_task_queue_paused{type="MEASURED"} 0.0' in lines
    assert "fairway_workers 1.0" in lines
    assert "fairway_events_waiting 1.0" in lines
    gate.set()
    await runner.idle()
    assert 'harbor_jobservice_task_total{status="Success",type="MEASURED"}' in "\n".join(shown())
    assert 'harbor_jobservice_task_total{status="Error",type="FAILING"}' in "\n".join(shown())
    measures().loop_turned("a loop", 5)
    assert 'fairway_loop_interval_seconds{loop="a loop"} 5.0' in shown()
