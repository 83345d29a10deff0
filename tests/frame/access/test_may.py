"""The permission table, written out again by hand and compared cell by cell."""

from itertools import pairwise

import pytest

from fairway.frame.access import catalogue
from fairway.frame.access.catalogue import CATALOG_READ, IN_PROJECT, ON_SERVER, Permission
from fairway.frame.access.may import ABSENT, ProjectFacts, may
from fairway.frame.access.principals import ANONYMOUS, Principal, User
from fairway.frame.access.roles import HELD, Role

ALICE = User(7, "alice")
ROOT = User(1, "admin", sysadmin=True)

# About the whole server; the same in every project.
SERVER = """quota:list                  no no no no no no no yes
quota:update                no no no no no no no yes
configuration:read          no no no no no no no yes
configuration:update        no no no no no no no yes
project:create              no no no no no no no yes
project:list                no no no no no no no yes
audit-log:list              no no no no no no no yes
system-volumes:read         no no no no no no no yes
user:create                 no no no no no no no yes
user:read                   no no no no no no no yes
user:update                 no no no no no no no yes
user:list                   no no no no no no no yes
user:delete                 no no no no no no no yes
user-group:create           no no no no no no no yes
user-group:read             no no no no no no no yes
user-group:update           no no no no no no no yes
user-group:list             no no no no no no no yes
user-group:delete           no no no no no no no yes
garbage-collection:create   no no no no no no no yes
garbage-collection:read     no no no no no no no yes
garbage-collection:update   no no no no no no no yes
garbage-collection:list     no no no no no no no yes
garbage-collection:stop     no no no no no no no yes
purge-audit:create          no no no no no no no yes
purge-audit:read            no no no no no no no yes
purge-audit:update          no no no no no no no yes
purge-audit:list            no no no no no no no yes
purge-audit:stop            no no no no no no no yes
jobservice-monitor:list     no no no no no no no yes
jobservice-monitor:stop     no no no no no no no yes
role:create                 no no no no no no no yes
role:update                 no no no no no no no yes
role:delete                 no no no no no no no yes
"""

PRIVATE = f"""
                    anonymous  stranger  limited_guest  guest  developer  maintainer  project_admin  sysadmin
project:read        no         no        yes            yes    yes        yes         yes            yes
project:update      no         no        no             no     no         no          yes            yes
project:delete      no         no        no             no     no         no          yes            yes
member:create       no         no        no             no     no         no          yes            yes
member:read         no         no        no             yes    yes        yes         yes            yes
member:update       no         no        no             no     no         no          yes            yes
member:list         no         no        no             yes    yes        yes         yes            yes
member:delete       no         no        no             no     no         no          yes            yes
metadata:create     no         no        no             no     no         no          yes            yes
metadata:read       no         no        no             no     no         yes         yes            yes
metadata:update     no         no        no             no     no         no          yes            yes
metadata:list       no         no        no             no     no         no          no             yes
metadata:delete     no         no        no             no     no         no          yes            yes
quota:read          no         no        yes            yes    yes        yes         yes            yes
log:list            no         no        no             no     no         no          yes            yes
repository:pull     no         no        yes            yes    yes        yes         yes            yes
repository:push     no         no        no             no     yes        yes         yes            yes
repository:list     no         no        yes            yes    yes        yes         yes            yes
repository:read     no         no        yes            yes    yes        yes         yes            yes
repository:create   no         no        no             no     yes        yes         yes            yes
repository:update   no         no        no             no     yes        yes         yes            yes
repository:delete   no         no        no             no     no         yes         yes            yes
artifact:create     no         no        no             no     yes        yes         yes            yes
artifact:read       no         no        yes            yes    yes        yes         yes            yes
artifact:list       no         no        yes            yes    yes        yes         yes            yes
artifact:delete     no         no        no             no     no         yes         yes            yes
artifact-addition:read no      no        yes            yes    yes        yes         yes            yes
accessory:list      no         no        yes            yes    yes        yes         yes            yes
tag:create          no         no        no             no     yes        yes         yes            yes
tag:list            no         no        yes            yes    yes        yes         yes            yes
tag:delete          no         no        no             no     no         yes         yes            yes
label:create          no         no        no             no     no         yes         yes            yes
label:read            no         no        no             yes    yes        yes         yes            yes
label:update          no         no        no             no     no         yes         yes            yes
label:list            no         no        no             yes    yes        yes         yes            yes
label:delete          no         no        no             no     no         yes         yes            yes
artifact-label:create no         no        no             no     yes        yes         yes            yes
artifact-label:delete no         no        no             no     yes        yes         yes            yes
immutable-tag:create  no         no        no             no     no         yes         yes            yes
immutable-tag:update  no         no        no             no     no         yes         yes            yes
immutable-tag:list    no         no        no             no     no         yes         yes            yes
immutable-tag:delete  no         no        no             no     no         yes         yes            yes
notification-policy:create no    no        no             no     no         no          yes            yes
notification-policy:read   no    no        no             no     no         yes         yes            yes
notification-policy:update no    no        no             no     no         no          yes            yes
notification-policy:list   no    no        no             no     no         yes         yes            yes
notification-policy:delete no    no        no             no     no         no          yes            yes
robot:create        no         no        no             no     no         no          yes            yes
robot:read          no         no        no             yes    yes        yes         yes            yes
robot:update        no         no        no             no     no         no          yes            yes
robot:list          no         no        no             yes    yes        yes         yes            yes
robot:delete        no         no        no             no     no         no          yes            yes
tag-retention:create  no         no        no             no     yes        yes         yes            yes
tag-retention:read    no         no        no             no     yes        yes         yes            yes
tag-retention:update  no         no        no             no     yes        yes         yes            yes
tag-retention:list    no         no        no             no     yes        yes         yes            yes
tag-retention:delete  no         no        no             no     yes        yes         yes            yes
tag-retention:operate no         no        no             no     yes        yes         yes            yes
catalog:read        no         no        no             no     no         no          no             yes
{SERVER}"""

