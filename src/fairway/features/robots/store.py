"""The SQL of robots: who they are, what they hold, how they are made, changed and deleted."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from fairway.features.accounts.store import people
from fairway.features.projects.store.belonging import keep as keep_project
from fairway.features.projects.store.names import called
from fairway.features.robots import rules
from fairway.features.robots.model import (
    ALL_PROJECTS,
    WHOLE_SERVER,
    Access,
    Creator,
    Level,
    RobotAccount,
    Wanted,
)
from fairway.frame import events
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.narrowing import kept, read
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Narrowed, Principal, Robot, User
from fairway.frame.configuration.declared import ROBOT_PREFIX
from fairway.frame.db import SECOND, Conn, Row, now_us
from fairway.frame.db.listing import Contains, Exact, Field, Filters, Listing, Order, Term
from fairway.frame.db.tables import configuration, project_aliases, projects, robot_permissions, robots
from fairway.frame.db.types import within, within_ids

DAY: Final = 86_400 * SECOND
_MOST_CREATORS: Final = 50

# From its row and not from what this process knows: all processes must call a robot the same at any moment.
_PREFIX = select(configuration.c.value).where(configuration.c.key == ROBOT_PREFIX.name)

_live = and_(~robots.c.disabled, or_(robots.c.expires_at.is_(None), robots.c.expires_at > now_us()))
_ROBOT = select(
    *robots.c,
    projects.c.name.label("project_name"),
    _live.label("live"),
    _PREFIX.scalar_subquery().label("prefix"),
).select_from(robots.outerjoin(projects, projects.c.id == robots.c.project_id))
_BY_ID = _ROBOT.where(robots.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update(of=robots)
_OF_SYSTEM = _ROBOT.where(robots.c.project_id.is_(None), robots.c.name == bindparam("name"))
_OF_PROJECT = _ROBOT.where(projects.c.id == called("project"), robots.c.name == bindparam("name"))


def _account(row: Row) -> RobotAccount:
    return RobotAccount(
        id=row["id"],
        project=row["project_id"],
        name=row["name"],
        login=rules.login_name(_read_prefix(row["prefix"]), row["project_name"], row["name"]),
        description=row["description"],
        secret_hash=row["secret_hash"],
        disabled=bool(row["disabled"]),
        live=bool(row["live"]),
        duration=row["duration"],
        expires_at=row["expires_at"],
        version=row["version"],
        creator=Creator(row["creator_type"]),
        creator_ref=row["creator_ref"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def prefix(conn: Conn) -> str:
    """What every login name begins with today.  Changing it renames all robots at once."""
    return _read_prefix(await conn.scalar(_PREFIX))


def _read_prefix(kept: str | None) -> str:
    return ROBOT_PREFIX.default if kept is None else ROBOT_PREFIX.read(json.loads(kept))


async def by_login(conn: Conn, login: str) -> RobotAccount | None:
    """The robot that logs in with this name, live or not."""
    parsed = rules.parse_login(await prefix(conn), login)
    if parsed is None:
        return None
    project, name = parsed
    if project is None:
        row = await conn.first(_OF_SYSTEM, name=name)
    else:
        row = await conn.first(_OF_PROJECT, project=project, name=name)
    return None if row is None else _account(row)


async def by_id(conn: Conn, robot: int, *, lock: bool = False) -> RobotAccount | None:
    """The robot with this id, live or not; with `lock`, nobody else changes it until the transaction ends."""
    row = await conn.first(_LOCK if lock else _BY_ID, id=robot)
    return None if row is None else _account(row)


_PERSON_BEHIND = select(robots.c.creator_type, robots.c.creator_ref).where(robots.c.id == bindparam("id"))


async def person_behind(conn: Conn, robot: int) -> User | None:
    """The person who made it, or made the robot that did, and so on; None when somebody in between is gone."""
    for _ in range(_MOST_CREATORS):
        row = await conn.first(_PERSON_BEHIND, id=robot)
        if row is None:
            return None
        if row["creator_type"] == Creator.PERSON:
            return await people.enabled_user(conn, row["creator_ref"])
        robot = row["creator_ref"]
    return None


# -- what they hold

_GRANTS = select(
    robot_permissions.c.kind,
    robot_permissions.c.project_id,
    robot_permissions.c.resource,
    robot_permissions.c.action,
    robot_permissions.c.repositories,
).where(robot_permissions.c.robot_id == bindparam("robot"))
_ACCESS = (
    select(
        robot_permissions.c.robot_id,
        robot_permissions.c.kind,
        projects.c.name,
        robot_permissions.c.resource,
        robot_permissions.c.action,
        robot_permissions.c.repositories,
    )
    .select_from(
        robot_permissions.outerjoin(projects, projects.c.id == robot_permissions.c.project_id),
    )
    .where(within_ids(robot_permissions.c.robot_id, bindparam("robots")))
    .order_by(robot_permissions.c.id)
)


async def grants(conn: Conn, robot: int) -> tuple[frozenset[Grant], frozenset[Narrowed]]:
    """All it holds, and what it holds for some repositories only."""
    rows = await conn.all(_GRANTS, robot=robot)
    held = [(_where(row), Permission(row["resource"], row["action"]), row["repositories"]) for row in rows]
    whole = frozenset(Grant(where, permission) for where, permission, only in held if only is None)
    some = [each for each in held if each[2] is not None]
    return whole, frozenset(Narrowed(where, permission, read(only)) for where, permission, only in some)


def _where(row: Row) -> int:
    if row["kind"] == Level.SYSTEM:
        return SERVER
    return EVERY_PROJECT if row["project_id"] is None else int(row["project_id"])


async def access_of(conn: Conn, ids: Sequence[int]) -> dict[int, tuple[Access, ...]]:
    """What each of these robots holds, by place, in the words of the API."""
    found: dict[int, dict[tuple[Level, str, tuple[str, ...]], set[Permission]]] = {}
    for row in await conn.all(_ACCESS, robots=json.dumps(list(ids))) if ids else ():
        kind = Level(row["kind"])
        name = WHOLE_SERVER if kind is Level.SYSTEM else row["name"] or ALL_PROJECTS
        place = kind, name, read(row["repositories"])
        pairs = found.setdefault(row["robot_id"], {}).setdefault(place, set())
        pairs.add(Permission(row["resource"], row["action"]))
    return {
        robot: tuple(
            Access(kind, name, frozenset(pairs), only) for (kind, name, only), pairs in places.items()
        )
        for robot, places in found.items()
    }


# -- lists

_LISTING = Listing(
    {
        "id": Field(robots.c.id),
        "name": Field(robots.c.name),
        "description": Field(robots.c.description),
        "disable": Field(robots.c.disabled),
        "disabled": Field(robots.c.disabled),
        "duration": Field(robots.c.duration),
        "creator_type": Field(robots.c.creator_type),
        "creator_ref": Field(robots.c.creator_ref),
        "creation_time": Field(robots.c.created_at, moment=True),
        "update_time": Field(robots.c.updated_at, moment=True),
    },
    default=[("name", False)],
    tie=robots.c.id,
)


async def listed(
    conn: Conn, project: int | None, filters: Filters, order: Order = (), *, offset: int, limit: int
) -> tuple[list[RobotAccount], int]:
    """One page of a project's robots, or with None of the system level's, by name, and how many there are.

    Raises BadRequest.
    """
    home = robots.c.project_id.is_(None) if project is None else robots.c.project_id == project
    conditions = [home, *_LISTING.where({name: _own(name, term) for name, term in filters.items()})]
    total = int(await conn.scalar(select(func.count()).select_from(robots).where(*conditions)))
    page: Any = _ROBOT.where(*conditions).order_by(*_LISTING.order(order)).offset(offset).limit(limit)
    rows = await conn.all(page) if offset < total else []
    return [_account(row) for row in rows], total


def _own(name: str, term: Term) -> Term:
    """Clients ask for `team+ci`, too."""
    if name != "name" or not isinstance(term, Exact | Contains):
        return term
    return type(term)(term.text.rpartition("+")[2])


# -- making and changing them

_NOW = select(now_us())
_IDS = union_all(
    select(projects.c.id, projects.c.name).where(within(projects.c.name, bindparam("names"))),
    select(project_aliases.c.project_id, project_aliases.c.name).where(
        within(project_aliases.c.name, bindparam("names"))
    ),
)
_NAME = select(projects.c.name).where(projects.c.id == bindparam("project"))
_CREATE = (
    insert(robots)
    .values(
        project_id=bindparam("project", type_=BigInteger),
        name=bindparam("name"),
        description=bindparam("description"),
        secret_hash=bindparam("secret_hash"),
        disabled=bindparam("disabled"),
        duration=bindparam("duration"),
        expires_at=bindparam("expires_at", type_=BigInteger),
        creator_type=bindparam("creator_type"),
        creator_ref=bindparam("creator_ref"),
        created_at=bindparam("now", type_=BigInteger),
        updated_at=bindparam("now", type_=BigInteger),
    )
    .returning(robots.c.id)
)
_UPDATE = (
    update(robots)
    .where(robots.c.id == bindparam("robot"))
    .values(
        description=bindparam("new_description", type_=Text),
        disabled=bindparam("new_disabled", type_=Boolean),
        duration=bindparam("new_duration", type_=Integer),
        expires_at=bindparam("new_end", type_=BigInteger),
        version=robots.c.version + 1,
        updated_at=now_us(),
    )
)
_SET_SECRET = (
    update(robots)
    .where(robots.c.id == bindparam("robot"))
    .values(secret_hash=bindparam("new_hash", type_=Text), version=robots.c.version + 1, updated_at=now_us())
)
_DELETE = delete(robots).where(robots.c.id == bindparam("robot"))
_GRANT = insert(robot_permissions).values(
    robot_id=bindparam("robot"),
    kind=bindparam("kind"),
    project_id=bindparam("project", type_=BigInteger),
    resource=bindparam("resource"),
    action=bindparam("action"),
    repositories=bindparam("repositories", type_=Text),
)
_REVOKE = delete(robot_permissions).where(robot_permissions.c.robot_id == bindparam("robot"))


async def now(conn: Conn) -> int:
    """The database's time."""
    return int(await conn.scalar(_NOW))


