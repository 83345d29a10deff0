"""The settings of projects, Harbor's metadata: one text per name.  Whether a project is public is a column of projects."""

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.frame.db import Conn
from fairway.frame.db.tables import project_metadata
from fairway.frame.db.types import within_ids

_OF_MANY = (
    select(project_metadata)
    .where(within_ids(project_metadata.c.project_id, bindparam("projects")))
    .order_by(project_metadata.c.project_id, project_metadata.c.name)
)
_of_one = (
    project_metadata.c.project_id == bindparam("project"),
    project_metadata.c.name == bindparam("key"),
)
_DROP = delete(project_metadata).where(*_of_one)
_kept = upsert(project_metadata).values(
    project_id=bindparam("project"), name=bindparam("key"), value=bindparam("value")
)
_KEEP = _kept.on_conflict_do_update(
    index_elements=["project_id", "name"], set_={"value": _kept.excluded.value}
)


async def of(conn: Conn, project: int) -> dict[str, str]:
    """The settings of one project."""
    return (await of_many(conn, [project])).get(project, {})


async def of_many(conn: Conn, projects: Sequence[int]) -> dict[int, dict[str, str]]:
    """The settings of each of these projects that has any."""
    if not projects:
        return {}
    found: dict[int, dict[str, str]] = {}
    for row in await conn.all(_OF_MANY, projects=json.dumps(projects)):
        found.setdefault(row["project_id"], {})[row["name"]] = row["value"]
    return found


async def keep(conn: Conn, project: int, name: str, value: str) -> None:
    """Set one of them.  Needs a transaction."""
    await conn.run(_KEEP, project=project, key=name, value=value)


async def drop(conn: Conn, project: int, name: str) -> bool:
    """Remove one of them; False when it was not set.  Needs a transaction."""
    return await conn.run(_DROP, project=project, key=name) == 1