PUBLIC = f"""
                    anonymous  stranger  limited_guest  guest  developer  maintainer  project_admin  sysadmin
project:read        yes        yes       yes            yes    yes        yes         yes            yes
project:update      no         no        no             no     no         no          yes            yes
project:delete      no         no        no             no     no         no          yes            yes
member:create       no         no        no             no     no         no          yes            yes
member:read         no         no        no             yes    yes        yes         yes            yes
member:update       no         no        no             no     no         no          yes            yes
member:list         no         no        no             yes    yes        yes         yes            yes
member:delete       no         no        no             no     no         no          yes            yes
metadata:create     no         no        no             no     no         no          yes            yes
metadata:read       no         no        no             no     no         yes         yes            yes
metadata:update     no         no        no             no     no         no          yes            yes
metadata:list       no         no        no             no     no         no          no             yes
metadata:delete     no         no        no             no     no         no          yes            yes
quota:read          no         no        yes            yes    yes        yes         yes            yes
log:list            no         no        no             no     no         no          yes            yes
repository:pull     yes        yes       yes            yes    yes        yes         yes            yes
repository:push     no         no        no             no     yes        yes         yes            yes
repository:list     yes        yes       yes            yes    yes        yes         yes            yes
repository:read     no         no        yes            yes    yes        yes         yes            yes
repository:create   no         no        no             no     yes        yes         yes            yes
repository:update   no         no        no             no     yes        yes         yes            yes
repository:delete   no         no        no             no     no         yes         yes            yes
artifact:create     no         no        no             no     yes        yes         yes            yes
artifact:read       yes        yes       yes            yes    yes        yes         yes            yes
artifact:list       yes        yes       yes            yes    yes        yes         yes            yes
artifact:delete     no         no        no             no     no         yes         yes            yes
artifact-addition:read yes     yes       yes            yes    yes        yes         yes            yes
accessory:list      yes        yes       yes            yes    yes        yes         yes            yes
tag:create          no         no        no             no     yes        yes         yes            yes
tag:list            yes        yes       yes            yes    yes        yes         yes            yes
tag:delete          no         no        no             no     no         yes         yes            yes
label:create          no         no        no             no     no         yes         yes            yes
label:read            yes        yes       yes            yes    yes        yes         yes            yes
label:update          no         no        no             no     no         yes         yes            yes
label:list            yes        yes       yes            yes    yes        yes         yes            yes
label:delete          no         no        no             no     no         yes         yes            yes
artifact-label:create no         no        no             no     yes        yes         yes            yes
artifact-label:delete no         no        no             no     yes        yes         yes            yes
immutable-tag:create  no         no        no             no     no         yes         yes            yes
immutable-tag:update  no         no        no             no     no         yes         yes            yes
immutable-tag:list    no         no        no             no     no         yes         yes            yes
immutable-tag:delete  no         no        no             no     no         yes         yes            yes
notification-policy:create no    no        no             no     no         no          yes            yes
notification-policy:read   no    no        no             no     no         yes         yes            yes
notification-policy:update no    no        no             no     no         no          yes            yes
notification-policy:list   no    no        no             no     no         yes         yes            yes
notification-policy:delete no    no        no             no     no         no          yes            yes
robot:create        no         no        no             no     no         no          yes            yes
robot:read          no         no        no             yes    yes        yes         yes            yes
robot:update        no         no        no             no     no         no          yes            yes
robot:list          no         no        no             yes    yes        yes         yes            yes
robot:delete        no         no        no             no     no         no          yes            yes
tag-retention:create  no         no        no             no     yes        yes         yes            yes
tag-retention:read    no         no        no             no     yes        yes         yes            yes
tag-retention:update  no         no        no             no     yes        yes         yes            yes
tag-retention:list    no         no        no             no     yes        yes         yes            yes
tag-retention:delete  no         no        no             no     yes        yes         yes            yes
tag-retention:operate no         no        no             no     yes        yes         yes            yes
catalog:read        no         no        no             no     no         no          no             yes
{SERVER}"""


