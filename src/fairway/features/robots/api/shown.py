"""Robots as the API shows them."""

from collections.abc import Iterable

from pydantic import BaseModel

from fairway.features.robots.model import FOR_EVER, Access, RobotAccount
from fairway.frame.db import SECOND
from fairway.frame.web.moments import moment


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
    """Harbor's RobotPermission."""

    kind: str
    namespace: str
    access: list[AccessOut]


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
            )
            for each in access
        ],
        creator_type=robot.creator.value,
        creator_ref=robot.creator_ref,
        creation_time=moment(robot.created_at),
        update_time=moment(robot.updated_at),
    )
