"""Robots as the API shows them, and how they are read for that."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from fairway.features.robots import store
from fairway.features.robots.api.making import present
from fairway.features.robots.model import FOR_EVER, Access, RobotAccount
from fairway.frame.db import SECOND, Conn, Database
from fairway.frame.db.listing import Filters, Order
from fairway.frame.web.moments import moment
from fairway.frame.web.paging import Page


class AccessIn(BaseModel):
    """Harbor's Access: one pair.  The only effect is `allow`."""

    resource: str = Field(default="", max_length=255)
    action: str = Field(default="", max_length=255)
    effect: str | None = Field(default=None, max_length=16)


class SecretOut(BaseModel):
    """Harbor's RobotSec: what was generated."""

    secret: str


class CreatedOut(BaseModel):
    """Harbor's RobotCreated.  The secret is shown here and never again; it is empty when it was chosen."""

    id: int
    name: str
    secret: str
    creation_time: str
    expires_at: int


class AccessOut(BaseModel):
    """Harbor's Access."""

    resource: str
    action: str
    effect: str = "allow"


class PermissionOut(BaseModel):
    """Harbor's RobotPermission, and the patterns of the repositories it is for, unless it is for all of the project."""

    kind: str
    namespace: str
    access: list[AccessOut]
    repositories: list[str] | None = None


class RobotOut(BaseModel):
    """Harbor's Robot, without its secret.  `expires_at` is in seconds since the epoch, -1 for never."""

    id: int
    name: str
    description: str
    level: str
    duration: int
    editable: bool = True
    disable: bool
    expires_at: int
    permissions: list[PermissionOut]
    creator_type: str
    creator_ref: int
    creation_time: str
    update_time: str


def created(robot: RobotAccount, secret: str) -> CreatedOut:
    """A robot that was just made."""
    return CreatedOut(
        id=robot.id,
        name=robot.login,
        secret=secret,
        creation_time=moment(robot.created_at),
        expires_at=_end(robot),
    )


def _end(robot: RobotAccount) -> int:
    return FOR_EVER if robot.expires_at is None else robot.expires_at // SECOND


def shown(robot: RobotAccount, access: Iterable[Access]) -> RobotOut:
    return RobotOut(
        id=robot.id,
        name=robot.login,
        description=robot.description,
        level=robot.level.value,
        duration=robot.duration,
        disable=robot.disabled,
        expires_at=_end(robot),
        permissions=[
            PermissionOut(
                kind=each.kind.value,
                namespace=each.namespace,
                access=[
                    AccessOut(resource=pair.resource, action=pair.action) for pair in sorted(each.permissions)
                ],
                repositories=list(each.only) or None,
            )
            for each in access
        ],
        creator_type=robot.creator.value,
        creator_ref=robot.creator_ref,
        creation_time=moment(robot.created_at),
        update_time=moment(robot.updated_at),
    )


async def read_page(
    db: Database, home: int | None, filters: Filters, order: Order, page: Page
) -> tuple[list[RobotOut], int]:
    """One page of the robots of a project, or with None of the system level, and how many there are.  Raises BadRequest."""

    async def read(conn: Conn) -> tuple[list[RobotOut], int]:
        found, total = await store.listed(conn, home, filters, order, offset=page.offset, limit=page.size)
        access = await store.access_of(conn, [robot.id for robot in found])
        return [shown(robot, access.get(robot.id, ())) for robot in found], total

    return await db.read(read)


async def read_one(db: Database, robot: int, home: int | None) -> RobotOut:
    """The robot with this id, of the project `home` or with None of the system level.  Raises NotFound."""

    async def read(conn: Conn) -> RobotOut:
        found = await present(conn, robot, home)
        return shown(found, (await store.access_of(conn, [found.id])).get(found.id, ()))

    return await db.read(read)
