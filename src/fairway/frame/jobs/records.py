"""What people see of background work: executions, tasks, logs, queues and workers; and how the history ends."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import executions, queues, task_logs, tasks, workers
from fairway.frame.jobs.job import PENDING, RUNNING, Facts
from fairway.frame.jobs.queue import ARE_OPEN

# -- logs

_ENDS = select(func.coalesce(func.max(task_logs.c.number), 0)).where(task_logs.c.task_id == bindparam("task"))
_ADD_LINE = (
    upsert(task_logs)
    .values(task_id=bindparam("task"), number=bindparam("number"), at=now_us(), line=bindparam("line"))
    .on_conflict_do_nothing(index_elements=["task_id", "number"])
)
_LINES = (
    select(task_logs.c.at, task_logs.c.line)
    .where(task_logs.c.task_id == bindparam("task"), task_logs.c.number > bindparam("after"))
    .order_by(task_logs.c.number)
    .limit(bindparam("limit"))
)


async def add_lines(conn: Conn, task: int, lines: Sequence[str], most: int) -> None:
    """Append to a task's log, of which `most` lines are kept; then one says that there were more."""
    last = int(await conn.scalar(_ENDS, task=task))
    room = max(0, most - last)
    kept = [*lines[:room], "… the log is full; what follows is not kept"] if len(lines) > room else lines
    if last <= most:
        rows = [{"task": task, "number": last + 1 + n, "line": line} for n, line in enumerate(kept)]
        await conn.many(_ADD_LINE, rows)


async def lines(conn: Conn, task: int, *, after: int = 0, limit: int = 6_000) -> list[Row]:
    """`at` (microseconds) and `line`, in order; `after` so many lines."""
    return await conn.all(_LINES, task=task, after=after, limit=limit)


# -- executions and tasks


