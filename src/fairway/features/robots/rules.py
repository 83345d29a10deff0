"""Which robots may be had, with which rights, and by whom.  Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fairway.core.oci.errors import BadRequest
from fairway.features.accounts.secret import looks_like_one as looks_like_a_token
from fairway.features.projects.rules import is_name as is_project_name
from fairway.features.robots.model import (
    ALL_PROJECTS,
    FOR_EVER,
    WHOLE_SERVER,
    Access,
    Level,
    RobotAccount,
    Wanted,
)
from fairway.frame.access import narrowing
from fairway.frame.access.catalogue import MEMBER_CREATE, MEMBER_DELETE, MEMBER_UPDATE, Permission
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT, GRANTABLE_ON_SERVER
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Narrowed, Principal, Robot, User
from fairway.frame.access.roles import Role
from fairway.frame.access.scopes import Scope, Word

SECOND: Final = 1_000_000
MAX_NAME: Final = 255
MAX_DESCRIPTION: Final = 1024
MAX_DAYS: Final = 36_500
MAX_ACCESS: Final = 500
MAX_GRANTS: Final = 5_000
MAX_PATTERNS: Final = 100
MIN_SECRET, MAX_SECRET = 8, 128

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_SECRET_NEEDS = (
    (re.compile(r"[A-Z]"), "an upper-case letter"),
    (re.compile(r"[a-z]"), "a lower-case letter"),
    (re.compile(r"[0-9]"), "a digit"),
)
_BAD_PERMISSION = "bad request permission"

Asked = tuple[str, str, Sequence[tuple[str, str, str]], Sequence[str]]
"""Kind, namespace, (resource, action, effect) of each pair, and patterns of repositories, as a client sends them."""


def login_name(prefix: str, project: str | None, name: str) -> str:
    """What a robot logs in with."""
    return f"{prefix}{project}+{name}" if project is not None else f"{prefix}{name}"


def parse_login(prefix: str, login: str) -> tuple[str | None, str] | None:
    """Project (None: the system level) and own name behind a login name; None when no robot can have it."""
    if not prefix or not login.startswith(prefix):
        return None
    project, plus, name = login[len(prefix) :].rpartition("+")
    if not is_name(name) or (plus and not is_project_name(project)):
        return None
    return (project if plus else None), name


def an_id(text: str) -> int | None:
    """The number that `text` is, None when no row has it as its id."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    return int(text) if 0 < int(text) < 2**63 else None


