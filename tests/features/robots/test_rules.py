"""Names, secrets and rights of robots, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.oci.errors import BadRequest
from fairway.features.robots import rules
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.grantable import GRANTABLE_IN_PROJECT
from fairway.frame.access.may import ProjectFacts
from fairway.frame.access.principals import ANONYMOUS, EVERY_PROJECT, SERVER, Grant, Robot, User
from fairway.frame.access.roles import Role

PULL, PUSH = Permission("repository", "pull"), Permission("repository", "push")
HOME = ProjectFacts(5, public=False, role=Role.PROJECT_ADMIN)
names = st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) <= 255)
prefixes = st.sampled_from(["robot$", "bot-", "r", "x+", "ci.", "robot$robot$"])
grants = st.builds(
    Grant, st.sampled_from([SERVER, EVERY_PROJECT, 5, 6]), st.sampled_from(sorted(GRANTABLE_IN_PROJECT)[:6])
)


@given(prefixes, st.none() | names, names)
def test_a_login_name_is_read_back(prefix: str, project: str | None, name: str) -> None:
    assert rules.parse_login(prefix, rules.login_name(prefix, project, name)) == (project, name)


@given(prefixes, st.text(max_size=30))
def test_what_is_read_is_what_would_be_written(prefix: str, text: str) -> None:
    for login in (text, prefix + text):
        parsed = rules.parse_login(prefix, login)
        assert parsed is None or rules.login_name(prefix, *parsed) == login


@pytest.mark.parametrize(
    "login",
    ["", "robot$", "robot$+ci", "robot$team+", "robot$a+b+c", "robot$Team+ci", "ROBOT$ci", "ci", "robot$a b"],
)
def test_a_name_that_no_robot_has(login: str) -> None:
    assert rules.parse_login("robot$", login) is None


def test_an_empty_prefix_makes_nobody_a_robot() -> None:
    assert rules.parse_login("", "team+ci") is None


@pytest.mark.parametrize("secret", ["Abcdefg1", "With:colon-1", "X1" + "y" * 126, "pässwört-A1"])
def test_a_secret_that_can_be_chosen(secret: str) -> None:
    rules.check_secret(secret)


@pytest.mark.parametrize("secret", ["", "Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "X1" + "y" * 127])
def test_a_secret_that_cannot(secret: str) -> None:
    with pytest.raises(BadRequest) as refused:
        rules.check_secret(secret)
    assert not secret or secret not in refused.value.message


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("7", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("0", None),
        ("-1", None),
        ("", None),
        ("٣", None),
    ],
)
def test_an_id(text: str, id: int | None) -> None:
    assert rules.an_id(text) == id


@given(st.frozensets(grants, max_size=12), st.frozensets(grants, max_size=12))
def test_a_robot_never_gives_what_it_does_not_hold(held: frozenset[Grant], asked: frozenset[Grant]) -> None:
    maker = Robot(1, "robot$maker", None, held)
    too_much = rules.beyond(maker, asked, HOME)
    lacking = {
        grant
        for grant in asked
        if grant not in held and (grant.where == SERVER or Grant(EVERY_PROJECT, grant.permission) not in held)
    }
    assert (too_much is None) is (not lacking)
    assert too_much is None or too_much in lacking


def test_who_gives_what() -> None:
    boss, root = User(2, "boss"), User(1, "admin", sysadmin=True)
    at_home, elsewhere = [Grant(5, PULL)], [Grant(6, PULL)]
    everywhere, server = [Grant(EVERY_PROJECT, PULL)], [Grant(SERVER, Permission("catalog", "read"))]
    for asked in (at_home, elsewhere, everywhere, server):
        assert rules.beyond(root, asked, None) is None
        assert rules.beyond(ANONYMOUS, asked, HOME) == asked[0]
        assert rules.beyond(boss, asked, None) == asked[0]
    assert rules.beyond(boss, at_home, HOME) is None
    for asked in (elsewhere, everywhere, server):
        assert rules.beyond(boss, [*at_home, *asked], HOME) == asked[0]


def test_an_end_is_counted_in_days() -> None:
    assert rules.end(1_000, 3, 100) == 1_300
    assert rules.end(1_000, -1, 100) is None


def test_entries_for_one_place_are_one() -> None:
    asked = [
        ("project", "team", [("repository", "pull", "")], ()),
        ("project", "team", [("repository", "push", "allow")], ()),
    ]
    made = rules.wanted(
        name="ci", level="system", description="", duration=-1, disabled=False, permissions=asked
    )
    (access,) = made.access
    assert access.permissions == {PULL, PUSH}
