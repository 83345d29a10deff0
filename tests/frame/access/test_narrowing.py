"""Rights in a project that are narrowed to some of its repositories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.frame.access.catalogue import (
    IN_PROJECT,
    ON_SERVER,
    PROJECT_READ,
    REPOSITORY_LIST,
    REPOSITORY_PULL,
    Permission,
)
from fairway.frame.access.may import (
    ABSENT,
    ProjectFacts,
    may,
    only_in,
    projects_where,
    repositories_where,
)
from fairway.frame.access.narrowing import LONGEST, RESOURCES, is_narrowable, match, span
from fairway.frame.access.principals import EVERY_PROJECT, SERVER, Grant, Narrowed, Robot, User
from fairway.frame.access.roles import HELD, HELD_BY_ANYONE, Role

ALL = sorted(IN_PROJECT | ON_SERVER)
NAMES = ["a", "app", "team-a", "team-a/app", "team-a/app/deep", "team-ab", "team-ab/app", "team-b/app"]
PATTERNS = ["**", "*", "team-a/**", "team-a*", "team-a/a*", "team-a", "team-b/app", "none"]

grants = st.frozensets(
    st.builds(Grant, st.sampled_from([SERVER, EVERY_PROJECT, 1, 2]), st.sampled_from(ALL)), max_size=10
)
narrowed = st.frozensets(
    st.builds(
        Narrowed,
        st.sampled_from([SERVER, EVERY_PROJECT, 1, 2]),
        st.sampled_from(ALL),
        st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple),
    ),
    max_size=30,
)
robots = st.builds(Robot, id=st.just(1), name=st.just("robot$ci"), grants=grants, narrowed=narrowed)
facts = st.builds(
    ProjectFacts, id=st.integers(1, 3), public=st.booleans(), role=st.none() | st.sampled_from(Role)
)
places = st.none() | st.just(ABSENT) | facts
names = st.none() | st.sampled_from(NAMES)
asked = st.sampled_from(ALL)


def means(pattern: str, name: str) -> bool:
    """The same as it is written down, word for word."""
    if pattern == "**":
        return True
    if pattern.endswith("/**"):
        return name.startswith(pattern[:-2])
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1]) and "/" not in name.removeprefix(pattern[:-1])
    return name == pattern


def by_the_book(
    robot: Robot, permission: Permission, on: ProjectFacts | None, repository: str | None
) -> bool:
    if may(Robot(1, "robot$ci", None, robot.grants), permission, on):
        return True
    if on is None or on is ABSENT or permission not in IN_PROJECT:
        return False
    held = [each for each in robot.narrowed if each.where == on.id and each.permission == permission]
    if permission in (PROJECT_READ, REPOSITORY_LIST):
        return any(each.only for each in held)
    if permission.resource not in RESOURCES or repository is None:
        return False
    return any(means(pattern, repository) for each in held for pattern in each.only)


@given(robots, asked, places, names)
def test_it_may_what_its_grants_say(
    robot: Robot, permission: Permission, on: ProjectFacts | None, repository: str | None
) -> None:
    assert may(robot, permission, on, repository) is by_the_book(robot, permission, on, repository)


@given(robots, asked, places)
def test_without_a_repository_nothing_narrowed_opens_anything_of_one(
    robot: Robot, permission: Permission, on: ProjectFacts | None
) -> None:
    bare = Robot(1, "robot$ci", None, robot.grants)
    if permission not in (PROJECT_READ, REPOSITORY_LIST):
        assert may(robot, permission, on) is may(bare, permission, on)


@given(robots, asked, facts, names)
def test_narrowing_never_gives_more_than_the_whole(
    robot: Robot, permission: Permission, on: ProjectFacts, repository: str | None
) -> None:
    widened = Robot(
        1, "robot$ci", None, robot.grants | {Grant(each.where, each.permission) for each in robot.narrowed}
    )
    assert may(robot, permission, on, repository) <= may(widened, permission, on, repository)


@given(robots, asked, facts)
def test_only_in_says_which_ones_are_open(robot: Robot, permission: Permission, on: ProjectFacts) -> None:
    only = only_in(robot, permission, on)
    if permission.resource not in RESOURCES or permission == REPOSITORY_LIST:
        return
    if not any(each.where == on.id for each in robot.narrowed):
        assert only is None
    elif only is None:
        assert may(robot, permission, on) is True
    else:
        for name in NAMES:
            assert may(robot, permission, on, name) is match(only, name)


@given(robots, asked)
def test_lists_show_what_is_open(robot: Robot, permission: Permission) -> None:
    where = projects_where(robot, permission)
    some = repositories_where(robot.narrowed, permission)
    for id in (1, 2, 3):
        on = ProjectFacts(id, public=False)
        if permission not in IN_PROJECT:
            continue
        whole = where is None or id in where
        if permission == PROJECT_READ:
            assert whole is may(robot, permission, on) or not robot.narrowed
            continue
        for name in NAMES:
            if permission != REPOSITORY_LIST:
                assert (whole or match(some.get(id, ()), name)) is may(robot, permission, on, name)


people = st.builds(
    ProjectFacts,
    id=st.just(1),
    public=st.booleans(),
    role=st.none() | st.sampled_from(Role),
    narrowed=st.frozensets(
        st.builds(
            Narrowed,
            st.just(1),
            st.sampled_from(sorted(each for each in IN_PROJECT if is_narrowable(each))),
            st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3).map(tuple),
        ),
        max_size=10,
    ),
)


@given(people, asked, names)
def test_a_person_holds_what_a_robot_with_the_same_grants_does(
    on: ProjectFacts, permission: Permission, repository: str | None
) -> None:
    person = User(1, "bob")
    held = HELD[on.role] if on.role else ()
    robot = Robot(1, "robot$ci", None, frozenset(Grant(1, each) for each in held), on.narrowed)
    assert may(person, permission, on, repository) is may(robot, permission, on, repository)
    assert only_in(person, permission, on) == only_in(robot, permission, on)


@given(people, asked, names)
def test_who_administers_the_server_is_not_narrowed(
    on: ProjectFacts, permission: Permission, repository: str | None
) -> None:
    admin = User(1, "admin", sysadmin=True)
    assert may(admin, permission, on, repository)
    assert only_in(admin, permission, on) is None


def test_what_everybody_holds_is_nobody_s_to_narrow() -> None:
    ci = Robot(1, "robot$ci", None, narrowed=frozenset({Narrowed(1, REPOSITORY_PULL, ("team-a/**",))}))
    assert REPOSITORY_PULL in HELD_BY_ANYONE
    assert may(ci, REPOSITORY_PULL, ProjectFacts(1, public=True), "team-b/app")
    assert only_in(ci, REPOSITORY_PULL, ProjectFacts(1, public=True)) is None


@given(st.sampled_from(PATTERNS), st.sampled_from(NAMES))
def test_a_pattern_means_what_is_written_of_it(pattern: str, name: str) -> None:
    assert match([pattern], name) is means(pattern, name)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "a/**/b",
        "**/a",
        "*a",
        "a*b",
        "a**",
        "***",
        "a/***",
        "A",
        "a b",
        "{a,b}",
        "[a]*",
        "a?",
        "..",
        "../a",
        "-a",
        "a\n",
        "a/**\n",
        "a%",
        "é",
        "a" * (LONGEST + 1),
    ],
)
def test_others_are_refused_with_what_there_is(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"team-a/\*\*"):
        span(pattern)
