"""What recurs: each schedule enqueues an execution when its time has come, by the database's clock, once among all processes.

`next_at` only ever grows.  A clock that jumps ahead and back can therefore make a schedule rest, and a run that was missed
is made up for once, but no moment is ever run twice.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, false, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.errors import BadRequest
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.tables import queues, schedules
from fairway.frame.db.types import within
from fairway.frame.jobs import cron as crons
from fairway.frame.jobs import queue
from fairway.frame.jobs.job import SCHEDULE, Facts, Jobs
from fairway.frame.log import get_logger

_log = get_logger(__name__)

AT_A_TIME = 50
"""Schedules fired in one transaction."""
NEVER = 2**62
"""When a date comes that comes no more."""
_UNREADABLE_WAITS = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule.  Times are microseconds since the epoch."""

    id: int
    kind: str
    owner: int
    style: str
    cron: str
    parameters: Facts
    next_at: int
    created_at: int
    updated_at: int

    @property
    def comes(self) -> bool:
        """Whether there is a next time: a cron expression may name a date that comes no more."""
        return self.next_at < NEVER


_NOW = select(now_us())
_set = upsert(schedules).values(
    kind=bindparam("kind"),
    owner_id=bindparam("owner"),
    style=bindparam("style"),
    cron=bindparam("cron"),
    parameters=bindparam("parameters"),
    asked_by=bindparam("asked_by"),
    next_at=bindparam("next_at"),
    created_at=now_us(),
    updated_at=now_us(),
)
_SET = _set.on_conflict_do_update(
    index_elements=["kind", "owner_id"],
    set_={
        "style": _set.excluded.style,
        "cron": _set.excluded.cron,
        "parameters": _set.excluded.parameters,
        "asked_by": _set.excluded.asked_by,
        "next_at": _set.excluded.next_at,
        "updated_at": now_us(),
    },
).returning(schedules.c.id)
_OF = select(schedules).where(
    schedules.c.kind == bindparam("kind"), schedules.c.owner_id == bindparam("owner")
)
_REMOVE = delete(schedules).where(
    schedules.c.kind == bindparam("kind"), schedules.c.owner_id == bindparam("owner")
)
_ALL = select(schedules).order_by(schedules.c.id).offset(bindparam("skip")).limit(bindparam("most"))
_COUNT = select(func.count()).select_from(schedules)
# No bare column: what is due is found by its time, not among all of a kind.
_of_known_kind = within(schedules.c.kind.concat(""), bindparam("kinds"))
_DUE = (
    select(schedules)
    .where(schedules.c.next_at <= now_us(), _of_known_kind)
    .order_by(schedules.c.next_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ANY_DUE = select(schedules.c.id).where(schedules.c.next_at <= now_us(), _of_known_kind).limit(1)
_MOVE = update(schedules).where(schedules.c.id == bindparam("schedule")).values(next_at=bindparam("at"))
_LOCK = (
    select(queues.c.kind)
    .where(queues.c.kind == bindparam("kind"), queues.c.paused == false())
    .with_for_update(skip_locked=True)
)


async def put(
    conn: Conn, kind: str, style: str, cron: str, *, owner: int = 0, parameters: Facts, asked_by: str
) -> int:
    """Make or replace the schedule of a kind and owner; its id.  `cron` comes from `cron.expression`."""
    now = int(await conn.scalar(_NOW))
    next_at = crons.next_after(cron, now)
    if next_at is None:
        raise BadRequest("this cron expression names a date that never comes")
    return int(
        await conn.scalar(
            _SET,
            kind=kind,
            owner=owner,
            style=style,
            cron=cron,
            parameters=json.dumps(dict(parameters)),
            asked_by=asked_by,
            next_at=next_at,
        )
    )


async def of(conn: Conn, kind: str, owner: int = 0) -> Schedule | None:
    """The schedule of a kind and owner."""
    row = await conn.first(_OF, kind=kind, owner=owner)
    return None if row is None else _schedule(row)


async def remove(conn: Conn, kind: str, owner: int = 0) -> bool:
    """Drop it; False when there was none."""
    return bool(await conn.run(_REMOVE, kind=kind, owner=owner))


async def listed(conn: Conn, *, offset: int, limit: int) -> tuple[list[Schedule], int]:
    """A page of all schedules, and how many there are."""
    rows = await conn.all(_ALL, skip=offset, most=limit)
    return [_schedule(row) for row in rows], int(await conn.scalar(_COUNT))


async def anything_due(conn: Conn, kinds: Collection[str]) -> bool:
    """Is there something to fire?  A look, so that nothing is written while there is not."""
    return await conn.first(_ANY_DUE, kinds=json.dumps(sorted(kinds))) is not None


async def fire(conn: Conn, jobs: Jobs) -> list[tuple[Schedule, int | None]]:
    """Enqueue what is due; the schedules fired, each with its execution, None where the last one is not over yet.

    A schedule of a kind that this version does not have is left alone: another version's worker fires it.
    """
    if await conn.first(_LOCK, kind=queue.SCHEDULER) is None:
        return []  # paused, or somebody else is at it
    now = int(await conn.scalar(_NOW))
    fired: list[tuple[Schedule, int | None]] = []
    for row in await conn.all(_DUE, kinds=json.dumps(sorted(jobs.kinds)), most=AT_A_TIME):
        try:
            due = _schedule(row)
            arguments = jobs[due.kind].read(row["parameters"])
            next_at = crons.next_after(due.cron, max(now, due.next_at))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row must not keep the others from firing
            _log.error(
                "a schedule cannot be read; set it again, or remove it",
                schedule=row["id"],
                kind=row["kind"],
                exc_info=error,
            )
            await conn.run(_MOVE, schedule=row["id"], at=now + _UNREADABLE_WAITS)
            continue
        await conn.run(_MOVE, schedule=due.id, at=next_at or NEVER)
        execution = await queue.enqueue(
            conn,
            jobs[due.kind],
            arguments,
            trigger=SCHEDULE,
            owner=due.owner,
            asked_by=row["asked_by"],
            parameters=due.parameters,
            single=single(due.kind, due.owner),
        )
        fired.append((due, execution))
    return fired


def single(kind: str, owner: int = 0) -> str:
    """What runs of one kind and owner have in common, so that they never pile up."""
    return f"{kind}:{owner}"


def _schedule(row: Row) -> Schedule:
    return Schedule(
        row["id"],
        row["kind"],
        row["owner_id"],
        row["style"],
        row["cron"],
        json.loads(row["parameters"]),
        row["next_at"],
        row["created_at"],
        row["updated_at"],
    )