@dataclass(frozen=True, slots=True)
class Execution:
    """Something that was asked for.  Times are microseconds since the epoch, None while it is not over."""

    id: int
    kind: str
    owner: int
    trigger: str
    status: str
    asked_by: str
    parameters: Facts
    created_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of an execution."""

    id: int
    execution: int
    kind: str
    status: str
    stopping: bool
    tries: int
    message: str
    worker: str | None
    progress: Facts
    result: Facts
    created_at: int
    started_at: int | None
    ended_at: int | None


_EXECUTION = select(executions)
_BY_ID = _EXECUTION.where(executions.c.id == bindparam("execution"))
_TASKS = select(tasks).where(tasks.c.execution_id == bindparam("execution")).order_by(tasks.c.id)
_TASK = select(tasks).where(tasks.c.id == bindparam("task"))
_RESULTS = (
    select(tasks.c.execution_id, tasks.c.result)
    .where(
        tasks.c.kind == bindparam("kind"),
        tasks.c.execution_id >= bindparam("first"),
        tasks.c.execution_id <= bindparam("last"),
        tasks.c.ended_at.is_not(None),
    )
    .order_by(tasks.c.id)
)


def _execution(row: Row) -> Execution:
    return Execution(
        row["id"],
        row["kind"],
        row["owner_id"],
        row["trigger"],
        row["status"],
        row["asked_by"],
        json.loads(row["parameters"]),
        row["created_at"],
        row["ended_at"],
    )


def _task(row: Row) -> TaskRecord:
    return TaskRecord(
        row["id"],
        row["execution_id"],
        row["kind"],
        row["status"],
        bool(row["stopping"]),
        row["tries"],
        row["message"],
        row["worker"],
        json.loads(row["progress"]),
        json.loads(row["result"]),
        row["created_at"],
        row["started_at"],
        row["ended_at"],
    )


async def execution(conn: Conn, id: int, kind: str | None = None) -> Execution | None:
    """One execution, if it is of that kind."""
    row = await conn.first(_BY_ID, execution=id)
    return _execution(row) if row is not None and kind in (None, row["kind"]) else None


async def listed(
    conn: Conn,
    *,
    kind: str | None = None,
    owner: int | None = None,
    statuses: Collection[str] = (),
    trigger: str | None = None,
    newest_first: bool = True,
    offset: int,
    limit: int,
) -> tuple[list[Execution], int]:
    """A page of executions, and how many there are; no `statuses` means any."""
    wanted = [
        column == value
        for column, value in (
            (executions.c.kind, kind),
            (executions.c.owner_id, owner),
            (executions.c.trigger, trigger),
        )
        if value is not None
    ]
    if statuses:
        wanted.append(executions.c.status.in_([literal(each) for each in sorted(statuses)]))
    order = executions.c.id.desc() if newest_first else executions.c.id
    chosen: Select[tuple[object, ...]] = _EXECUTION.where(*wanted).order_by(order).offset(offset).limit(limit)
    total = await conn.scalar(select(func.count()).select_from(executions).where(*wanted))
    return [_execution(row) for row in await conn.all(chosen)], int(total)


async def results(conn: Conn, kind: str, first: int, last: int) -> Mapping[int, Facts]:
    """What the tasks of each execution of a kind have answered, put together, of those with ids from `first` to `last`.

    Nothing for one of which no task has ended.
    """
    found: dict[int, dict[str, Any]] = {}
    for row in await conn.all(_RESULTS, kind=kind, first=first, last=last):
        found.setdefault(row["execution_id"], {}).update(json.loads(row["result"]))
    return found


async def tasks_of(conn: Conn, execution: int) -> list[TaskRecord]:
    """All tasks of an execution, in the order they were added."""
    return [_task(row) for row in await conn.all(_TASKS, execution=execution)]


async def task(conn: Conn, id: int) -> TaskRecord | None:
    """One task."""
    row = await conn.first(_TASK, task=id)
    return None if row is None else _task(row)


# -- queues and workers

_QUEUES = (
    select(
        queues.c.kind,
        queues.c.paused,
        func.count(tasks.c.id).label("waiting"),
        func.coalesce((now_us() - func.min(tasks.c.due_at)) / SECOND, 0).label("latency"),
    )
    .select_from(
        queues.outerjoin(tasks, and_(tasks.c.kind == queues.c.kind, tasks.c.status == PENDING, ARE_OPEN))
    )
    .group_by(queues.c.kind, queues.c.paused)
    .order_by(queues.c.kind)
)
_SEEN = upsert(workers).values(
    id=bindparam("worker"),
    host=bindparam("host"),
    pid=bindparam("pid"),
    slots=bindparam("slots"),
    started_at=now_us(),
    seen_at=now_us(),
)
_SEEN_AGAIN = _SEEN.on_conflict_do_update(index_elements=["id"], set_={"seen_at": now_us()})
_FORGET_WORKER = delete(workers).where(workers.c.id == bindparam("worker"))
_FORGET_SILENT = delete(workers).where(
    workers.c.seen_at < now_us() - bindparam("micros", type_=BigInteger),
)
_WORKERS = select(workers).order_by(workers.c.started_at, workers.c.id)
_RUNNING = (
    select(tasks)
    .where(tasks.c.status == RUNNING, tasks.c.due_at > now_us(), ARE_OPEN)
    .order_by(tasks.c.worker, tasks.c.id)
)


async def queue_states(conn: Conn) -> list[Row]:
    """Of each kind: `kind`, `paused`, `waiting` (tasks that have not begun) and `latency` (seconds the oldest has been due)."""
    return await conn.all(_QUEUES)


async def worker_seen(conn: Conn, worker: str, host: str, pid: int, slots: int) -> None:
    """A worker is alive."""
    await conn.run(_SEEN_AGAIN, worker=worker, host=host, pid=pid, slots=slots)


async def worker_left(conn: Conn, worker: str) -> None:
    """A worker has ended."""
    await conn.run(_FORGET_WORKER, worker=worker)


async def forget_silent_workers(conn: Conn, seconds: float) -> int:
    """Drop workers nobody has heard of for so long; how many."""
    return await conn.run(_FORGET_SILENT, micros=int(seconds * SECOND))


async def workers_seen(conn: Conn) -> list[Row]:
    """`id`, `host`, `pid`, `slots`, `started_at` and `seen_at` of all workers."""
    return await conn.all(_WORKERS)


async def at_work(conn: Conn) -> list[TaskRecord]:
    """Tasks that are being run now."""
    return [_task(row) for row in await conn.all(_RUNNING)]


# -- the end of history

_LAST_KEPT = (
    select(executions.c.id)
    .where(executions.c.kind == bindparam("kind"), executions.c.owner_id == bindparam("owner"))
    .order_by(executions.c.id.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_OWNERS = (
    select(executions.c.owner_id)
    .where(executions.c.kind == bindparam("kind"))
    .group_by(executions.c.owner_id)
    .having(func.count() > bindparam("kept"))
    .limit(bindparam("limit"))
)
_OLD = (
    select(executions.c.id)
    .where(
        executions.c.kind == bindparam("kind"),
        executions.c.owner_id == bindparam("owner"),
        executions.c.id <= bindparam("last"),
        executions.c.ended_at.is_not(None),
    )
    .order_by(executions.c.id)
    .limit(bindparam("limit"))
)
_FORGET = delete(executions).where(executions.c.id == bindparam("execution"))


async def sweep(conn: Conn, kind: str, kept: int, limit: int) -> int:
    """Forget the oldest executions of a kind that have ended, all but `kept` of each owner; how many, at most `limit`."""
    gone = 0
    for owner in await conn.all(_OWNERS, kind=kind, kept=kept, limit=limit):
        last = await conn.scalar(_LAST_KEPT, kind=kind, owner=owner["owner_id"], kept=kept)
        if last is None or gone >= limit:
            continue
        old = await conn.all(_OLD, kind=kind, owner=owner["owner_id"], last=last, limit=limit - gone)
        await conn.many(_FORGET, [{"execution": row["id"]} for row in old])
        gone += len(old)
    return gone