async def project_name(conn: Conn, project: int | None) -> str | None:
    """The name of a project; None for none."""
    name: str | None = None if project is None else await conn.scalar(_NAME, project=project)
    return name


async def project_ids(conn: Conn, names: Collection[str]) -> dict[str, int]:
    """The ids of those of these projects that there are, by the names they were asked for."""
    if not names:
        return {}
    return {row["name"]: row["id"] for row in await conn.all(_IDS, names=json.dumps(sorted(names)))}


async def create(
    conn: Conn,
    wanted: Wanted,
    project: int | None,
    held: Iterable[Grant | Narrowed],
    secret_hash: str,
    by: User | Robot,
    *,
    end: int | None = None,
) -> RobotAccount:
    """Make a robot that holds `held`; with `end` it expires then, and else after its duration.  Needs a transaction.

    Raises UniqueViolation when its project, or the system level, has one of this name, and ReferenceViolation when a
    project is gone.
    """
    await keep_project(conn, project)
    moment = await now(conn)
    made = await conn.scalar(
        _CREATE,
        project=project,
        name=wanted.name,
        description=wanted.description,
        secret_hash=secret_hash,
        disabled=wanted.disabled,
        duration=wanted.duration,
        expires_at=end or rules.end(moment, wanted.duration, DAY),
        creator_type=(Creator.ROBOT if isinstance(by, Robot) else Creator.PERSON).value,
        creator_ref=by.id,
        now=moment,
    )
    await conn.many(_GRANT, [_grant(int(made), grant) for grant in sorted(held)])
    robot = await by_id(conn, int(made))
    assert robot is not None
    await _record(conn, "created", robot, by)
    return robot


