"""Lists of vulnerabilities that may pass: one of the server, and one of each project that wrote one."""

import json

from sqlalchemy import BigInteger, ColumnElement, FromClause, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.projects.model import Allowlist
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import cve_allowlists

SERVER = 0
"""Stands for the project of the server's own list."""

COLUMNS = (
    cve_allowlists.c["items"].label("allowed"),
    cve_allowlists.c.expires_at.label("allowed_until"),
    cve_allowlists.c.created_at.label("allowed_since"),
    cve_allowlists.c.updated_at.label("allowed_changed"),
)
_OF = select(*COLUMNS).where(cve_allowlists.c.project_id == bindparam("project"))
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


def joined(rows: FromClause, project: ColumnElement[int]) -> FromClause:
    """Rows of projects, each with its list if it has one; a statement with it selects `COLUMNS`."""
    return rows.outerjoin(cve_allowlists, cve_allowlists.c.project_id == project)


def of_row(row: Row | None, project: int) -> Allowlist:
    """The list in a row with `COLUMNS`; an empty one if nobody has written any."""
    if row is None or row["allowed"] is None:
        return Allowlist(project=project)
    return Allowlist(
        tuple(json.loads(row["allowed"])),
        row["allowed_until"],
        project,
        row["allowed_since"],
        row["allowed_changed"],
    )


async def of(conn: Conn, project: int) -> Allowlist:
    """The list of one project, or of the server."""
    return of_row(await conn.first(_OF, project=project), project)


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
