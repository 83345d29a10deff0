"""Groups of people, and who is in them."""

from typing import Any

from sqlalchemy import SmallInteger, bindparam, delete, func, insert, select, update

from fairway.features.accounts.model import Group
from fairway.frame import events
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Field, Filters, Listing, Order
from fairway.frame.db.tables import user_group_members, user_groups, users

_BY_ID = select(user_groups).where(user_groups.c.id == bindparam("group"))
_LOCK = _BY_ID.with_for_update()
_KEEP = _BY_ID.with_for_update(read=True)
_CREATE = (
    insert(user_groups)
    .values(
        group_name=bindparam("name"),
        group_type=bindparam("type", type_=SmallInteger),
        ldap_group_dn=bindparam("dn"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(user_groups.c.id)
)
_RENAME = (
    update(user_groups)
    .where(user_groups.c.id == bindparam("group"))
    .values(group_name=bindparam("new_name"), updated_at=now_us())
)
_REMOVE = delete(user_groups).where(user_groups.c.id == bindparam("group"))
_LISTING = Listing(
    {
        "id": Field(user_groups.c.id),
        "group_name": Field(user_groups.c.group_name),
        "group_type": Field(user_groups.c.group_type),
        "ldap_group_dn": Field(user_groups.c.ldap_group_dn),
    },
    default=[("group_name", False)],
    tie=user_groups.c.id,
)


def _group(row: Row) -> Group:
    return Group(row["id"], row["group_name"], row["group_type"], row["ldap_group_dn"])


async def by_id(conn: Conn, group: int) -> Group | None:
    """The group with this id."""
    row = await conn.first(_BY_ID, group=group)
    return None if row is None else _group(row)


async def listed(
    conn: Conn, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[Group], int]:
    """One page of the groups, by name, and how many there are.  Raises BadRequest."""
    conditions = _LISTING.where(filters)
    total = int(await conn.scalar(select(func.count()).select_from(user_groups).where(*conditions)))
    page: Any = (
        select(user_groups).where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    )
    rows = await conn.all(page) if offset < total else []
    return [_group(row) for row in rows], total


async def create(conn: Conn, name: str, kind: int, dn: str, by: str) -> int:
    """Make a group; its id.  Needs a transaction.  Raises UniqueViolation when there is one of this name or DN."""
    made = int(await conn.scalar(_CREATE, name=name, type=kind, dn=dn))
    await _record(conn, "usergroup.created", Group(made, name, kind, dn), by)
    return made


async def rename(conn: Conn, group: int, name: str, by: str) -> bool:
    """Give a group another name; False when there is no such group.  Needs a transaction.  Raises UniqueViolation."""
    row = await conn.first(_LOCK, group=group)
    if row is None:
        return False
    await conn.run(_RENAME, group=group, new_name=name)
    await _record(conn, "usergroup.updated", _group({**row, "group_name": name}), by)
    return True


async def remove(conn: Conn, group: int, by: str) -> bool:
    """Delete a group, which leaves all projects; False when there is no such group.  Needs a transaction."""
    row = await conn.first(_LOCK, group=group)
    if row is None:
        return False
    await conn.run(_REMOVE, group=group)
    await _record(conn, "usergroup.deleted", _group(row), by)
    return True


async def _record(conn: Conn, kind: str, group: Group, by: str, **more: object) -> None:
    facts = {"group_id": group.id, "group": group.name, "name": group.name, "by": by, **more}
    await events.record(conn, f"usergroup:{group.id}", kind, facts)


# -- who is in them

# Whoever deletes the account waits, and then finds them here.
_PERSON = select(users.c.id, users.c.username).where(users.c.deleted_at.is_(None)).with_for_update(read=True)
_PERSON_BY_ID = _PERSON.where(users.c.id == bindparam("user"))
_PERSON_BY_NAME = _PERSON.where(users.c.username == bindparam("username"))
_JOIN = insert(user_group_members).values(
    group_id=bindparam("group"), user_id=bindparam("user"), created_at=now_us()
)
_LEAVE = delete(user_group_members).where(
    user_group_members.c.group_id == bindparam("group"), user_group_members.c.user_id == bindparam("user")
)
_WITHIN = user_group_members.join(users, users.c.id == user_group_members.c.user_id)
_MEMBERS = Listing(
    {"user_id": Field(users.c.id), "username": Field(users.c.username)},
    default=[("username", False)],
    tie=users.c.id,
)


async def members(
    conn: Conn, group: int, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[tuple[int, str]], int]:
    """One page of who is in a group, id and name, by name, and how many there are.  Raises BadRequest."""
    conditions = [user_group_members.c.group_id == group, *_MEMBERS.where(filters)]
    total = int(await conn.scalar(select(func.count()).select_from(_WITHIN).where(*conditions)))
    page: Any = (
        select(users.c.id, users.c.username)
        .select_from(_WITHIN)
        .where(*conditions)
        .order_by(*_MEMBERS.order(order))
        .offset(offset)
        .limit(limit)
    )
    rows = await conn.all(page) if offset < total else []
    return [(row["id"], row["username"]) for row in rows], total


async def keep(conn: Conn, group: int) -> Group | None:
    """A group, which nobody deletes until the transaction ends."""
    row = await conn.first(_KEEP, group=group)
    return None if row is None else _group(row)


async def add_member(conn: Conn, group: Group, person: int | str, by: str) -> int | None:
    """Let a person, by id or by name, be in a group; their id, None when there is no such person.

    Needs a transaction.  Raises UniqueViolation when they are in it already.
    """
    if isinstance(person, int):
        found = await conn.first(_PERSON_BY_ID, user=person)
    else:
        found = await conn.first(_PERSON_BY_NAME, username=person)
    if found is None:
        return None
    await conn.run(_JOIN, group=group.id, user=found["id"])
    more = {"user_id": found["id"], "name": found["username"]}
    await _record(conn, "groupmember.created", group, by, **more)
    return int(found["id"])


async def remove_member(conn: Conn, group: Group, person: int, by: str) -> bool:
    """Take a person out of a group; False when they are not in it.  Needs a transaction."""
    found = await conn.first(_PERSON_BY_ID, user=person)
    if found is None or not await conn.run(_LEAVE, group=group.id, user=person):
        return False
    await _record(conn, "groupmember.deleted", group, by, user_id=person, name=found["username"])
    return True
