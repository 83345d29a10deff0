"""May this principal do that here?  The one decision about rights; it reads nothing and it writes nothing.

A token can only narrow the answer, never widen it: whoever accepts tokens intersects, after asking here.
"""

from dataclasses import dataclass

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, Permission
from fairway.frame.access.principals import Principal, User
from fairway.frame.access.roles import HELD, HELD_BY_ANYONE, Role


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What a decision about a project needs to know: `role` is the asking principal's own, None when no member."""

    id: int
    public: bool
    role: Role | None = None


def may(principal: Principal, permission: Permission, on: ProjectFacts | None = None) -> bool:
    """Whether `principal` holds `permission`; raises ValueError for one that is not in the catalogue.

    `on` is the project of a project permission.  None means that there is no such project, or that the whole server is
    meant; nobody but the system administrator may do anything there, so that "private" and "absent" cannot be told apart.
    """
    if permission not in IN_PROJECT and permission not in ON_SERVER:
        raise ValueError(f"{permission} is not in the permission catalogue")
    if isinstance(principal, User) and principal.sysadmin:
        return True
    if on is None or permission not in IN_PROJECT:
        return False
    if on.public and permission in HELD_BY_ANYONE:
        return True
    return isinstance(principal, User) and on.role is not None and permission in HELD[on.role]
