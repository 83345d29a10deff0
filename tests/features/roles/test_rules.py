"""Which roles can be made, which numbers they have, and who may give which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest, Denied
from fairway.features.roles.model import BUILT_IN
from fairway.features.roles.rules import MAX_DESCRIPTION, MAX_NAME, as_role, check_gives, check_id, wanted
from fairway.frame.access.catalogue import IN_PROJECT, ON_SERVER, Permission
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT
from fairway.frame.access.may import ProjectFacts, may
from fairway.frame.access.principals import ANONYMOUS, Robot, User
from fairway.frame.access.roles import GRANTABLE_IN_ROLES, HELD, HELD_BY_ANYONE, Role, strongest

ALICE = User(7, "alice")
LIST_LOG = Permission("log", "list")


def test_roles_are_known_by_their_numbers() -> None:
    known = {
        1: Role.PROJECT_ADMIN,
        4: Role.MAINTAINER,
        2: Role.DEVELOPER,
        3: Role.GUEST,
        5: Role.LIMITED_GUEST,
    }
    assert {number: as_role(number) for number in known} == known
    for number in (*known, 100, 2**31 - 1):
        check_id(number)
    for number in (0, 6, 99, -1, 2**31, 10**30):
        with pytest.raises(BadRequest, match="4 \\(maintainer\\)"):
            check_id(number)


def test_a_role_is_what_was_asked_for() -> None:
    made = wanted("log-reader", "reads the log", [("log", "list"), ("log", "list"), ("project", "read")])
    assert (made.name, made.description) == ("log-reader", "reads the log")
    assert made.permissions == {LIST_LOG, Permission("project", "read")}


@pytest.mark.parametrize("name", ["a", "a1", "log.reader", "q_a-team", "x" * MAX_NAME])
def test_names_a_role_can_have(name: str) -> None:
    assert wanted(name, "", [LIST_LOG]).name == name


@pytest.mark.parametrize(
    "name", ["", "1", "100", "1a", "A", "a b", "a--b", "-a", "a-", "ä", "a\n", "a/b", "x" * (MAX_NAME + 1)]
)
def test_names_a_role_cannot_have(name: str) -> None:
    with pytest.raises(BadRequest, match="lower-case letters"):
        wanted(name, "", [LIST_LOG])


@pytest.mark.parametrize(
    "name",
    ["admin", "project-admin", "projectadmin", "guest", "limited-guest", "limited_guest", "maintainer"],
)
def test_names_that_would_be_taken_for_another_role(name: str) -> None:
    with pytest.raises(BadRequest, match="every server has"):
        wanted(name, "", [LIST_LOG])


@pytest.mark.parametrize("text", ["x" * (MAX_DESCRIPTION + 1), "a\nb", "a\0", "\x7f"])
def test_descriptions_a_role_cannot_have(text: str) -> None:
    with pytest.raises(BadRequest, match="description"):
        wanted("reader", text, [LIST_LOG])


@given(st.sampled_from(sorted(IN_PROJECT | ON_SERVER | GRANTABLE_IN_PROJECT)))
def test_a_role_holds_what_project_administrators_do_and_not_what_changes_robots(
    permission: Permission,
) -> None:
    asked = {permission, *HELD_BY_ANYONE}
    if permission in HELD[Role.PROJECT_ADMIN] and permission != ("robot", "update"):
        assert wanted("reader", "", asked).permissions == asked
    else:
        with pytest.raises(BadRequest, match="a role cannot hold"):
            wanted("reader", "", asked)


@pytest.mark.parametrize(
    "pair", [("", ""), ("nothing", "read"), ("repository", "*"), ("*", "*"), ("x" * 999, "y")]
)
def test_words_that_are_no_permission(pair: tuple[str, str]) -> None:
    with pytest.raises(BadRequest, match=r"it can hold .*repository:pull") as refused:
        wanted("reader", "", [pair])
    assert len(str(refused.value)) < 2500


def test_a_role_that_holds_nothing() -> None:
    with pytest.raises(BadRequest, match="holds something"):
        wanted("reader", "", [])


@pytest.mark.parametrize("pair", ["project:update", "metadata:create", "metadata:update"])
def test_who_can_make_a_project_public_can_read_it_before(pair: str) -> None:
    publishes = Permission(*pair.split(":"))
    for missing in HELD_BY_ANYONE:
        with pytest.raises(BadRequest, match=f"must hold {missing}, too"):
            wanted("publisher", "", {publishes, *HELD_BY_ANYONE} - {missing})
    assert wanted("publisher", "", {publishes, *HELD_BY_ANYONE})


# -- who may do what with them

GRANTABLE = st.frozensets(st.sampled_from(sorted(GRANTABLE_IN_ROLES)))
ROLES = st.frozensets(st.sampled_from(list(Role)))


@given(ROLES, st.lists(GRANTABLE, max_size=3), st.booleans(), st.sampled_from(sorted(IN_PROJECT)))
def test_a_member_may_what_any_of_their_roles_holds(
    built_in: frozenset[Role], made_here: list[frozenset[Permission]], public: bool, permission: Permission
) -> None:
    """In plain words: all that a person's roles hold, each for itself, put together; and what everybody may."""
    everything: set[Permission] = set(HELD_BY_ANYONE) if public else set()
    for role in built_in:
        everything |= HELD[role]
    for held in made_here:
        everything |= held
    more = frozenset[Permission]().union(*made_here)
    facts = ProjectFacts(3, public, strongest(built_in), more)
    assert may(ALICE, permission, facts) == (permission in everything)
    # Nobody else has a member's roles, and no role is about the server.
    assert may(ANONYMOUS, permission, facts) == (public and permission in HELD_BY_ANYONE)
    assert may(Robot(1, "robot$x"), permission, facts) == (public and permission in HELD_BY_ANYONE)


@given(GRANTABLE, st.sampled_from(sorted(ON_SERVER)))
def test_no_role_is_about_the_server(more: frozenset[Permission], permission: Permission) -> None:
    assert not may(ALICE, permission)
    if permission not in IN_PROJECT:
        assert not may(ALICE, permission, ProjectFacts(3, True, Role.PROJECT_ADMIN, more))


@given(GRANTABLE, st.one_of(st.none(), st.sampled_from(list(Role))), GRANTABLE, st.booleans())
def test_nobody_gives_more_than_they_hold(
    more: frozenset[Permission], role: Role | None, given_: frozenset[Permission], public: bool
) -> None:
    facts = ProjectFacts(3, public, role, more)
    own = more | (HELD[role] if role else frozenset()) | (HELD_BY_ANYONE if public else frozenset())
    if given_ <= own:
        check_gives(ALICE, facts, given_, "auditor")
    else:
        with pytest.raises(Denied, match=r"auditor holds .* which you do not hold here"):
            check_gives(ALICE, facts, given_, "auditor")
    check_gives(User(1, "root", sysadmin=True), ProjectFacts(3, public), given_, "auditor")


@pytest.mark.parametrize("held", [GRANTABLE_IN_ROLES, *(role.permissions for role in BUILT_IN)])
def test_a_project_administrator_gives_every_role(held: frozenset[Permission]) -> None:
    check_gives(ALICE, ProjectFacts(3, False, Role.PROJECT_ADMIN), held, "x")
