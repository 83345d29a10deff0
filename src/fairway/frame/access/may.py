"""May this principal do that here?  The one decision about rights; it reads nothing and it writes nothing.

A token can only narrow the answer, never widen it: whoever accepts tokens intersects, after asking here.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, PROJECT_CREATE, PROJECT_READ, Permission
from fairway.frame.access.narrowing import OF_PROJECT, is_narrowable, match
from fairway.frame.access.principals import (
    EVERY_PROJECT,
    SERVER,
    Grant,
    Narrowed,
    Principal,
    Robot,
    User,
    narrowed_to,
)
from fairway.frame.access.roles import HELD, HELD_BY_ANYONE, Role


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What a decision about a project needs to know about the asking principal, too.

    `role` is the strongest of the five roles that they have there, None for none; `more` is all that those of their roles
    hold which were made here.  `narrowed` is what their roles hold that they have for some repositories only.  `name` is
    what the project is called now, for who was let in by a former name; nothing is decided by it.
    """

    id: int
    public: bool
    role: Role | None = None
    more: frozenset[Permission] = field(default=frozenset(), repr=False)
    narrowed: frozenset[Narrowed] = field(default=frozenset(), repr=False)
    name: str = field(default="", compare=False)

    def held(self, permission: Permission) -> bool:
        """Whether any of the roles holds this for all that is in the project."""
        return permission in self.more or (self.role is not None and permission in HELD[self.role])


ABSENT: Final = ProjectFacts(id=0, public=False)
"""A project that does not exist: to decide about it as about one that is hidden."""


def may(
    principal: Principal,
    permission: Permission,
    on: ProjectFacts | None = None,
    repository: str | None = None,
) -> bool:
    """Whether `principal` holds `permission`; raises ValueError for one that is not in the catalogue.

    `on` is the project of a project permission, ABSENT when there is no such project.  None means the whole server; for a
    permission that is only about projects it means ABSENT.  There nobody may do anything but who could do it in every
    project: the system administrator, and a robot that was granted it for all.  So "private" and "absent" cannot be told
    apart.

    `repository` is which one of the project it is about, by its name without the project; None when it is about none, or
    about all: who holds the permission for some repositories only is refused then.
    """
    if permission not in IN_PROJECT and permission not in ON_SERVER:
        raise ValueError(f"{permission} is not in the permission catalogue")
    if not _covered(principal, permission, on):
        return on is not None and on.public and permission in HELD_BY_ANYONE
    if isinstance(principal, User) and principal.sysadmin:
        return True
    if on is None and permission in ON_SERVER:
        return isinstance(principal, Robot) and Grant(SERVER, permission) in principal.grants
    if permission not in IN_PROJECT:
        return False
    on = on or ABSENT
    if on.public and permission in HELD_BY_ANYONE:
        return True
    return _wholly(principal, permission, on) or _narrowly(principal, permission, on, repository)


def _wholly(principal: Principal, permission: Permission, on: ProjectFacts) -> bool:
    if isinstance(principal, Robot):
        return granted_all_of(principal, permission, on.id)
    return isinstance(principal, User) and (principal.sysadmin or on.held(permission))


def _narrowly(principal: Principal, permission: Permission, on: ProjectFacts, repository: str | None) -> bool:
    narrowed = _narrowed(principal, on)
    if not narrowed or not is_narrowable(permission):
        return False
    patterns = _patterns(narrowed, permission, on.id)
    if permission in OF_PROJECT:
        return bool(patterns)
    return repository is not None and match(patterns, repository)


def _narrowed(principal: Principal, on: ProjectFacts) -> Collection[Narrowed]:
    if isinstance(principal, Robot):
        return principal.narrowed
    return on.narrowed if isinstance(principal, User) else ()


def _patterns(narrowed: Collection[Narrowed], permission: Permission, project: int) -> tuple[str, ...]:
    found = {
        pattern
        for each in narrowed
        if each.where == project > 0 and each.permission == permission
        for pattern in each.only
    }
    return tuple(sorted(found))


def only_in(principal: Principal, permission: Permission, on: ProjectFacts) -> tuple[str, ...] | None:
    """The patterns of the repositories to which `permission` is narrowed for who holds something narrowed in this project.

    None for everybody else, and where all repositories are open to them: then `may` has said all there is to say.
    """
    narrowed = _narrowed(principal, on)
    if not any(each.where == on.id for each in narrowed):
        return None
    if (on.public and permission in HELD_BY_ANYONE) or _wholly(principal, permission, on):
        return None
    return _patterns(narrowed, permission, on.id)


def granted_all_of(robot: Robot, permission: Permission, project: int) -> bool:
    """Whether a robot was granted this for all repositories of the project with this id, there or everywhere."""
    return not robot.grants.isdisjoint((Grant(project, permission), Grant(EVERY_PROJECT, permission)))


def _covered(principal: Principal, permission: Permission, on: ProjectFacts | None) -> bool:
    scope = narrowed_to(principal)
    if scope is None:
        return True
    on_server = on is None and permission in ON_SERVER
    return scope.covers(permission, None if on_server else (on or ABSENT).id)


def may_make_projects(principal: Principal, *, everyone: bool) -> bool:
    """Whether `principal` may make a project; `everyone` says whether all people who log in may."""
    scope = narrowed_to(principal)
    if scope is not None and not scope.whole:
        return False
    return may(principal, PROJECT_CREATE) or (everyone and isinstance(principal, User))


def projects_where(robot: Robot, permission: Permission) -> frozenset[int] | None:
    """The projects where a robot was granted `permission` for all that is in them, by id; None for every one there is."""
    where = frozenset(grant.where for grant in robot.grants if grant.permission == permission)
    if permission == PROJECT_READ:
        where |= {each.where for each in robot.narrowed if each.permission == permission}
    return None if EVERY_PROJECT in where else where - {SERVER}


def repositories_where(narrowed: Collection[Narrowed], permission: Permission) -> dict[int, tuple[str, ...]]:
    """The projects where `permission` is held for some repositories only, by id, with the patterns."""
    where = {each.where for each in narrowed if each.permission == permission and each.where > 0}
    if not is_narrowable(permission):
        return {}
    return {each: _patterns(narrowed, permission, each) for each in sorted(where)}
