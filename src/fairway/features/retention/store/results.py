"""What runs decided: a result of each repository, and what is still to be deleted."""

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, case, delete, func, literal, select, update

from fairway.core.oci.digest import Digest
from fairway.features.retention.model import (
    Candidate,
    Doomed,
    Line,
    Mark,
    Outcome,
    Result,
    Tagged,
    Verdict,
)
from fairway.features.retention.store import lines as kept_lines
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import retention_doomed, retention_lines, retention_results
from fairway.frame.jobs.job import ERROR, RUNNING, SUCCESS

_results = retention_results.c
COUNT = (
    update(retention_results)
    .where(_results.id == bindparam("result"))
    .values(
        total=_results.total + bindparam("judged"),
        retained=_results.retained + bindparam("staying"),
        gone=_results.gone + bindparam("went"),
        kept_lines=_results.kept_lines + bindparam("more_kept"),
        other_lines=_results.other_lines + bindparam("more_others"),
    )
)
DECIDED = (
    update(retention_results)
    .where(_results.id == bindparam("result"))
    .values(
        decided=True,
        status=bindparam("outcome"),
        message=bindparam("text"),
        ended_at=case((bindparam("outcome") == literal(RUNNING), None), else_=now_us()),
    )
)
SPARE = delete(retention_doomed).where(retention_doomed.c.result_id == bindparam("result"))
# -- carrying it out

_OPEN = (
    select(retention_results)
    .where(
        _results.execution_id == bindparam("execution"),
        _results.id > bindparam("after"),
        _results.status == RUNNING,
    )
    .order_by(_results.id)
    .limit(bindparam("limit"))
)
_DOOMED = (
    select(retention_doomed)
    .where(retention_doomed.c.result_id == bindparam("result"))
    .order_by(retention_doomed.c.id)
    .limit(bindparam("limit"))
)
_LEFT = (
    select(func.count())
    .select_from(retention_doomed.join(retention_results, _results.id == retention_doomed.c.result_id))
    .where(_results.execution_id == bindparam("execution"))
)
_DONE = delete(retention_doomed).where(retention_doomed.c.id == bindparam("number"))
_LAST = (
    select(retention_results)
    .where(_results.execution_id == bindparam("execution"))
    .order_by(_results.id.desc())
    .limit(1)
)
_DROP_HALF = delete(retention_results).where(
    _results.execution_id == bindparam("execution"), _results.decided.is_(False)
)


async def drop_half_decided(conn: Conn, execution: int) -> Result | None:
    """Forget the repository that an attempt that died was at; the last one that was decided.  Needs a transaction."""
    await conn.run(_DROP_HALF, execution=execution)
    row = await conn.first(_LAST, execution=execution)
    return None if row is None else _result(row)


async def left(conn: Conn, execution: int) -> int:
    """How many images are still to be deleted."""
    return int(await conn.scalar(_LEFT, execution=execution))


async def still_open(conn: Conn, execution: int, after: int, limit: int) -> list[Result]:
    """Some results of which something is still to be deleted, those that follow the id `after`."""
    return [_result(row) for row in await conn.all(_OPEN, execution=execution, after=after, limit=limit)]


async def doomed(conn: Conn, result: int, limit: int) -> list[Doomed]:
    """Some of what is still to be deleted of a result."""
    return [_doomed(row) for row in await conn.all(_DOOMED, result=result, limit=limit)]


def _doomed(row: Row) -> Doomed:
    seen = json.loads(row["seen"])
    candidate = Candidate(
        seen["id"],
        Digest(row["digest"]),
        seen["pushed"],
        seen["pulled"],
        tuple(Tagged(*tag) for tag in seen["tags"]),
        seen["kind"],
        tuple(seen["labels"]),
        seen["created"],
    )
    verdicts = tuple(Verdict(Mark.DEL, reason, tuple(tags)) for tags, reason in seen["why"])
    return Doomed(row["id"], candidate, tuple(seen["going"]), verdicts)


