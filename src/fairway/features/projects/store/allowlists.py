"""Lists of vulnerabilities that may pass: one of the server, and one of each project that wrote one."""

import json
from collections.abc import Sequence

from sqlalchemy import BigInteger, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.projects.model import Allowlist
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, now_us
from fairway.frame.db.tables import cve_allowlists
from fairway.frame.db.types import within_ids

SERVER = 0
"""Stands for the project of the server's own list."""

_OF_MANY = select(cve_allowlists).where(within_ids(cve_allowlists.c.project_id, bindparam("projects")))
_kept = upsert(cve_allowlists).values(
    project_id=bindparam("project"),
    items=bindparam("ids"),
    expires_at=bindparam("expires", type_=BigInteger),
    created_at=now_us(),
    updated_at=now_us(),
)
_KEEP = _kept.on_conflict_do_update(
    index_elements=["project_id"],
    set_={
        "items": _kept.excluded["items"],
        "expires_at": _kept.excluded.expires_at,
        "updated_at": _kept.excluded.updated_at,
    },
)
_DROP = delete(cve_allowlists).where(cve_allowlists.c.project_id == bindparam("project"))


async def of(conn: Conn, project: int) -> Allowlist:
    """The list of one project; an empty one if nobody has written any."""
    return (await of_many(conn, [project])).get(project, Allowlist(project=project))


async def of_many(conn: Conn, projects: Sequence[int]) -> dict[int, Allowlist]:
    """The list of each of these projects that has one."""
    if not projects:
        return {}
    return {
        row["project_id"]: Allowlist(
            tuple(json.loads(row["items"])),
            row["expires_at"],
            row["project_id"],
            row["created_at"],
            row["updated_at"],
        )
        for row in await conn.all(_OF_MANY, projects=json.dumps(projects))
    }


async def keep(conn: Conn, project: int, wanted: Allowlist) -> None:
    """Make it the list of a project.  Needs a transaction."""
    ids = json.dumps(wanted.items)
    await conn.run(_KEEP, project=project, ids=ids, expires=wanted.expires_at)


async def drop(conn: Conn, project: int) -> None:
    """Forget the list of a project.  Needs a transaction."""
    await conn.run(_DROP, project=project)


async def keep_servers(conn: Conn, wanted: Allowlist, by: Principal) -> None:
    """Make it the server's own, and say so in the audit log.  Needs a transaction."""
    await keep(conn, SERVER, wanted)
    await events.record(
        conn, "configuration", "configuration.updated", {"keys": ["cve_allowlist"], "by": by.name}
    )
