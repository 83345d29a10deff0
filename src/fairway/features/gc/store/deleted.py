"""Deleted manifests whose time is over: nobody can have them back, and what they kept here is reviewed."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, delete, select, tuple_, union

from fairway.features.gc.store import reviews
from fairway.frame.db import Conn, Row
from fairway.frame.db.tables import artifacts, deleted_artifacts, deleted_links, repositories
from fairway.frame.db.types import within_ids

_OVER = (
    select(deleted_artifacts.c.id, deleted_artifacts.c.project_id, deleted_artifacts.c.until_at)
    .where(
        deleted_artifacts.c.until_at <= bindparam("undo"),
        tuple_(deleted_artifacts.c.until_at, deleted_artifacts.c.id)
        > tuple_(bindparam("at", type_=BigInteger), bindparam("after", type_=BigInteger)),
    )
    .order_by(deleted_artifacts.c.until_at, deleted_artifacts.c.id)
    .limit(bindparam("limit"))
)


async def over(conn: Conn, undo: int, after: tuple[int, int], limit: int) -> list[Row]:
    """id, project_id and until_at of those whose time ends at `undo` or before, those that follow `after`."""
    at, id_ = after
    return await conn.all(_OVER, undo=undo, at=at, after=id_, limit=limit)


def _kept(ids: ColumnElement[str]) -> Select[Any]:
    """What these (a JSON array of ids) have kept here: what they named, and who is about them."""
    about = deleted_artifacts.join(
        repositories,
        (repositories.c.project_id == deleted_artifacts.c.project_id)
        & (repositories.c.name == deleted_artifacts.c.repository),
    ).join(
        artifacts,
        (artifacts.c.repository_id == repositories.c.id)
        & (artifacts.c.subject == deleted_artifacts.c.digest),
    )
    found = union(
        select(deleted_links.c.digest).where(within_ids(deleted_links.c.deleted_id, ids)),
        select(artifacts.c.digest).select_from(about).where(within_ids(deleted_artifacts.c.id, ids)),
    ).subquery("kept")
    return select(found.c.digest)


_KEPT = _kept(bindparam("ids"))
_LOCK = (
    select(deleted_artifacts.c.id)
    .where(within_ids(deleted_artifacts.c.id, bindparam("ids")))
    .order_by(deleted_artifacts.c.id)
    .with_for_update(skip_locked=True)
)
_FOLLOW_UP = reviews.at_once(bindparam("project", type_=BigInteger), _KEPT, "deletion is final")
_DROP = delete(deleted_artifacts).where(within_ids(deleted_artifacts.c.id, bindparam("ids")))


async def kept(conn: Conn, ids: Sequence[int]) -> list[str]:
    """The digests that these have kept here."""
    return [row["digest"] for row in await conn.all(_KEPT, ids=json.dumps(list(ids)))]


async def drop(conn: Conn, project: int, ids: Sequence[int]) -> int:
    """Forget these of one project, apart from what is being had back just now; how many."""
    rows = await conn.all(_LOCK, ids=json.dumps(list(ids)))
    array = json.dumps([row["id"] for row in rows])
    await conn.run(_FOLLOW_UP, project=project, ids=array)
    return await conn.run(_DROP, ids=array)
