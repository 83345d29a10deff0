"""May this principal do that here?  The one decision about rights; it reads nothing and it writes nothing.

A token can only narrow the answer, never widen it: whoever accepts tokens intersects, after asking here.
"""

from dataclasses import dataclass, field
from typing import Final

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, Permission
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Principal, Robot, User
from fairway.frame.access.roles import HELD, HELD_BY_ANYONE, Role


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What a decision about a project needs to know: `role` is the asking principal's own, None when no member.

    `name` is what the project is called now, for who was let in by a former name; nothing is decided by it.
    """

    id: int
    public: bool
    role: Role | None = None
    name: str = field(default="", compare=False)


ABSENT: Final = ProjectFacts(id=0, public=False)
"""A project that does not exist: to decide about it as about one that is hidden."""


def may(principal: Principal, permission: Permission, on: ProjectFacts | None = None) -> bool:
    """Whether `principal` holds `permission`; raises ValueError for one that is not in the catalogue.

    `on` is the project of a project permission, ABSENT when there is no such project.  None means the whole server; for a
    permission that is only about projects it means ABSENT.  There nobody may do anything but who could do it in every
    project: the system administrator, and a robot that was granted it for all.  So "private" and "absent" cannot be told
    apart.
    """
    if permission not in IN_PROJECT and permission not in ON_SERVER:
        raise ValueError(f"{permission} is not in the permission catalogue")
    if isinstance(principal, User) and principal.sysadmin:
        return True
    if on is None and permission in ON_SERVER:
        return isinstance(principal, Robot) and Grant(SERVER, permission) in principal.grants
    if permission not in IN_PROJECT:
        return False
    on = on or ABSENT
    if on.public and permission in HELD_BY_ANYONE:
        return True
    if isinstance(principal, Robot):
        return not principal.grants.isdisjoint((Grant(on.id, permission), Grant(EVERY_PROJECT, permission)))
    return isinstance(principal, User) and on.role is not None and permission in HELD[on.role]


def projects_where(robot: Robot, permission: Permission) -> frozenset[int] | None:
    """The projects where a robot was granted `permission`, by id; None for every one there is."""
    where = frozenset(grant.where for grant in robot.grants if grant.permission == permission)
    return None if EVERY_PROJECT in where else where - {SERVER}
