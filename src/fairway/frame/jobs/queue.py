"""The queue of tasks: adding, handing out, keeping, ending and stopping them.

Who locks what, in this order: a kind's row in `queues`, an execution, its tasks.  A task's row is locked by whoever writes
on its behalf (FOR KEY SHARE), and by whoever takes it over or ends it for another (FOR UPDATE), so that neither happens in
the middle of a transaction; what is only noted on it (a lease renewed, a stop asked for) waits for nobody.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import NullType

from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import executions, queues, tasks
from fairway.frame.db.types import within, within_ids
from fairway.frame.jobs.job import (
    ERROR,
    MANUAL,
    OPEN,
    PENDING,
    RUNNING,
    STOPPED,
    SUCCESS,
    A,
    Facts,
    Job,
)

SCHEDULER = "SCHEDULER"
"""The queue that stands for all schedules."""

# Written out, as the partial indexes have it: no planner sees through a parameter.  No BOOLEAN, which SQLAlchemy would
# compare with 1 on SQLite, so that no index had it.
ARE_OPEN: ColumnElement[Any] = literal_column("tasks.status IN ('Pending', 'Running')", NullType)
"""The condition of open tasks; said beside `status = …`, it lets the index of open tasks be used."""


def later(name: str) -> ColumnElement[int]:
    """So many microseconds from now, as the parameter `name` says."""
    return now_us() + bindparam(name, type_=BigInteger)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt at a task, handed to a worker."""

    id: int
    execution: int
    kind: str
    arguments: str
    attempt: int
    tries: int
    """This one included."""
    stopping: bool


# -- adding

_KNOW = upsert(queues).values(kind=bindparam("kind")).on_conflict_do_nothing(index_elements=["kind"])
_NEW_EXECUTION = (
    insert(executions)
    .values(
        kind=bindparam("kind"),
        owner_id=bindparam("owner"),
        trigger=bindparam("trigger"),
        status=RUNNING,
        asked_by=bindparam("asked_by"),
        parameters=bindparam("parameters"),
        created_at=now_us(),
    )
    .returning(executions.c.id)
)
_NEW_TASK = (
    upsert(tasks)
    .values(
        execution_id=bindparam("execution"),
        kind=bindparam("kind"),
        arguments=bindparam("arguments"),
        single=bindparam("single"),
        status=PENDING,
        due_at=later("micros"),
        created_at=now_us(),
    )
    .on_conflict_do_nothing()
    .returning(tasks.c.id)
)
_SINGLE = select(tasks.c.id).where(tasks.c.single == bindparam("single"), ARE_OPEN)
_FORGET_EXECUTION = delete(executions).where(executions.c.id == bindparam("execution"))


async def know_kinds(conn: Conn, kinds: Collection[str]) -> None:
    """There must be a queue for each kind before anything is handed out."""
    await conn.many(_KNOW, [{"kind": kind} for kind in sorted({*kinds, SCHEDULER})])


async def enqueue(
    conn: Conn,
    job: Job[A],
    arguments: A,
    *,
    trigger: str = MANUAL,
    owner: int = 0,
    asked_by: str = "",
    parameters: Facts | None = None,
    single: str | None = None,
    delay: float = 0.0,
) -> int | None:
    """A new execution of one task, in the caller's transaction; its id.

    `single`: a text that only one open task may have; None is returned, and nothing made, when another has it.
    `delay`: seconds from now.  `parameters`: what was asked for, as people see it.
    """
    if single is not None and await conn.first(_SINGLE, single=single) is not None:
        return None  # the usual case for what many events ask for: nothing is made to be thrown away
    execution = int(
        await conn.scalar(
            _NEW_EXECUTION,
            kind=job.kind,
            owner=owner,
            trigger=trigger,
            asked_by=asked_by,
            parameters=json.dumps(parameters or {}, separators=(",", ":")),
        )
    )
    if await add_task(conn, job, arguments, execution, single=single, delay=delay) is None:
        await conn.run(_FORGET_EXECUTION, execution=execution)
        return None
    return execution


async def add_task(
    conn: Conn, job: Job[A], arguments: A, execution: int, *, single: str | None = None, delay: float = 0.0
) -> int | None:
    """One more task of an execution that is open; its id, or None when another open task has `single`."""
    task: int | None = await conn.scalar(
        _NEW_TASK,
        execution=execution,
        kind=job.kind,
        arguments=job.written(arguments),
        single=single,
        micros=int(delay * SECOND),
    )
    return task


