"""What is written on behalf of one attempt at a task: only while nobody else has the task."""

import json

from sqlalchemy import and_, bindparam, insert, select, update

from fairway.frame.db import SECOND, Conn, now_us
from fairway.frame.db.tables import task_steps, tasks
from fairway.frame.jobs import queue
from fairway.frame.jobs.job import PENDING, RUNNING, STOPPED, Facts, Superseded

_MINE = and_(tasks.c.id == bindparam("task"), tasks.c.attempt == bindparam("of"), tasks.c.status == RUNNING)
_FENCE = select(tasks.c.id).where(_MINE).with_for_update(read=True, key_share=True)
_DONE_STEP = select(task_steps.c.answer).where(
    task_steps.c.task_id == bindparam("task"), task_steps.c.step == bindparam("step")
)
_ADD_STEP = insert(task_steps).values(
    task_id=bindparam("task"), step=bindparam("step"), answer=bindparam("answer")
)


async def fence(conn: Conn, task: int, attempt: int) -> None:
    """Nobody takes the task over until this transaction ends.  Raises Superseded when somebody has."""
    if await conn.first(_FENCE, task=task, of=attempt) is None:
        raise Superseded("another worker has this task now, or it was stopped")


async def step_done(conn: Conn, task: int, step: str) -> Facts | None:
    """What a step of a task answered when it was done."""
    text: str | None = await conn.scalar(_DONE_STEP, task=task, step=step)
    return None if text is None else dict(json.loads(text))


async def do_step(conn: Conn, task: int, step: str, answer: Facts) -> None:
    """Remember that a step is done, and what it answered."""
    await conn.run(_ADD_STEP, task=task, step=step, answer=json.dumps(answer))


_REPORT = update(tasks).where(_MINE).values(progress=bindparam("facts"))


async def report(conn: Conn, task: int, attempt: int, progress: Facts) -> None:
    """How far it is."""
    await conn.run(_REPORT, task=task, of=attempt, facts=json.dumps(progress))


_END = (
    update(tasks)
    .where(_MINE)
    .values(
        status=bindparam("outcome"),
        message=bindparam("text"),
        result=bindparam("facts"),
        ended_at=now_us(),
        single=None,
    )
)
_STOPPING = select(tasks.c.stopping).where(_MINE)
_AGAIN = (
    update(tasks)
    .where(_MINE)
    .values(
        status=PENDING,
        worker=None,
        message=bindparam("text"),
        due_at=queue.later("micros"),
        tries=tasks.c.tries - bindparam("uncounted"),
    )
)


async def end(
    conn: Conn, claimed: queue.Claimed, status: str, message: str = "", result: Facts | None = None
) -> None:
    """An attempt has come to its end, and the task with it.  Raises Superseded."""
    await conn.first(queue.LOCK_EXECUTION, execution=claimed.execution)
    facts = json.dumps(result or {}, separators=(",", ":"))
    if not await conn.run(
        _END, task=claimed.id, of=claimed.attempt, outcome=status, text=message, facts=facts
    ):
        raise Superseded("another worker has this task now, or it was stopped")
    await conn.run(queue.SETTLE, execution=claimed.execution)


async def again(
    conn: Conn, claimed: queue.Claimed, message: str, seconds: float, *, uncounted: bool = False
) -> None:
    """An attempt has come to nothing: let the task be tried again after so many seconds; `uncounted` as if it had not been.

    When somebody has asked to stop it meanwhile, it ends as stopped instead.
    """
    await conn.first(queue.LOCK_EXECUTION, execution=claimed.execution)  # who stops it waits, or has done so
    if await conn.scalar(_STOPPING, task=claimed.id, of=claimed.attempt):
        await end(conn, claimed, STOPPED, "stopped")
        return
    await conn.run(
        _AGAIN,
        task=claimed.id,
        of=claimed.attempt,
        text=message,
        micros=int(seconds * SECOND),
        uncounted=int(uncounted),
    )