async def carried_out(conn: Conn, result: int, some: Sequence[Doomed], outcome: Outcome) -> None:
    """Note what became of some of it.  Needs a transaction."""
    row = await conn.first(_ONE, result=result)
    if row is None:
        return
    added = await kept_lines.add(conn, result, 0, row["other_lines"], outcome.lines)
    await conn.run(
        COUNT,
        result=result,
        judged=0,
        staying=outcome.stayed,
        went=outcome.gone,
        more_kept=0,
        more_others=added,
    )
    await conn.many(_DONE, [{"number": each.id} for each in some])


async def finish(conn: Conn, result: int, message: str = "") -> Result | None:
    """A result is complete; as it is now.  With a message it is an error.  Needs a transaction."""
    await conn.run(SPARE, result=result)
    await conn.run(DECIDED, result=result, outcome=ERROR if message else SUCCESS, text=message)
    row = await conn.first(_ONE, result=result)
    return None if row is None else _result(row)


# -- reading

_ONE = select(retention_results).where(_results.id == bindparam("result"))
_ONE_OF = _ONE.where(_results.execution_id == bindparam("execution"))
_LISTED = (
    select(retention_results)
    .where(_results.execution_id == bindparam("execution"))
    .order_by(_results.id)
    .offset(bindparam("skip"))
    .limit(bindparam("limit"))
)
_TOTAL = select(func.count()).where(_results.execution_id == bindparam("execution"))
_SUMS = select(
    func.count().label("repositories"),
    func.coalesce(func.sum(_results.total), 0).label("total"),
    func.coalesce(func.sum(_results.retained), 0).label("retained"),
    func.coalesce(func.sum(_results.gone), 0).label("gone"),
    func.coalesce(func.sum(case((_results.status == literal(ERROR), 1), else_=0)), 0).label("failed"),
).where(_results.execution_id == bindparam("execution"))
_LINES = (
    select(retention_lines.c.first, retention_lines.c.lines)
    .where(
        retention_lines.c.result_id == bindparam("result"),
        retention_lines.c.kept == bindparam("sort"),
        retention_lines.c.first < bindparam("end"),
        retention_lines.c.first + retention_lines.c.number > bindparam("skip"),
    )
    .order_by(retention_lines.c.first)
)


async def listed(conn: Conn, execution: int, *, offset: int, limit: int) -> tuple[list[Result], int]:
    """A page of the results of a run, and how many there are."""
    rows = await conn.all(_LISTED, execution=execution, skip=offset, limit=limit)
    return [_result(row) for row in rows], int(await conn.scalar(_TOTAL, execution=execution))


async def one(conn: Conn, execution: int, result: int) -> Result | None:
    """One result of a run."""
    row = await conn.first(_ONE_OF, execution=execution, result=result)
    return None if row is None else _result(row)


async def sums(conn: Conn, execution: int) -> dict[str, int]:
    """Of all results of a run: `repositories`, `total`, `retained`, `gone` and `failed` (repositories)."""
    row = await conn.first(_SUMS, execution=execution)
    assert row is not None, "a sum has a row"
    return {name: int(row[name]) for name in ("repositories", "total", "retained", "gone", "failed")}


async def lines(conn: Conn, result: int, *, offset: int, limit: int) -> tuple[list[Line], int]:
    """Lines of a result, what goes before what stays, and how many are kept."""
    row = await conn.first(_ONE, result=result)
    if row is None:
        return [], 0
    others, kept = row["other_lines"], row["kept_lines"]
    found = await _some_lines(conn, result, 0, offset, min(limit, max(0, others - offset)))
    found += await _some_lines(conn, result, 1, max(0, offset - others), limit - len(found))
    return found, others + kept


async def _some_lines(conn: Conn, result: int, sort: int, offset: int, limit: int) -> list[Line]:
    if limit <= 0:
        return []
    rows = await conn.all(_LINES, result=result, sort=sort, skip=offset, end=offset + limit)
    found: list[Line] = []
    for row in rows:
        some = json.loads(row["lines"])
        found += some[max(0, offset - row["first"]) : offset + limit - row["first"]]
    return found


def _result(row: Row) -> Result:
    return Result(
        row["id"],
        row["execution_id"],
        row["project_id"],
        row["repository_id"],
        row["repository"],
        row["status"],
        row["message"],
        row["total"],
        row["retained"],
        row["gone"],
        row["started_at"],
        row["ended_at"],
    )
