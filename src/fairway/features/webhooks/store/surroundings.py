"""What events do not say of where they happened, and payloads do."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select

from fairway.features.webhooks.payloads.notice import Surroundings
from fairway.frame.db import Conn
from fairway.frame.db.tables import projects, repositories

_created_at = (
    select(repositories.c.created_at)
    .where(repositories.c.project_id == bindparam("project"), repositories.c.name == bindparam("repository"))
    .scalar_subquery()
    .label("created_at")
)
_READ = select(projects.c.name, projects.c.public, projects.c.deleted_at, _created_at).where(
    projects.c.id == bindparam("project")
)


async def of(conn: Conn, host: str, project: int, facts: Mapping[str, Any]) -> Surroundings:
    """Where an event happened; of a project that is gone, as far as the event says it."""
    full = str(facts.get("repository") or "")
    row = await conn.first(_READ, project=project, repository=full.partition("/")[2])
    if row is None or row["deleted_at"] is not None:
        name = full.partition("/")[0] or str(facts.get("project") or facts.get("name") or "")
        return Surroundings(host, project, name, False, None)
    return Surroundings(host, project, row["name"], bool(row["public"]), row["created_at"])
