"""Policies: one of each project that has one, and one of the server for the others."""

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fairway.features.projects.store import settings
from fairway.features.projects.store.belonging import LIVE
from fairway.features.projects.store.belonging import keep as keep_project
from fairway.features.retention import asking
from fairway.features.retention.model import RETENTION, Policy, Wanted
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.tables import executions, projects, retention_exemptions, retention_policies, schedules
from fairway.frame.db.types import Id
from fairway.frame.jobs import cron as crons
from fairway.frame.jobs import queue, records
from fairway.frame.jobs import schedules as times
from fairway.frame.jobs.job import OPEN

SETTING = "retention_id"
"""Under which a project's metadata names its policy."""
_OF_ONE, _OF_ALL = "project", "system"

_of_server = retention_policies.c.project_id.is_(None)
_BY_ID = select(retention_policies).where(retention_policies.c.id == bindparam("policy"))
_OF_PROJECT = select(retention_policies).where(retention_policies.c.project_id == bindparam("project"))
_OF_SERVER = select(retention_policies).where(_of_server)
_CREATE = (
    insert(retention_policies)
    .values(
        project_id=bindparam("project", type_=Id),
        level=bindparam("level"),
        rules=bindparam("rules"),
        cron=bindparam("cron"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(retention_policies.c.id)
)
_CHANGE = (
    update(retention_policies)
    .where(retention_policies.c.id == bindparam("policy"))
    .values(
        rules=bindparam("new_rules"),
        cron=bindparam("new_cron"),
        version=retention_policies.c.version + 1,
        updated_at=now_us(),
    )
)
_REMOVE = delete(retention_policies).where(retention_policies.c.id == bindparam("policy"))


async def by_id(conn: Conn, policy: int) -> Policy | None:
    """The policy with this id."""
    row = await conn.first(_BY_ID, policy=policy)
    return None if row is None else _policy(row)


async def of_project(conn: Conn, project: int) -> Policy | None:
    """The policy of a project's own."""
    row = await conn.first(_OF_PROJECT, project=project)
    return None if row is None else _policy(row)


async def of_server(conn: Conn) -> Policy | None:
    """The policy for projects that have none of their own."""
    row = await conn.first(_OF_SERVER)
    return None if row is None else _policy(row)


def _policy(row: Row) -> Policy:
    return Policy(
        row["id"],
        row["project_id"],
        asking.read(row["rules"], row["cron"]),
        row["created_at"],
        row["updated_at"],
        row["version"],
    )


async def create(conn: Conn, project: int | None, wanted: Wanted, by: str) -> int:
    """Make the policy of a project or, with None, of the server; its id.

    Needs a transaction.  Raises UniqueViolation when there is one, ReferenceViolation when the project is gone.
    """
    await keep_project(conn, project)
    policy = int(
        await conn.scalar(
            _CREATE,
            project=project,
            level=_OF_ALL if project is None else _OF_ONE,
            rules=asking.kept(wanted),
            cron=wanted.cron,
        )
    )
    if project is not None:
        await settings.keep(conn, project, SETTING, str(policy))
    await _arrange(conn, policy, wanted.cron, by)
    return policy


async def change(conn: Conn, policy: int, wanted: Wanted, by: str) -> bool:
    """Replace what a policy says; False when there is no such policy.  A run that is under way ends.

    Needs a transaction.
    """
    if not await conn.run(_CHANGE, policy=policy, new_rules=asking.kept(wanted), new_cron=wanted.cron):
        return False
    await _arrange(conn, policy, wanted.cron, by)
    return True


async def remove(conn: Conn, policy: Policy) -> bool:
    """Delete a policy, and stop what runs for it; False when it is gone.  Needs a transaction."""
    if not await conn.run(_REMOVE, policy=policy.id):
        return False
    if policy.project is not None:
        await settings.drop(conn, policy.project, SETTING)
    await times.remove(conn, RETENTION, policy.id)
    found, _ = await records.listed(conn, kind=RETENTION, owner=policy.id, statuses=OPEN, offset=0, limit=100)
    for execution in found:
        await queue.stop(conn, execution.id)
    return True


async def _arrange(conn: Conn, policy: int, cron: str, by: str) -> None:
    if not cron:
        await times.remove(conn, RETENTION, policy)
        return
    parameters = {"policy": policy, "dry_run": False}
    await times.put(conn, RETENTION, crons.CUSTOM, cron, owner=policy, parameters=parameters, asked_by=by)


# -- projects and the policy of the server

_EXEMPT = (
    upsert(retention_exemptions)
    .values(project_id=bindparam("project"), created_at=now_us())
    .on_conflict_do_nothing(index_elements=["project_id"])
)
_NOT_EXEMPT = delete(retention_exemptions).where(retention_exemptions.c.project_id == bindparam("project"))
_IS_EXEMPT = select(retention_exemptions.c.project_id).where(
    retention_exemptions.c.project_id == bindparam("project")
)
_own = retention_policies.alias("own")
_without_own = (
    ~exists(select(_own.c.id).where(_own.c.project_id == projects.c.id)),
    ~exists(
        select(retention_exemptions.c.project_id).where(retention_exemptions.c.project_id == projects.c.id)
    ),
)
_PROJECTS = (
    select(projects.c.id, projects.c.name)
    .where(projects.c.id > bindparam("after"), LIVE, *_without_own)
    .order_by(projects.c.id)
    .limit(bindparam("limit"))
)
_PROJECT = select(projects.c.id, projects.c.name).where(projects.c.id == bindparam("project"), LIVE)
# Shared: whoever changes the policy waits until what it decided just now is done.
_IN_FORCE = (
    select(retention_policies.c.id)
    .where(
        retention_policies.c.id == bindparam("policy"),
        retention_policies.c.version == bindparam("version"),
        exists(
            select(projects.c.id).where(
                projects.c.id == bindparam("project"),
                LIVE,
                or_(
                    retention_policies.c.project_id == projects.c.id,
                    _of_server & _without_own[0] & _without_own[1],
                ),
            )
        ),
    )
    .with_for_update(read=True, of=retention_policies)
)


async def exempt(conn: Conn, project: int, *, exempted: bool) -> None:
    """Whether a project does without the policy of the server.  Needs a transaction."""
    await conn.run(_EXEMPT if exempted else _NOT_EXEMPT, project=project)


async def is_exempt(conn: Conn, project: int) -> bool:
    """Whether it does."""
    return await conn.first(_IS_EXEMPT, project=project) is not None


async def projects_under(conn: Conn, policy: Policy, after: int, limit: int) -> list[tuple[int, str]]:
    """Ids and names of some projects that a policy is for, those that follow `after`."""
    if policy.project is not None:
        rows = await conn.all(_PROJECT, project=policy.project) if policy.project > after else []
    else:
        rows = await conn.all(_PROJECTS, after=after, limit=limit)
    return [(row["id"], row["name"]) for row in rows]


async def in_force(conn: Conn, policy: Policy, project: int) -> bool:
    """Whether a policy still says what it said, and for this project; it stays so until the transaction ends."""
    return (
        await conn.first(_IN_FORCE, policy=policy.id, version=policy.version, project=project)
    ) is not None


# -- what deleted policies leave

_some_policy = select(retention_policies.c.id)
_ORPHANS = (
    select(executions.c.id)
    .where(
        executions.c.kind == RETENTION,
        executions.c.ended_at.is_not(None),
        executions.c.owner_id.not_in(_some_policy.scalar_subquery()),
    )
    .limit(bindparam("limit"))
)
_FORGET = delete(executions).where(executions.c.id == bindparam("execution"))
_FORGET_TIMES = delete(schedules).where(
    schedules.c.kind == RETENTION, schedules.c.owner_id.not_in(_some_policy.scalar_subquery())
)


async def forget_orphans(conn: Conn, limit: int) -> int:
    """Drop schedules, and some of the history, of policies that are gone with their projects; how many of these."""
    await conn.run(_FORGET_TIMES)
    rows = await conn.all(_ORPHANS, limit=limit)
    await conn.many(_FORGET, [{"execution": row["id"]} for row in rows])
    return len(rows)
