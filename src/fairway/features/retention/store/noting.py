"""Writing down what a run has decided: results of repositories, lines of the log, and what is still to be deleted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, case, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.retention.model import Judged, Line, Mark, Part
from fairway.features.retention.store import lines
from fairway.features.retention.store.results import COUNT, DECIDED, SPARE
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import retention_doomed, retention_results
from fairway.frame.db.types import within_ids
from fairway.frame.jobs.job import ERROR, RUNNING, SUCCESS

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
_DOOM = insert(retention_doomed).values(
    result_id=bindparam("result"), digest=bindparam("digest"), seen=bindparam("text")
)
_ANY_DOOMED = (
    select(retention_doomed.c.id).where(retention_doomed.c.result_id == bindparam("result")).limit(1)
)


_ENDED = case((bindparam("outcome") == literal(RUNNING), None), else_=now_us())
_NEW_WHOLE = (
    upsert(retention_results)
    .values(
        execution_id=bindparam("execution"),
        project_id=bindparam("project"),
        repository_id=bindparam("repository"),
        repository=bindparam("name"),
        status=bindparam("outcome"),
        decided=True,
        total=bindparam("judged"),
        retained=bindparam("staying"),
        kept_lines=bindparam("kept"),
        other_lines=bindparam("others"),
        started_at=now_us(),
        ended_at=_ENDED,
    )
    .on_conflict_do_nothing(index_elements=["execution_id", "repository_id"])
)
_IDS = select(_results.id, _results.repository_id).where(
    _results.execution_id == bindparam("execution"),
    within_ids(_results.repository_id, bindparam("repositories")),
)


@dataclass(frozen=True, slots=True)
class _Noted:
    """What of some images is written down."""

    total: int
    staying: int
    kept: list[Line]
    others: list[Line]
    doomed: list[tuple[str, str]]
    """Digests, and the images as they were seen."""


async def note(conn: Conn, execution: int, parts: Sequence[Part], *, dry_run: bool) -> None:
    """Write down what was decided.  Needs a transaction."""
    wholes = [(part, _noted(part.judged, dry_run=dry_run)) for part in parts if part.whole]
    await _note_wholes(conn, execution, wholes)
    for part in parts:
        if not part.whole:
            await _note_part(conn, execution, part, dry_run=dry_run)


async def _note_wholes(conn: Conn, execution: int, wholes: Sequence[tuple[Part, _Noted]]) -> None:
    """Small repositories, of which there may be very many, in few statements."""
    if not wholes:
        return
    rows = [
        {
            "execution": execution,
            "project": part.project,
            "repository": part.repository,
            "name": part.name,
            "outcome": RUNNING if noted.doomed else SUCCESS,
            "judged": noted.total,
            "staying": noted.staying,
            "kept": len(noted.kept),
            "others": len(noted.others),
        }
        for part, noted in wholes
    ]
    await conn.many(_NEW_WHOLE, rows)
    asked = json.dumps([part.repository for part, _ in wholes])
    found = await conn.all(_IDS, execution=execution, repositories=asked)
    ids = {row["repository_id"]: row["id"] for row in found}
    written, doomed = [], []
    for part, noted in wholes:
        id = ids[part.repository]
        written += [lines.row(id, 1, 0, noted.kept)] if noted.kept else []
        written += [lines.row(id, 0, 0, noted.others)] if noted.others else []
        doomed += [{"result": id, "digest": digest, "text": text} for digest, text in noted.doomed]
    await conn.many(lines.ADD, written)
    await conn.many(_DOOM, doomed)


async def _note_part(conn: Conn, execution: int, part: Part, *, dry_run: bool) -> None:
    await conn.run(
        _NEW, execution=execution, project=part.project, repository=part.repository, name=part.name
    )
    row = await conn.first(_FIND, execution=execution, repository=part.repository)
    assert row is not None
    if part.error:
        await conn.run(SPARE, result=row["id"])
        await conn.run(DECIDED, result=row["id"], outcome=ERROR, text=part.error)
        return
    noted = _noted(part.judged, dry_run=dry_run)
    added = await lines.add(conn, row["id"], 1, row["kept_lines"], noted.kept)
    more = await lines.add(conn, row["id"], 0, row["other_lines"], noted.others)
    doomed = [{"result": row["id"], "digest": digest, "text": text} for digest, text in noted.doomed]
    await conn.many(_DOOM, doomed)
    await conn.run(
        COUNT,
        result=row["id"],
        judged=noted.total,
        staying=noted.staying,
        went=0,
        more_kept=added,
        more_others=more,
    )
    if part.last:
        open_still = await conn.first(_ANY_DOOMED, result=row["id"]) is not None
        await conn.run(DECIDED, result=row["id"], outcome=RUNNING if open_still else SUCCESS, text="")


def _noted(judged: Sequence[Judged], *, dry_run: bool) -> _Noted:
    noted = _Noted(
        sum(len(each.verdicts) for each in judged),
        sum(verdict.mark is not Mark.DEL for each in judged for verdict in each.verdicts),
        [],
        [],
        [],
    )
    for each in judged:
        for verdict in each.verdicts:
            if verdict.mark is not Mark.DEL:
                noted.kept.append(lines.line(each.candidate, verdict))
            elif dry_run:
                noted.others.append(lines.line(each.candidate, verdict))
        if not dry_run and (each.goes or each.tags_that_go):
            noted.doomed.extend((each.candidate.digest, text) for text in _seen(each))
    return noted


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