def cells(table: str) -> list[tuple[str, str, bool]]:
    heads, *rows = [line.split() for line in table.strip().splitlines()]
    return [
        (name, head, {"yes": True, "no": False}[answer])
        for name, *answers in rows
        for head, answer in zip(heads, answers, strict=True)
    ]


def asking(who: str, public: bool) -> tuple[Principal, ProjectFacts]:
    principal = {"anonymous": ANONYMOUS, "sysadmin": ROOT}.get(who, ALICE)
    role = Role[who.upper()] if who.upper() in Role.__members__ else None
    return principal, ProjectFacts(id=3, public=public, role=role)


@pytest.mark.parametrize(("permission", "who", "expected"), cells(PRIVATE))
def test_in_a_private_project(permission: str, who: str, expected: bool) -> None:
    principal, project = asking(who, public=False)
    assert may(principal, Permission(*permission.split(":")), project) is expected


@pytest.mark.parametrize(("permission", "who", "expected"), cells(PUBLIC))
def test_in_a_public_project(permission: str, who: str, expected: bool) -> None:
    principal, project = asking(who, public=True)
    assert may(principal, Permission(*permission.split(":")), project) is expected


@pytest.mark.parametrize("table", [PRIVATE, PUBLIC])
def test_the_tables_above_leave_no_permission_out(table: str) -> None:
    assert {Permission(*name.split(":")) for name, _, _ in cells(table)} == IN_PROJECT | ON_SERVER


def test_every_named_permission_is_in_the_catalogue() -> None:
    named = {value for value in vars(catalogue).values() if isinstance(value, Permission)}
    assert named == IN_PROJECT | ON_SERVER


@pytest.mark.parametrize("permission", sorted(IN_PROJECT))
def test_a_project_that_does_not_exist_answers_like_a_private_one(permission: Permission) -> None:
    private = ProjectFacts(id=3, public=False)
    for who in (ANONYMOUS, ALICE):
        assert may(who, permission, None) is may(who, permission, private) is False
        assert may(who, permission, ABSENT) is False
    assert may(ROOT, permission, ABSENT)


def test_a_role_says_nothing_about_an_anonymous_request() -> None:
    assert not may(ANONYMOUS, Permission("repository", "pull"), ProjectFacts(3, False, Role.PROJECT_ADMIN))


def test_a_role_in_one_project_gives_no_right_on_the_whole_server() -> None:
    assert not may(ALICE, CATALOG_READ, ProjectFacts(3, True, Role.PROJECT_ADMIN))


def test_a_permission_of_both_kinds_is_about_the_server_where_no_project_is_named() -> None:
    assert catalogue.QUOTA_READ in IN_PROJECT & ON_SERVER
    assert may(ALICE, catalogue.QUOTA_READ, ProjectFacts(3, False, Role.LIMITED_GUEST))
    assert not may(ALICE, catalogue.QUOTA_READ)
    assert may(ROOT, catalogue.QUOTA_READ)
    assert {each.resource for each in IN_PROJECT & ON_SERVER} == {"label", "quota", "robot"}


def test_an_unknown_permission_is_an_error_and_not_a_no() -> None:
    with pytest.raises(ValueError, match="repository:steal"):
        may(ROOT, Permission("repository", "steal"), ProjectFacts(3, public=True))


STRONGEST_FIRST = (
    Role.PROJECT_ADMIN,
    Role.MAINTAINER,
    Role.DEVELOPER,
    Role.GUEST,
    Role.LIMITED_GUEST,
)


def test_each_role_holds_all_that_a_weaker_one_holds() -> None:
    for stronger, weaker in pairwise(STRONGEST_FIRST):
        assert HELD[stronger] >= HELD[weaker]