def _grant(robot: int, grant: Grant | Narrowed) -> dict[str, object]:
    return {
        "robot": robot,
        "kind": (Level.SYSTEM if grant.where == SERVER else Level.PROJECT).value,
        "project": grant.where if grant.where > 0 else None,
        "resource": grant.permission.resource,
        "action": grant.permission.action,
        "repositories": kept(grant.only) if isinstance(grant, Narrowed) else None,
    }


async def change(
    conn: Conn, robot: RobotAccount, wanted: Wanted, held: Iterable[Grant | Narrowed], by: Principal
) -> None:
    """Let a robot, which is locked, be as wanted and hold `held`.  Its end is counted from when it was made.

    Needs a transaction.  Raises ReferenceViolation when a project is gone.
    """
    same = wanted.duration == robot.duration
    await conn.run(
        _UPDATE,
        robot=robot.id,
        new_description=wanted.description,
        new_disabled=wanted.disabled,
        new_duration=wanted.duration,
        new_end=robot.expires_at if same else rules.end(robot.created_at, wanted.duration, DAY),
    )
    await conn.run(_REVOKE, robot=robot.id)
    await conn.many(_GRANT, [_grant(robot.id, grant) for grant in sorted(held)])
    await _record(conn, "updated", robot, by)


async def set_status(
    conn: Conn, robot: RobotAccount, description: str, by: Principal, *, disabled: bool
) -> None:
    """Describe a robot, which is locked, and enable or disable it.  Needs a transaction."""
    await conn.run(
        _UPDATE,
        robot=robot.id,
        new_description=description,
        new_disabled=disabled,
        new_duration=robot.duration,
        new_end=robot.expires_at,
    )
    await _record(conn, "updated", robot, by)


async def set_secret(conn: Conn, robot: RobotAccount, secret_hash: str, by: Principal) -> None:
    """Give a robot another secret.  Needs a transaction."""
    await conn.run(_SET_SECRET, robot=robot.id, new_hash=secret_hash)
    await _record(conn, "updated", robot, by)


async def remove(conn: Conn, robot: RobotAccount, by: Principal) -> None:
    """Delete a robot.  Needs a transaction."""
    await conn.run(_DELETE, robot=robot.id)
    await _record(conn, "deleted", robot, by)


async def _record(conn: Conn, what: str, robot: RobotAccount, by: Principal) -> None:
    payload = {"project_id": robot.project or 0, "robot_id": robot.id, "name": robot.login, "by": by.name}
    await events.record(conn, f"robot:{robot.id}", f"robot.{what}", payload)
