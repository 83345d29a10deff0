"""A robot holds what it was granted and what everybody holds, and nothing else, whatever is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.frame.access.catalogue import (
    CONFIGURATION_READ,
    CONFIGURATION_UPDATE,
    IN_PROJECT,
    ON_SERVER,
    REPOSITORY_CREATE,
    ROBOT_UPDATE,
    ROLE_CREATE,
    ROLE_DELETE,
    ROLE_UPDATE,
    TAG_RETENTION_OPERATE,
    Permission,
)
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT, GRANTABLE_ON_SERVER
from fairway.frame.access.may import ABSENT, ProjectFacts, may, projects_where
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Robot
from fairway.frame.access.roles import HELD_BY_ANYONE, Role

ALL = sorted(IN_PROJECT | ON_SERVER | GRANTABLE_IN_PROJECT | GRANTABLE_ON_SERVER)
PLACES = [SERVER, EVERY_PROJECT, 1, 2, 3]

grants = st.frozensets(st.builds(Grant, st.sampled_from(PLACES), st.sampled_from(ALL)), max_size=40)
robots = st.builds(
    Robot,
    id=st.integers(1, 9),
    name=st.sampled_from(["admin", "robot$admin", "scanner-1", "robot$team+ci", ""]),
    project=st.none() | st.integers(1, 3),
    grants=grants,
)
facts = st.builds(
    ProjectFacts, id=st.integers(1, 4), public=st.booleans(), role=st.none() | st.sampled_from(Role)
)
asked = st.sampled_from(sorted(IN_PROJECT | ON_SERVER))


def by_the_book(robot: Robot, permission: Permission, on: ProjectFacts | None) -> bool:
    """The same, looked up grant by grant."""
    if on is None and permission in ON_SERVER:
        return any(grant == (SERVER, permission) for grant in robot.grants)
    if permission not in IN_PROJECT:
        return False
    if on is not None and on.public and permission in HELD_BY_ANYONE:
        return True
    places = {EVERY_PROJECT} | ({on.id} if on else set())
    return any(grant.where in places and grant.permission == permission for grant in robot.grants)


@given(robots, asked, st.none() | st.just(ABSENT) | facts)
def test_it_may_what_its_grants_say(robot: Robot, permission: Permission, on: ProjectFacts | None) -> None:
    assert may(robot, permission, on) is by_the_book(robot, permission, on)


@given(robots, asked, st.none() | st.just(ABSENT) | facts)
def test_never_more_than_it_was_granted(
    robot: Robot, permission: Permission, on: ProjectFacts | None
) -> None:
    if may(robot, permission, on) and not (on and on.public and permission in HELD_BY_ANYONE):
        places = {grant.where for grant in robot.grants if grant.permission == permission}
        assert places & ({on.id, EVERY_PROJECT} if on else {SERVER, EVERY_PROJECT})
        assert (SERVER in places) or on is not None or permission not in ON_SERVER


@given(robots, asked, facts)
def test_neither_name_nor_level_nor_a_role_gives_it_anything(
    robot: Robot, permission: Permission, on: ProjectFacts
) -> None:
    bare = Robot(robot.id, "x", None, robot.grants)
    assert may(robot, permission, on) is may(bare, permission, ProjectFacts(on.id, on.public))


@given(robots, asked)
def test_a_project_that_does_not_exist_answers_like_a_hidden_one(
    robot: Robot, permission: Permission
) -> None:
    hidden = ProjectFacts(id=99, public=False)
    assert may(robot, permission, ABSENT) is may(robot, permission, hidden)


@given(robots, st.sampled_from(sorted(IN_PROJECT)))
def test_the_projects_of_a_permission_are_those_where_it_may(robot: Robot, permission: Permission) -> None:
    where = projects_where(robot, permission)
    for id in range(1, 5):
        assert may(robot, permission, ProjectFacts(id, public=False)) is (where is None or id in where)


def test_what_robots_cannot_be_granted() -> None:
    assert {ROBOT_UPDATE, REPOSITORY_CREATE, TAG_RETENTION_OPERATE} == IN_PROJECT - GRANTABLE_IN_PROJECT
    roles = {ROLE_CREATE, ROLE_UPDATE, ROLE_DELETE}
    not_on_server = {ROBOT_UPDATE, CONFIGURATION_READ, CONFIGURATION_UPDATE, *roles}
    assert not_on_server == ON_SERVER - GRANTABLE_ON_SERVER


def test_an_unknown_permission_is_an_error_though_it_was_granted() -> None:
    scan = Permission("scan", "create")
    with pytest.raises(ValueError, match="scan:create"):
        may(Robot(1, "x", None, frozenset({Grant(1, scan)})), scan, ProjectFacts(1, public=False))
