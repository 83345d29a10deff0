"""The rows of roles that were made here: which there are, what they hold, who has them."""

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Text, bindparam, delete, func, insert, literal_column, select, update

from fairway.core.oci.errors import PreconditionFailed
from fairway.features.roles.model import BUILT_IN, KnownRole, Wanted
from fairway.features.roles.rules import MAX_ROLES
from fairway.frame import events
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.roles import FIRST_CUSTOM
from fairway.frame.db import Conn, Row, now_us
from fairway.frame.db.listing import Contains, Field, Listing
from fairway.frame.db.tables import members, projects, role_permissions, roles
from fairway.frame.db.types import within_ids

_BY_ID = select(roles).where(roles.c.id == bindparam("role"))
_LOCK = _BY_ID.with_for_update()
_KEEP = _BY_ID.with_for_update(read=True)  # whoever deletes the role waits, and then finds who has it
_HELD = select(role_permissions).where(within_ids(role_permissions.c.role_id, bindparam("roles")))
# As it is written in the index, which has no other rows.
_uses = members.c.role >= literal_column(str(FIRST_CUSTOM))
_USES = (
    select(members.c.role, func.count().label("number"))
    .where(_uses, within_ids(members.c.role, bindparam("roles")))
    .group_by(members.c.role)
)
_NAMED: Final = 3
_SOME_PROJECTS = (
    select(projects.c.name)
    .select_from(members.join(projects, projects.c.id == members.c.project_id))
    .where(_uses, members.c.role == bindparam("role"))
    .distinct()
    .order_by(projects.c.name)
    .limit(_NAMED + 1)
)
_LISTING = Listing({"name": Field(roles.c.name)}, default=[("name", False)], tie=roles.c.id)


async def _known(conn: Conn, rows: Iterable[Row], *, count: bool = False) -> list[KnownRole]:
    rows = list(rows)
    if not rows:
        return []
    ids = json.dumps([row["id"] for row in rows])
    held: dict[int, set[Permission]] = {row["id"]: set() for row in rows}
    for each in await conn.all(_HELD, roles=ids):
        held[each["role_id"]].add(Permission(each["resource"], each["action"]))
    uses = {each["role"]: each["number"] for each in await conn.all(_USES, roles=ids)} if count else None
    return [
        KnownRole(
            id=row["id"],
            name=row["name"],
            description=row["description"],
            permissions=frozenset(held[row["id"]]),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            members=None if uses is None else uses.get(row["id"], 0),
        )
        for row in rows
    ]


def _built_in(role: int) -> KnownRole | None:
    return next((each for each in BUILT_IN if each.id == role), None)


async def by_id(conn: Conn, role: int) -> KnownRole | None:
    """The role with this id; of one that was made here, who has it is counted."""
    if role < FIRST_CUSTOM:
        return _built_in(role)
    found = await _known(conn, await conn.all(_BY_ID, role=role), count=True)
    return found[0] if found else None


async def keep(conn: Conn, role: int) -> KnownRole | None:
    """The role with this id, which nobody changes or deletes until the transaction ends."""
    if role < FIRST_CUSTOM:
        return _built_in(role)
    found = await _known(conn, await conn.all(_KEEP, role=role))
    return found[0] if found else None


async def listed(conn: Conn, name: str = "", *, offset: int, limit: int) -> tuple[list[KnownRole], int]:
    """One page of all roles with `name` in theirs, and how many there are: the five first, then the others by name."""
    built_in = [each for each in BUILT_IN if name.lower() in each.name.lower()]
    conditions = _LISTING.where({"name": Contains(name)} if name else {})
    number = int(await conn.scalar(select(func.count()).select_from(roles).where(*conditions)))
    found = built_in[offset : offset + limit]
    if len(found) < limit and offset + len(found) < len(built_in) + number:
        page: Any = (
            select(roles)
            .where(*conditions)
            .order_by(*_LISTING.order())
            .offset(max(0, offset - len(built_in)))
            .limit(limit - len(found))
        )
        found += await _known(conn, await conn.all(page), count=True)
    return found, len(built_in) + number


_CREATE = (
    insert(roles)
    .values(
        name=bindparam("name"),
        description=bindparam("description"),
        created_at=now_us(),
        updated_at=now_us(),
    )
    .returning(roles.c.id)
)
_UPDATE = (
    update(roles)
    .where(roles.c.id == bindparam("role"))
    .values(
        name=bindparam("new_name"),
        description=bindparam("new_description", type_=Text),
        updated_at=now_us(),
    )
)
_COUNT = select(func.count()).select_from(roles)
_HOLD = insert(role_permissions).values(
    role_id=bindparam("role"), resource=bindparam("resource"), action=bindparam("action")
)
_LET_GO = delete(role_permissions).where(role_permissions.c.role_id == bindparam("role"))
_REMOVE = delete(roles).where(roles.c.id == bindparam("role"))


async def create(conn: Conn, wanted: Wanted, by: str) -> int:
    """Make a role; its id.  Needs a transaction.

    Raises UniqueViolation when there is one of this name, PreconditionFailed when there are too many.
    """
    if int(await conn.scalar(_COUNT)) >= MAX_ROLES:
        raise PreconditionFailed(f"there are {MAX_ROLES} roles already; delete one that nobody has")
    made = int(await conn.scalar(_CREATE, name=wanted.name, description=wanted.description))
    await _hold(conn, made, wanted)
    await _record(conn, "created", made, wanted, by)
    return made


async def change(conn: Conn, role: int, wanted: Wanted, by: str) -> bool:
    """Let a role that was made here be as wanted, for all who have it; False when there is none.

    Needs a transaction.  Raises UniqueViolation when another one has the name.
    """
    if await conn.first(_LOCK, role=role) is None:
        return False
    await conn.run(_UPDATE, role=role, new_name=wanted.name, new_description=wanted.description)
    await conn.run(_LET_GO, role=role)
    await _hold(conn, role, wanted)
    await _record(conn, "updated", role, wanted, by)
    return True


async def remove(conn: Conn, role: int, by: str) -> bool:
    """Delete a role that nobody has; False when there is none.  Needs a transaction.

    Raises PreconditionFailed while somebody has it.
    """
    row = await conn.first(_LOCK, role=role)
    if row is None:
        return False
    [found] = await _known(conn, [row], count=True)
    if found.members:
        names = [each["name"] for each in await conn.all(_SOME_PROJECTS, role=role)]
        where = ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")
        raise PreconditionFailed(
            f"{found.members} member(s) have the role {found.name}, in {where}; give them another role first"
        )
    await conn.run(_REMOVE, role=role)
    await _record(conn, "deleted", role, Wanted(found.name, found.description, found.permissions), by)
    return True


async def _hold(conn: Conn, role: int, wanted: Wanted) -> None:
    await conn.many(
        _HOLD,
        [
            {"role": role, "resource": resource, "action": action}
            for resource, action in sorted(wanted.permissions)
        ],
    )


async def _record(conn: Conn, what: str, role: int, wanted: Wanted, by: str) -> None:
    payload = {
        "role_id": role,
        "name": wanted.name,
        "permissions": ", ".join(map(str, sorted(wanted.permissions))),
        "by": by,
    }
    await events.record(conn, f"role:{role}", f"role.{what}", payload)
