"""Lines of the log of a run, some kept together, what stays apart from the rest.  Of either sort MOST are kept."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert

from fairway.features.retention.model import Candidate, Line, Verdict
from fairway.frame.db import Conn
from fairway.frame.db.tables import retention_lines

MOST: Final = 50_000

ADD = insert(retention_lines).values(
    result_id=bindparam("result"),
    kept=bindparam("sort"),
    first=bindparam("after"),
    number=bindparam("count"),
    lines=bindparam("text"),
)


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


async def add(conn: Conn, result: int, sort: int, after: int, lines: Sequence[Line]) -> int:
    lines = lines[: max(0, MOST - after)]
    if lines:
        await conn.run(ADD, **row(result, sort, after, lines))
    return len(lines)


def row(result: int, sort: int, after: int, lines: Sequence[Line]) -> dict[str, Any]:
    text = json.dumps(lines, separators=(",", ":"), ensure_ascii=False)
    return {"result": result, "sort": sort, "after": after, "count": len(lines), "text": text}