def is_name(text: str) -> bool:
    """Whether a robot can have this name of its own."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def wanted(
    *,
    name: str,
    level: str,
    description: str,
    duration: int,
    disabled: bool,
    permissions: Sequence[Asked],
    holds_nothing: bool = False,
) -> Wanted:
    """What a request asks for; raises BadRequest for what cannot be had.

    `holds_nothing` is said of a robot that lost all it had with its projects: it may stay so.
    """
    if not is_name(name):
        raise BadRequest(
            f"a robot's name has 1 to {MAX_NAME} lower-case letters and digits, with single '.', '_' or '-' between them"
        )
    if level not in (Level.SYSTEM, Level.PROJECT):
        raise BadRequest("level is system or project")
    check_description(description)
    if duration != FOR_EVER and not 0 < duration <= MAX_DAYS:
        raise BadRequest(f"duration is -1 for ever, or 1 to {MAX_DAYS} days")
    nothing = holds_nothing and not permissions and level == Level.SYSTEM
    access = () if nothing else _access(Level(level), permissions)
    return Wanted(name, Level(level), description, duration, disabled, access)


def check_description(description: str) -> None:
    """Raise BadRequest for what a robot cannot be described by."""
    if len(description) > MAX_DESCRIPTION or any(each < " " or each == "\x7f" for each in description):
        raise BadRequest(
            f"a description has up to {MAX_DESCRIPTION} characters, none of them a control character"
        )


def _access(level: Level, asked: Sequence[Asked]) -> tuple[Access, ...]:
    if not asked:
        raise BadRequest(f"{_BAD_PERMISSION}: grant something")
    if level is Level.PROJECT and len(asked) != 1:
        raise BadRequest(f"{_BAD_PERMISSION}: a robot of a project has exactly one entry, for its project")
    if len(asked) > MAX_ACCESS or sum(len(pairs) for _, _, pairs, _ in asked) > MAX_GRANTS:
        raise BadRequest(f"{_BAD_PERMISSION}: up to {MAX_ACCESS} entries with {MAX_GRANTS} pairs in all")
    if sum(len(patterns) for *_, patterns in asked) > MAX_PATTERNS:
        raise BadRequest(f"{_BAD_PERMISSION}: up to {MAX_PATTERNS} patterns of repositories in all")
    found: dict[tuple[Level, str, tuple[str, ...]], frozenset[Permission]] = {}
    for kind, namespace, pairs, patterns in asked:
        where, name = _place(level, kind, namespace)
        granted = _pairs(where, pairs)
        place = where, name, _only(where, name, granted, patterns)
        found[place] = found.get(place, frozenset()) | granted
    return tuple(Access(kind, namespace, pairs, only) for (kind, namespace, only), pairs in found.items())


def _only(
    kind: Level, namespace: str, granted: Iterable[Permission], patterns: Sequence[str]
) -> tuple[str, ...]:
    if not patterns:
        return ()
    if kind is not Level.PROJECT or namespace == ALL_PROJECTS:
        raise BadRequest(f"{_BAD_PERMISSION}: repositories are those of one project; name it as namespace")
    try:
        only = narrowing.checked(patterns)
    except ValueError as error:
        raise BadRequest(f"{_BAD_PERMISSION}: {error}") from None
    if wide := sorted(each for each in granted if not narrowing.is_narrowable(each)):
        raise BadRequest(
            f"{_BAD_PERMISSION}: {wide[0]} is about the whole project and cannot be granted for some repositories; "
            "leave it out, or leave out repositories"
        )
    return only


def check_still_narrowed(
    wanted: Wanted, said: Iterable[str], before: Iterable[Access], ids: Mapping[str, int]
) -> None:
    """Raise BadRequest when a change would open all of a project to a robot that has some repositories of it, only because
    the client does not know the field.

    `said`: the namespaces of which an entry has it; `ids`: of the projects that are named, by a former name, too.
    """
    narrowed = {ids.get(each.namespace): each.namespace for each in before if each.only}
    named = {ids.get(each.namespace) for each in wanted.access if each.kind is Level.PROJECT}
    silent = named - {ids.get(each) for each in said}
    if forgotten := sorted(name for project, name in narrowed.items() if project in silent):
        raise BadRequest(
            f"{_BAD_PERMISSION}: this robot is for some repositories of {forgotten[0]} only; send them again as "
            "`repositories`, or [] for all of them"
        )


def _place(level: Level, kind: str, namespace: str) -> tuple[Level, str]:
    if kind == Level.SYSTEM and level is Level.SYSTEM and namespace == WHOLE_SERVER:
        return Level.SYSTEM, namespace
    if kind == Level.PROJECT and is_project_name(namespace):
        return Level.PROJECT, namespace
    if kind == Level.PROJECT and level is Level.SYSTEM and namespace == ALL_PROJECTS:
        return Level.PROJECT, namespace
    if level is Level.PROJECT:
        raise BadRequest(f"{_BAD_PERMISSION}: of kind project, with the project's name as namespace")
    raise BadRequest(
        f"{_BAD_PERMISSION}: kind system has the namespace {WHOLE_SERVER}, "
        f"kind project a project's name or {ALL_PROJECTS}"
    )


def _pairs(kind: Level, asked: Sequence[tuple[str, str, str]]) -> frozenset[Permission]:
    grantable = GRANTABLE_ON_SERVER if kind is Level.SYSTEM else GRANTABLE_IN_PROJECT
    pairs = frozenset(Permission(resource, action) for resource, action, _ in asked)
    if not pairs:
        raise BadRequest(f"{_BAD_PERMISSION}: every entry grants something")
    if any(effect not in ("", "allow") for *_, effect in asked):
        raise BadRequest(f"{_BAD_PERMISSION}: the only effect is allow; leave out what a robot shall not do")
    if unknown := sorted(pairs - grantable):
        raise BadRequest(
            f"{_BAD_PERMISSION}: {str(unknown[0])[:64]} cannot be granted with kind {kind}; GET permissions lists what can"
        )
    return pairs


def check_same(wanted: Wanted, robot: RobotAccount, home: int | None) -> None:
    """Raise BadRequest when a change would make another robot of it: its level, or its project; `home` is the one that
    is named as such, by whatever name."""
    if wanted.level is not robot.level:
        raise BadRequest("the level of a robot cannot be changed; make another robot")
    if home != robot.project:
        raise BadRequest(f"{_BAD_PERMISSION}: this robot can have rights in its own project only")


def own_name(said: str, robot: RobotAccount) -> str:
    """The name in a change, which may be the whole login name as the API shows it; raises BadRequest for another."""
    if said not in (robot.login, robot.name):
        raise BadRequest("the name of a robot cannot be changed; make another robot")
    return robot.name


def end(created_at: int, duration: int, day: int) -> int | None:
    """When a robot made at `created_at` expires, with so many days of `day` each; None for never."""
    return None if duration == FOR_EVER else created_at + duration * day


def days_until(seconds: int, now: int, day: int) -> int:
    """The whole days from `now` (µs) until some seconds since the epoch, or FOR_EVER; raises BadRequest for what is past."""
    if seconds == FOR_EVER:
        return FOR_EVER
    left = seconds * SECOND - now
    if not 0 < left <= MAX_DAYS * day:
        raise BadRequest(
            f"expires_at is -1 for ever, or a time within the next {MAX_DAYS} days in seconds since the epoch"
        )
    return -(-left // day)


def exact_end(seconds: int | None) -> int | None:
    """The end that a client named, in µs; None when it named none, or none there is."""
    return seconds * SECOND if seconds and seconds != FOR_EVER else None


def resource_of(text: str, project: int) -> str:
    """The resource in `/project/5/repository`, as older clients write it, or in `repository`."""
    return text.removeprefix(f"/project/{project}/")


def check_secret(text: str) -> None:
    """Raise BadRequest, which says what is missing and never repeats the secret.

    A colon may be in it: Basic authentication splits at the first one, and no login name has any.
    """
    if not MIN_SECRET <= len(text) <= MAX_SECRET:
        raise BadRequest(f"a secret has {MIN_SECRET} to {MAX_SECRET} characters")
    if missing := [words for pattern, words in _SECRET_NEEDS if not pattern.search(text)]:
        raise BadRequest(f"the secret needs {' and '.join(missing)}")
    if looks_like_a_token(text):
        raise BadRequest(
            "this looks like a person's access token, and could be taken for one; choose another"
        )


def beyond(
    creator: Principal, grants: Iterable[Grant | Narrowed], home: ProjectFacts | None
) -> Grant | Narrowed | None:
    """The first of these grants that `creator`, who may make robots in `home`, has no right to give; None when there is none.

    A system administrator gives anything.  A project's administrators give what can be had in that project.  Who may make
    robots there by another role gives what they hold, but not to take members in, change or remove them: a robot does that
    with any role, and so for its maker too.  A robot gives what it holds itself, there or everywhere, and not more;
    what it holds for some repositories only, for just those.
    """
    return next((grant for grant in sorted(grants) if not _may_give(creator, grant, home)), None)


def _may_give(creator: Principal, grant: Grant | Narrowed, home: ProjectFacts | None) -> bool:
    if isinstance(creator, Robot):
        everywhere = Grant(EVERY_PROJECT, grant.permission)
        if isinstance(grant, Narrowed) and grant in creator.narrowed:
            return True
        there = Grant(grant.where, grant.permission)
        return there in creator.grants or (grant.where != SERVER and everywhere in creator.grants)
    if isinstance(creator, User):
        held = creator.sysadmin or (
            home is not None and grant.where == home.id > 0 and _gives_in(home, grant.permission)
        )
        return held and _covers(creator.scope, grant)
    return False


def _covers(scope: Scope | None, grant: Grant | Narrowed) -> bool:
    """Whether the token that somebody came with is good for what a robot would be granted."""
    if scope is None or (scope.projects is None and Word.ALL in scope.words):
        return True
    return grant.where > 0 and scope.covers(grant.permission, grant.where)


_OF_ADMINISTRATORS: Final = frozenset({MEMBER_CREATE, MEMBER_UPDATE, MEMBER_DELETE})


def _gives_in(home: ProjectFacts, permission: Permission) -> bool:
    return home.role is Role.PROJECT_ADMIN or (home.held(permission) and permission not in _OF_ADMINISTRATORS)
