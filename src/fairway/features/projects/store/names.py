"""What projects are called, and were called: a former name leads to the project until somebody lets go of it.

No name is a project's and another's former one.  Whoever gives a name to a project writes the project's row first, where
the unique index makes everybody wait who wants the same name or has just given it up, and asks about former names then.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from fairway.core.oci.errors import BadRequest
from fairway.core.oci.names import MAX_NAME
from fairway.features.projects.rules import MAX_ALIASES
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, UniqueViolation, now_us
from fairway.frame.db.tables import project_aliases, projects, repositories

_TAKEN: Final = "the project {} exists already"
"""The same for a name and for a former one: who may not see the project must not learn which of the two it is."""


def called(parameter: str) -> ColumnElement[int]:
    """The id of the project whose name, or else whose former name, is the bound `parameter`: one look into an index for
    most, in the one view of the database that the whole statement has."""
    wanted: ColumnElement[str] = bindparam(parameter)
    now = select(projects.c.id).where(projects.c.name == wanted)
    before = select(project_aliases.c.project_id).where(project_aliases.c.name == wanted)
    # Neither may be joined with what is asked around it.
    return func.coalesce(
        now.correlate(None).scalar_subquery(), before.correlate(None).scalar_subquery(), type_=BigInteger
    )


_IS_FORMER = select(exists(select(literal(1)).where(project_aliases.c.name == bindparam("name"))))


async def require_not_former(conn: Conn, name: str) -> None:
    """Raise UniqueViolation when a name leads to another project.  To be asked when the name is in `projects`."""
    if await conn.scalar(_IS_FORMER, name=name):
        raise UniqueViolation(_TAKEN.format(name))


_LOCK = (
    select(projects.c.name)
    .where(projects.c.id == bindparam("project"), projects.c.deleted_at.is_(None))
    .with_for_update()
)
_LONGEST = select(func.max(func.length(repositories.c.name))).where(
    repositories.c.project_id == bindparam("project")
)
_RENAME = (
    update(projects)
    .where(projects.c.id == bindparam("project"))
    .values(name=bindparam("new_name"), updated_at=now_us())
)
_ADD = insert(project_aliases).values(
    name=bindparam("former"), project_id=bindparam("project"), created_at=now_us()
)
_DROP = delete(project_aliases).where(
    project_aliases.c.project_id == bindparam("project"), project_aliases.c.name == bindparam("former")
)
_OF = (
    select(project_aliases.c.name, project_aliases.c.created_at)
    .where(project_aliases.c.project_id == bindparam("project"))
    .order_by(project_aliases.c.created_at.desc(), project_aliases.c.name)
)


async def rename(conn: Conn, project: int, name: str, by: Principal) -> bool:
    """Give a project another name; the one it had leads to it from now on.  False when there is no such project.

    Needs a transaction.  Raises UniqueViolation when the name is another project's, be it a former one, and BadRequest
    when it has too many former names, or a repository whose whole name would be too long.
    """
    row = await conn.first(_LOCK, project=project)
    if row is None:
        return False
    former = row["name"]
    if name == former:
        return True
    await _require_room(conn, project, name)
    await conn.run(_DROP, project=project, former=name)  # back to a name it had
    await conn.run(_RENAME, project=project, new_name=name)
    await require_not_former(conn, name)
    await conn.run(_ADD, project=project, former=former)
    if len(await aliases(conn, project)) > MAX_ALIASES:
        raise BadRequest(
            f"a project has up to {MAX_ALIASES} former names; let go of one that nobody uses any more: "
            f"fairway project alias drop {former} NAME"
        )
    payload = {"project_id": project, "name": name, "former": former, "by": by.name}
    await events.record(conn, f"project:{project}", "project.name-changed", payload)
    return True


async def _require_room(conn: Conn, project: int, name: str) -> None:
    longest = int(await conn.scalar(_LONGEST, project=project) or 0)
    if longest and len(name) + 1 + longest > MAX_NAME:
        raise BadRequest(
            f"the name of a repository has {MAX_NAME} characters at most with its project, and one here would have "
            f"{len(name) + 1 + longest}; choose a name of up to {MAX_NAME - 1 - longest} characters"
        )


async def aliases(conn: Conn, project: int) -> list[Row]:
    """name and created_at of a project's former names, the last one first."""
    return await conn.all(_OF, project=project)


async def drop_alias(conn: Conn, project: int, former: str, by: Principal) -> bool:
    """Let go of a former name: anybody may call a project so from now on.  False when it is none of this project's.

    Needs a transaction.
    """
    row = await conn.first(_LOCK, project=project)
    if row is None or not await conn.run(_DROP, project=project, former=former):
        return False
    payload = {"project_id": project, "name": row["name"], "former": former, "by": by.name}
    await events.record(conn, f"project:{project}", "project.alias-dropped", payload)
    return True
