"""What is counted about the whole server, and how it is configured."""

from collections.abc import Mapping

from sqlalchemy import func, select

from fairway.features.projects.store import belonging
from fairway.features.projects.store.granted import shown_to, visible_to
from fairway.features.system.model import Statistics
from fairway.frame import events
from fairway.frame.access.principals import Principal, User
from fairway.frame.configuration import Configuration
from fairway.frame.configuration.kinds import Value
from fairway.frame.db import Conn, Database, now_us
from fairway.frame.db.tables import projects, quota_deltas, quotas, repositories

_COUNT = select(projects.c.public, func.count().label("projects")).group_by(projects.c.public)
_REPOSITORIES = (
    select(projects.c.public, func.count().label("repositories"))
    .select_from(repositories.join(projects, projects.c.id == repositories.c.project_id))
    .group_by(projects.c.public)
)
_USED = select(
    select(func.coalesce(func.sum(quotas.c.used), 0)).scalar_subquery()
    + select(func.coalesce(func.sum(quota_deltas.c.delta), 0)).scalar_subquery()
)
_NOW = select(now_us())


async def statistics(db: Database, viewer: Principal) -> Statistics:
    """Projects and repositories that `viewer` may see; for a system administrator all, and the bytes they are charged."""
    everything = counts_everything(viewer)
    visible = belonging.LIVE if everything else visible_to(viewer)
    listed = belonging.LIVE if everything else shown_to(viewer)

    async def read(conn: Conn) -> Statistics:
        counted = await conn.all(_COUNT.where(visible))
        of = {bool(row["public"]): row["projects"] for row in counted}
        counted = await conn.all(_REPOSITORIES.where(listed))
        within = {bool(row["public"]): row["repositories"] for row in counted}
        used = int(await conn.scalar(_USED)) if everything else 0
        return Statistics(of.get(True, 0), of.get(False, 0), within.get(True, 0), within.get(False, 0), used)

    return await db.read(read)


def counts_everything(viewer: Principal) -> bool:
    """Whether they see every project."""
    if not isinstance(viewer, User) or not viewer.sysadmin:
        return False
    return viewer.scope is None or viewer.scope.projects is None


async def now(conn: Conn) -> int:
    """The database's time, in microseconds since the epoch."""
    return int(await conn.scalar(_NOW))


async def configure(conn: Conn, chosen: Configuration, values: Mapping[str, Value], by: Principal) -> None:
    """Keep what was chosen, and say so in the audit log, where only the keys are named.  Needs a transaction."""
    await chosen.change(conn, values)
    await record(conn, sorted(values), by)


async def record(conn: Conn, what: list[str], by: Principal) -> None:
    """`what` was configured."""
    await events.record(conn, "configuration", "configuration.updated", {"keys": what, "by": by.name})
