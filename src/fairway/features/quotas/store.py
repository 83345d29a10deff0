"""The SQL of quotas as administrators see and set them; what charges them is frame/db/ledger.py."""

from typing import Any

from sqlalchemy import BigInteger, bindparam, cast, delete, func, select, update

from fairway.features.artifacts import charges
from fairway.features.quotas.model import Quota
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, ledger, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import project_blobs, projects, quota_deltas, quotas, users

_deltas = (
    select(quota_deltas.c.project_id, cast(func.sum(quota_deltas.c.delta), BigInteger).label("delta"))
    .group_by(quota_deltas.c.project_id)
    .subquery()
)
_used = quotas.c.used + func.coalesce(_deltas.c.delta, 0)
_of_projects = (
    quotas.join(projects, projects.c.id == quotas.c.project_id)
    .outerjoin(users, users.c.id == projects.c.owner_id)
    .outerjoin(_deltas, _deltas.c.project_id == quotas.c.project_id)
)
_QUOTA = select(
    quotas.c.project_id,
    projects.c.name,
    users.c.username,
    quotas.c.hard,
    _used.label("used"),
    projects.c.created_at,
    func.coalesce(quotas.c.changed_at, projects.c.created_at).label("changed_at"),
).select_from(_of_projects)
_BY_ID = _QUOTA.where(quotas.c.project_id == bindparam("project"))
_LISTING = Listing(
    {
        "id": Field(quotas.c.project_id),
        "reference_id": Field(quotas.c.project_id),
        "hard.storage": Field(quotas.c.hard),
        "used.storage": Field(_used),
        "creation_time": Field(projects.c.created_at, moment=True),
    },
    default=[("id", False)],
    tie=quotas.c.project_id,
)


def _quota(row: Row) -> Quota:
    return Quota(
        project=row["project_id"],
        name=row["name"],
        owner_name=row["username"],
        hard=row["hard"],
        used=row["used"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


async def by_id(conn: Conn, project: int) -> Quota | None:
    """The quota of a project."""
    row = await conn.first(_BY_ID, project=project)
    return None if row is None else _quota(row)


async def listed(
    conn: Conn, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Quota], int]:
    """One page of the quotas, by project, and how many there are.  Raises BadRequest."""
    conditions = _LISTING.where(filters)
    counted = select(func.count()).select_from(quotas).where(*conditions)
    total = int(await conn.scalar(counted))
    page: Any = _QUOTA.where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [_quota(row) for row in rows], total


_TAKE = delete(quota_deltas).where(quota_deltas.c.project_id == bindparam("project"))
_LOCK = (
    select(quotas.c.used, quotas.c.hard).where(quotas.c.project_id == bindparam("project")).with_for_update()
)


def _sum(column: Any, project: Any) -> Any:
    """The sum of a column over a project's rows, as a number of ours."""
    total = select(func.sum(column)).where(project == bindparam("project")).scalar_subquery()
    return func.coalesce(cast(total, BigInteger), 0)


_RECOUNT = (
    update(quotas)
    .where(quotas.c.project_id == bindparam("project"))
    .values(
        hard=bindparam("new_hard", type_=BigInteger),
        used=_sum(project_blobs.c.size, project_blobs.c.project_id)
        - _sum(quota_deltas.c.delta, quota_deltas.c.project_id),
        changed_at=now_us(),
    )
    .returning(quotas.c.used, quotas.c.hard)
)
_NAME = select(projects.c.name).where(projects.c.id == bindparam("project"))


async def set_limit(conn: Conn, project: int, hard: int, by: Principal) -> bool:
    """Limit what a project may store, to less than it does already if need be; False when there is no such project.

    Needs a transaction.  What is stored is counted anew under the lock of the quota's row, in one statement and so in one
    view of the database.  Deltas that a push without a limit appended meanwhile are subtracted: they are added again
    when they are folded.  They are taken before the row is locked, as folding does, so that the two never wait for each
    other.  A project whose room is scarce by its new limit, and was not by the old one, is warned.
    """
    await conn.run(_TAKE, project=project)
    before = await conn.first(_LOCK, project=project)
    if before is None:
        return False
    after = await conn.first(_RECOUNT, project=project, new_hard=hard)
    name = await conn.scalar(_NAME, project=project)
    payload = {"project_id": project, "name": name, "hard": hard, "by": by.name}
    await events.record(conn, f"project:{project}", "quota.updated", payload)
    if after is not None:
        standing = ledger.Standing(after["used"], after["hard"])
        if standing.now_scarce(ledger.Standing(before["used"], before["hard"])):
            await charges.warn(conn, project, standing, name=name, actor=by.name)
    return True


async def fold(conn: Conn) -> int:
    """Add the appended deltas to each project's use; how many projects had any.  Needs a transaction.

    One that was given a limit while pushes without a limit were on their way may become scarce of room by theirs.
    """
    folded = await ledger.fold_deltas(conn)
    for project, scarce in folded.items():
        if scarce is not None:
            await charges.warn(conn, project, scarce, name=await conn.scalar(_NAME, project=project))
    return len(folded)
