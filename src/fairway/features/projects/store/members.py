"""Which people and groups of people belong to a project, and in which role."""

from typing import Any

from sqlalchemy import BigInteger, Integer, SmallInteger, bindparam, delete, func, insert, select, update

from fairway.features.accounts.model import LDAP
from fairway.features.projects.model import GROUP, PERSON, GroupRef, Member
from fairway.features.projects.store.belonging import keep
from fairway.frame import events
from fairway.frame.access.principals import Principal
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Contains, Field, Listing
from fairway.frame.db.tables import members, projects, roles, user_groups, users
from fairway.frame.db.types import Id, Name

_in_project = members.c.project_id == bindparam("project", type_=BigInteger)
_named = members.outerjoin(users, users.c.id == members.c.user_id).outerjoin(
    user_groups, user_groups.c.id == members.c.group_id
)
_name = func.coalesce(users.c.username, user_groups.c.group_name, type_=Name)
_MEMBER = select(
    members.c.id,
    members.c.project_id,
    members.c.user_id,
    members.c.group_id,
    _name.label("name"),
    members.c.role,
    roles.c.name.label("made_here"),
).select_from(_named.outerjoin(roles, roles.c.id == members.c.role))
_BY_ID = _MEMBER.where(_in_project, members.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update(of=members)
_COUNT = select(func.count()).select_from(_named).where(_in_project)
_BY_ROLE = select(members.c.role, func.count().label("number")).where(_in_project).group_by(members.c.role)
_LISTING = Listing({"entityname": Field(_name)}, default=[("entityname", False)], tie=members.c.id)

# Whoever deletes the account or the group waits, and then finds the membership.
_PERSON = (
    select(users.c.id, users.c.username.label("name"))
    .where(users.c.deleted_at.is_(None))
    .with_for_update(read=True)
)
_PERSON_BY_NAME = _PERSON.where(users.c.username == bindparam("username"))
_PERSON_BY_ID = _PERSON.where(users.c.id == bindparam("user"))
_GROUP = select(user_groups.c.id, user_groups.c.group_name.label("name")).with_for_update(read=True)
_GROUP_BY_ID = _GROUP.where(user_groups.c.id == bindparam("group"))
_GROUP_BY_DN = _GROUP.where(user_groups.c.ldap_group_dn == bindparam("dn"), user_groups.c.group_type == LDAP)
_GROUP_BY_NAME = (
    _GROUP.where(
        user_groups.c.group_name == bindparam("name"),
        user_groups.c.group_type == bindparam("type", type_=SmallInteger),
    )
    .order_by(user_groups.c.id)
    .limit(1)
)
_ADD = (
    insert(members)
    .values(
        project_id=bindparam("project"),
        user_id=bindparam("user", type_=Id),
        group_id=bindparam("group", type_=Id),
        role=bindparam("role", type_=Integer),
        created_at=now_us(),
    )
    .returning(members.c.id)
)
_SET_ROLE = (
    update(members)
    .where(members.c.id == bindparam("member"))
    .values(role=bindparam("new_role", type_=Integer))
)
_REMOVE = delete(members).where(members.c.id == bindparam("member"))
_PROJECT_NAME = select(projects.c.name).where(projects.c.id == bindparam("project"))


def _member(row: Row) -> Member:
    of_group = row["user_id"] is None
    return Member(
        id=row["id"],
        project=row["project_id"],
        entity=row["group_id"] if of_group else row["user_id"],
        name=row["name"],
        role=row["role"],
        kind=GROUP if of_group else PERSON,
        made_here=row["made_here"] or "",
    )


async def by_id(conn: Conn, project: int, member: int, *, lock: bool = False) -> Member | None:
    """The member of this project with this id; with `lock`, nobody else changes it until the transaction ends."""
    row = await conn.first(_LOCK if lock else _BY_ID, project=project, id=member)
    return None if row is None else _member(row)


async def listed(
    conn: Conn, project: int, name: str = "", *, offset: int, limit: int
) -> tuple[list[Member], int]:
    """One page of the members whose names have `name` in them, by name, and how many there are."""
    conditions = _LISTING.where({"entityname": Contains(name)} if name else {})
    total = int(await conn.scalar(_COUNT.where(*conditions), project=project))
    page: Any = (
        _MEMBER.where(_in_project, *conditions).order_by(*_LISTING.order()).offset(offset).limit(limit)
    )
    rows = await conn.all(page, project=project) if offset < total else []
    return [_member(row) for row in rows], total


async def by_role(conn: Conn, project: int) -> dict[int, int]:
    """How many members there are of each role that anybody has, by its id."""
    return {row["role"]: row["number"] for row in await conn.all(_BY_ROLE, project=project)}


async def add(conn: Conn, project: int, person: int | str, role: int, by: Principal) -> int | None:
    """Let a person, by id or by name, belong to a project; the membership's id, None when there is no such person.

    Needs a transaction.  Raises UniqueViolation when they belong to it already, ReferenceViolation when the project is
    gone.
    """
    if isinstance(person, int):
        found = await conn.first(_PERSON_BY_ID, user=person)
    else:
        found = await conn.first(_PERSON_BY_NAME, username=person)
    return None if found is None else await _add(conn, project, found, PERSON, role, by)


async def add_group(conn: Conn, project: int, group: GroupRef, role: int, by: Principal) -> int | None:
    """The same for everybody who is in a group."""
    if group.id:
        found = await conn.first(_GROUP_BY_ID, group=group.id)
    elif group.dn:
        found = await conn.first(_GROUP_BY_DN, dn=group.dn)
    else:
        found = await conn.first(_GROUP_BY_NAME, name=group.name, type=group.type)
    return None if found is None else await _add(conn, project, found, GROUP, role, by)


async def _add(conn: Conn, project: int, found: Row, kind: str, role: int, by: Principal) -> int:
    await keep(conn, project)
    entity = {"user": None, "group": None, "user" if kind == PERSON else "group": found["id"]}
    made = int(await conn.scalar(_ADD, project=project, role=int(role), **entity))
    await _record(conn, "created", await by_id(conn, project, made), by)
    return made


async def set_role(conn: Conn, project: int, member: int, role: int, by: Principal) -> bool:
    """Give a member another role; False when there is no such member.  Needs a transaction."""
    row = await conn.first(_LOCK, project=project, id=member)
    if row is None:
        return False
    await conn.run(_SET_ROLE, member=member, new_role=int(role))
    await _record(conn, "updated", await by_id(conn, project, member), by)
    return True


async def remove(conn: Conn, project: int, member: int, by: Principal) -> bool:
    """Let a person or a group leave; False when there is no such member.  Needs a transaction.

    The last project administrator may go, too: a system administrator can make another one.
    """
    row = await conn.first(_LOCK, project=project, id=member)
    if row is None:
        return False
    await conn.run(_REMOVE, member=member)
    await _record(conn, "deleted", _member(row), by)
    return True


async def _record(conn: Conn, what: str, member: Member | None, by: Principal) -> None:
    assert member is not None
    payload = {
        "project_id": member.project,
        "project": await conn.scalar(_PROJECT_NAME, project=member.project),
        "member_id": member.id,
        "group_id" if member.kind == GROUP else "user_id": member.entity,
        "name": member.name,
        "role": member.role_name,
        "by": by.name,
    }
    await events.record(conn, f"project:{member.project}", f"member.{what}", payload)