# -- handing out

_DUE = and_(ARE_OPEN, tasks.c.due_at <= now_us())
_DUE_KINDS = (
    select(queues.c.kind)
    .where(
        queues.c.paused == false(),
        within(queues.c.kind, bindparam("kinds")),
        exists(select(tasks.c.id).where(tasks.c.kind == queues.c.kind, _DUE)),
    )
    .order_by(queues.c.kind)
)
_LOCK_QUEUES = _DUE_KINDS.with_for_update(skip_locked=True)
_AT_WORK = select(func.count()).where(
    tasks.c.kind == bindparam("kind"), tasks.c.status == RUNNING, tasks.c.due_at > now_us(), ARE_OPEN
)
_NEXT = (
    select(tasks.c.id)
    .where(tasks.c.kind == bindparam("kind"), _DUE)
    .order_by(tasks.c.due_at, tasks.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    update(tasks)
    .where(tasks.c.id == bindparam("task"))
    .values(
        status=RUNNING,
        worker=bindparam("by"),
        attempt=tasks.c.attempt + 1,
        tries=tasks.c.tries + 1,
        due_at=later("micros"),
        started_at=func.coalesce(tasks.c.started_at, now_us()),
    )
    .returning(
        tasks.c.id,
        tasks.c.execution_id,
        tasks.c.kind,
        tasks.c.arguments,
        tasks.c.attempt,
        tasks.c.tries,
        tasks.c.stopping,
    )
)


async def anything_due(conn: Conn, kinds: Collection[str]) -> bool:
    """Is there something to claim?  A look, so that an idle worker writes nothing."""
    return await conn.first(_DUE_KINDS, kinds=json.dumps(sorted(kinds))) is not None


async def claim(
    conn: Conn, worker: str, limits: Mapping[str, int], *, free: int, lease_seconds: float
) -> list[Claimed]:
    """Up to `free` tasks that are due, oldest first; of no kind more at a time than `limits` allows, on all workers together.

    A task whose lease is over is due again, whoever had it.
    """
    claimed: list[Claimed] = []
    for row in await conn.all(_LOCK_QUEUES, kinds=json.dumps(sorted(limits))):
        kind = row["kind"]
        room = min(limits[kind] - int(await conn.scalar(_AT_WORK, kind=kind)), free - len(claimed))
        if room <= 0:
            continue
        for found in await conn.all(_NEXT, kind=kind, limit=room):
            given = await conn.first(_CLAIM, task=found["id"], by=worker, micros=int(lease_seconds * SECOND))
            if given is not None:
                claimed.append(_claimed(given))
    return claimed


def _claimed(row: Row) -> Claimed:
    return Claimed(
        row["id"],
        row["execution_id"],
        row["kind"],
        row["arguments"],
        row["attempt"],
        row["tries"],
        bool(row["stopping"]),
    )


_BEAT = (
    update(tasks)
    .where(
        tasks.c.worker == bindparam("by"),
        tasks.c.status == RUNNING,
        within_ids(tasks.c.id, bindparam("held")),
    )
    .values(due_at=later("micros"))
    .returning(tasks.c.id, tasks.c.attempt, tasks.c.stopping)
)


async def beat(
    conn: Conn, worker: str, held: Collection[int], *, lease_seconds: float
) -> dict[tuple[int, int], bool]:
    """Renew the leases of the tasks a worker runs; (task, attempt) of all it still has, and whether to stop that one."""
    ids = json.dumps(list(held))
    rows = await conn.all(_BEAT, by=worker, held=ids, micros=int(lease_seconds * SECOND))
    return {(row["id"], row["attempt"]): bool(row["stopping"]) for row in rows}


_STOPS = select(tasks.c.id, tasks.c.attempt).where(
    within_ids(tasks.c.id, bindparam("held")),
    tasks.c.worker == bindparam("by"),
    tasks.c.status == RUNNING,
    tasks.c.stopping == true(),
)


async def to_stop(conn: Conn, worker: str, held: Collection[int]) -> set[tuple[int, int]]:
    """Which attempts, of the tasks that a worker runs, somebody wants stopped."""
    rows = await conn.all(_STOPS, by=worker, held=json.dumps(list(held)))
    return {(row["id"], row["attempt"]) for row in rows}


# -- stopping and pausing

LOCK_EXECUTION = select(executions.c.id).where(executions.c.id == bindparam("execution")).with_for_update()


def _some(*statuses: str) -> ColumnElement[bool]:
    return exists(
        select(tasks.c.id).where(
            tasks.c.execution_id == executions.c.id, tasks.c.status.in_([literal(each) for each in statuses])
        )
    )


# Harbor's: running while anything is open, else the worst of what came of it.
SETTLE = (
    update(executions)
    .where(executions.c.id == bindparam("execution"), ~_some(*OPEN))
    .values(
        status=case((_some(ERROR), ERROR), (_some(STOPPED), STOPPED), else_=SUCCESS),
        ended_at=func.coalesce(executions.c.ended_at, now_us()),
    )
)

_PENDING = (
    update(tasks).where(tasks.c.status == PENDING).values(status=STOPPED, ended_at=now_us(), single=None)
)
_RUNNING = update(tasks).where(tasks.c.status == RUNNING).values(stopping=true())
_OF_EXECUTION = tasks.c.execution_id == bindparam("execution")
_THIS = tasks.c.id == bindparam("task")
_STOP_PENDING = _PENDING.where(_OF_EXECUTION)
_STOP_RUNNING = _RUNNING.where(_OF_EXECUTION)
_STOP_IF_PENDING = _PENDING.where(_THIS)
_STOP_IF_RUNNING = _RUNNING.where(_THIS)
# For update: who still writes on behalf of such a task, though its lease is over, is waited for.
_left = select(tasks.c.id).where(tasks.c.status == RUNNING, tasks.c.due_at <= now_us()).with_for_update()
_LEFT_OF_EXECUTION = _left.where(_OF_EXECUTION).order_by(tasks.c.id)
_LEFT_THIS = _left.where(_THIS)
_END_LEFT = (
    update(tasks)
    .where(tasks.c.id == bindparam("task"))
    .values(status=STOPPED, stopping=true(), ended_at=now_us(), single=None)
)
_EXECUTION_OF = select(tasks.c.execution_id).where(tasks.c.id == bindparam("task"))
_PENDING_OF = (
    select(tasks.c.execution_id)
    .distinct()
    .where(tasks.c.kind == bindparam("kind"), tasks.c.status == PENDING, ARE_OPEN)
    .order_by(tasks.c.execution_id)
    .limit(bindparam("limit"))
)
_PAUSE = update(queues).where(queues.c.kind == bindparam("of")).values(paused=bindparam("now"))


async def stop(conn: Conn, execution: int, *, pending_only: bool = False) -> bool:
    """Stop what is open of an execution: at once what has not begun or whose worker is gone, within a second or two what
    runs.  False: no such one."""
    if await conn.first(LOCK_EXECUTION, execution=execution) is None:
        return False
    await conn.run(_STOP_PENDING, execution=execution)
    if not pending_only:
        for left in await conn.all(_LEFT_OF_EXECUTION, execution=execution):
            await conn.run(_END_LEFT, task=left["id"])
        await conn.run(_STOP_RUNNING, execution=execution)
    await conn.run(SETTLE, execution=execution)
    return True


async def stop_task(conn: Conn, task: int) -> bool:
    """The same for one task alone.  False: there is no such task."""
    execution = await execution_of(conn, task)
    if execution is None or await conn.first(LOCK_EXECUTION, execution=execution) is None:
        return False
    await conn.run(_STOP_IF_PENDING, task=task)
    for left in await conn.all(_LEFT_THIS, task=task):
        await conn.run(_END_LEFT, task=left["id"])
    await conn.run(_STOP_IF_RUNNING, task=task)
    await conn.run(SETTLE, execution=execution)
    return True


async def execution_of(conn: Conn, task: int) -> int | None:
    """The execution that a task belongs to."""
    found: int | None = await conn.scalar(_EXECUTION_OF, task=task)
    return found


async def executions_waiting(conn: Conn, kind: str, limit: int) -> list[int]:
    """Executions with tasks of this kind that have not begun."""
    return [row["execution_id"] for row in await conn.all(_PENDING_OF, kind=kind, limit=limit)]


async def stop_waiting(conn: Conn, kind: str, limit: int) -> int:
    """Stop what has not begun, of up to so many executions; how many had any."""
    waiting = await executions_waiting(conn, kind, limit)
    for execution in waiting:
        await stop(conn, execution, pending_only=True)
    return len(waiting)


async def pause(conn: Conn, kind: str, *, paused: bool) -> bool:
    """Hand out no more tasks of this kind, or do so again.  False: there is no such kind."""
    return bool(await conn.run(_PAUSE, of=kind, now=paused))
