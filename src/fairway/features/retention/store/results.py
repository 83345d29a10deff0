"""What runs decided: a result of each repository, its lines, and what is still to be deleted.

Lines are kept some together, what stays apart from the rest.  Of either sort MOST_LINES are kept; all are counted.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.core.oci.digest import Digest
from fairway.features.retention.model import (
    Candidate,
    Doomed,
    Judged,
    Line,
    Mark,
    Outcome,
    Part,
    Result,
    Tagged,
    Verdict,
)
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import retention_doomed, retention_lines, retention_results
from fairway.frame.jobs.job import ERROR, RUNNING, SUCCESS

MOST_LINES: Final = 50_000
TAGS_AT_A_TIME: Final = 40
"""Tags of one image that are deleted in one transaction, when the image stays."""

_results = retention_results.c
_NEW = (
    upsert(retention_results)
    .values(
        execution_id=bindparam("execution"),
        project_id=bindparam("project"),
        repository_id=bindparam("repository"),
        repository=bindparam("name"),
        status=RUNNING,
        started_at=now_us(),
    )
    .on_conflict_do_nothing(index_elements=["execution_id", "repository_id"])
)
_FIND = select(_results.id, _results.kept_lines, _results.other_lines).where(
    _results.execution_id == bindparam("execution"), _results.repository_id == bindparam("repository")
)
_COUNT = (
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
_DECIDED = (
    update(retention_results)
    .where(_results.id == bindparam("result"))
    .values(
        decided=True,
        status=bindparam("outcome"),
        message=bindparam("text"),
        ended_at=case((bindparam("outcome") == literal(RUNNING), None), else_=now_us()),
    )
)
_ADD_LINES = insert(retention_lines).values(
    result_id=bindparam("result"),
    kept=bindparam("sort"),
    first=bindparam("after"),
    number=bindparam("count"),
    lines=bindparam("text"),
)
_DOOM = insert(retention_doomed).values(
    result_id=bindparam("result"), digest=bindparam("digest"), seen=bindparam("text")
)
_SPARE = delete(retention_doomed).where(retention_doomed.c.result_id == bindparam("result"))
_ANY_DOOMED = (
    select(retention_doomed.c.id).where(retention_doomed.c.result_id == bindparam("result")).limit(1)
)


async def note(conn: Conn, execution: int, parts: Sequence[Part], *, dry_run: bool) -> None:
    """Write down what was decided.  Needs a transaction."""
    for part in parts:
        await conn.run(
            _NEW, execution=execution, project=part.project, repository=part.repository, name=part.name
        )
        row = await conn.first(_FIND, execution=execution, repository=part.repository)
        assert row is not None
        if part.error:
            await conn.run(_SPARE, result=row["id"])
            await conn.run(_DECIDED, result=row["id"], outcome=ERROR, text=part.error)
            continue
        await _note_judged(conn, row, part.judged, dry_run=dry_run)
        if part.last:
            open_still = await conn.first(_ANY_DOOMED, result=row["id"]) is not None
            await conn.run(_DECIDED, result=row["id"], outcome=RUNNING if open_still else SUCCESS, text="")


async def _note_judged(conn: Conn, row: Row, judged: Sequence[Judged], *, dry_run: bool) -> None:
    kept: list[Line] = []
    others: list[Line] = []
    doomed = []
    total = staying = 0
    for each in judged:
        total += len(each.verdicts)
        for verdict in each.verdicts:
            stays = verdict.mark is not Mark.DEL
            staying += stays
            if stays:
                kept.append(line(each.candidate, verdict))
            elif dry_run:
                others.append(line(each.candidate, verdict))
        if not dry_run and (each.goes or each.tags_that_go):
            doomed += [{"result": row["id"], "digest": each.candidate.digest, "text": t} for t in _seen(each)]
    added = await _add_lines(conn, row["id"], 1, row["kept_lines"], kept)
    more = await _add_lines(conn, row["id"], 0, row["other_lines"], others)
    await conn.many(_DOOM, doomed)
    await conn.run(
        _COUNT, result=row["id"], judged=total, staying=staying, went=0, more_kept=added, more_others=more
    )


async def _add_lines(conn: Conn, result: int, sort: int, after: int, lines: Sequence[Line]) -> int:
    lines = lines[: max(0, MOST_LINES - after)]
    if lines:
        text = json.dumps(lines, separators=(",", ":"), ensure_ascii=False)
        await conn.run(_ADD_LINES, result=result, sort=sort, after=after, count=len(lines), text=text)
    return len(lines)


def line(image: Candidate, verdict: Verdict) -> Line:
    """A verdict as a line of the log, with the times it was decided by."""
    about = image.tags
    created = image.created_at
    pushed, pulled = [image.pushed_at], [image.pulled_at]
    if len(verdict.tags) < len(about):  # one of several tags, by itself
        about = tuple(tag for tag in about if tag.name in verdict.tags)
        created, pushed, pulled = min(tag.created_at for tag in about), [], []
    pushed += [tag.pushed_at for tag in about]
    pulled += [tag.pulled_at for tag in about]
    return [
        image.digest,
        list(verdict.tags),
        image.kind,
        list(image.labels),
        max(pushed),
        max((each for each in pulled if each is not None), default=None),
        created,
        verdict.mark.value,
        verdict.reason,
    ]


def _seen(judged: Judged) -> list[str]:
    """An image as it was when it was decided that it goes, as rows keep it: one, or one of some tags each."""
    image = judged.candidate
    seen: dict[str, Any] = {
        "id": image.id,
        "pushed": image.pushed_at,
        "pulled": image.pulled_at,
        "kind": image.kind,
        "labels": image.labels,
        "created": image.created_at,
        "tags": [[tag.name, tag.pushed_at, tag.pulled_at, tag.created_at] for tag in image.tags],
    }
    going = [verdict for verdict in judged.verdicts if verdict.mark is Mark.DEL]
    if judged.goes:
        return [json.dumps({**seen, "going": [], "why": [[each.tags, each.reason] for each in going]})]
    of = {tag[0]: tag for tag in seen["tags"]}
    texts = []
    for first in range(0, len(going), TAGS_AT_A_TIME):
        some = going[first : first + TAGS_AT_A_TIME]
        names = [name for each in some for name in each.tags]
        facts = {
            **seen,
            "tags": [of[name] for name in names],
            "going": names,
            "why": [[each.tags, each.reason] for each in some],
        }
        texts.append(json.dumps(facts))
    return texts


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
    added = await _add_lines(conn, result, 0, row["other_lines"], outcome.lines)
    await conn.run(
        _COUNT,
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
    await conn.run(_SPARE, result=result)
    await conn.run(_DECIDED, result=result, outcome=ERROR if message else SUCCESS, text=message)
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
