"""May this principal do that here?  The one decision about rights; it reads nothing and it writes nothing.

A token can only narrow the answer, never widen it: whoever accepts tokens intersects, after asking here.
"""

from dataclasses import dataclass, field
from typing import Final

from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, PROJECT_CREATE, PROJECT_READ, Permission
from fairway.frame.access.narrowing import OF_PROJECT, is_narrowable, match
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Principal, Robot, User, narrowed_to
from fairway.frame.access.roles import HELD, HELD_BY_ANYONE, Role


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What a decision about a project needs to know about the asking principal, too.

    `role` is the strongest of the five roles that they have there, None for none; `more` is all that those of their roles
    hold which were made here.  `name` is what the project is called now, for who was let in by a former name; nothing is
    decided by it.
    """

    id: int
    public: bool
    role: Role | None = None
    more: frozenset[Permission] = field(default=frozenset(), repr=False)
    name: str = field(default="", compare=False)

    def held(self, permission: Permission) -> bool:
        """Whether any of the roles holds this."""
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
    if isinstance(principal, Robot):
        whole = granted_all_of(principal, permission, on.id)
        return whole or _narrowly(principal, permission, on, repository)
    return isinstance(principal, User) and on.held(permission)


def _narrowly(robot: Robot, permission: Permission, on: ProjectFacts, repository: str | None) -> bool:
    if not robot.narrowed or not is_narrowable(permission):
        return False
    patterns = _patterns(robot, permission, on.id)
    if permission in OF_PROJECT:
        return bool(patterns)
    return repository is not None and match(patterns, repository)


def _patterns(robot: Robot, permission: Permission, project: int) -> tuple[str, ...]:
    found = {
        pattern
        for each in robot.narrowed
        if each.where == project > 0 and each.permission == permission
        for pattern in each.only
    }
    return tuple(sorted(found))


def only_in(principal: Principal, permission: Permission, on: ProjectFacts) -> tuple[str, ...] | None:
    """The patterns of the repositories to which `permission` is narrowed for who holds something narrowed in this project.

    None for everybody else, and where all repositories are open to them: then `may` has said all there is to say.
    """
    if not isinstance(principal, Robot) or not narrowed_in(principal, on.id):
        return None
    if (on.public and permission in HELD_BY_ANYONE) or granted_all_of(principal, permission, on.id):
        return None
    return _patterns(principal, permission, on.id)


def narrowed_in(principal: Principal, project: int) -> bool:
    """Whether they hold something in the project with this id for some repositories only."""
    return isinstance(principal, Robot) and any(each.where == project for each in principal.narrowed)


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


def repositories_where(robot: Robot, permission: Permission) -> dict[int, tuple[str, ...]]:
    """The projects where a robot was granted `permission` for some repositories only, by id, with the patterns."""
    where = {each.where for each in robot.narrowed if each.permission == permission and each.where > 0}
    if not is_narrowable(permission):
        return {}
    return {each: _patterns(robot, permission, each) for each in sorted(where)}
