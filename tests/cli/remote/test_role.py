"""`fairway role`, and roles that were made as those of members."""

import pytest

from cli.remote.conftest import Desk, offers
from hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/fairway/roles")


def test_a_role_is_made_given_changed_and_deleted(admin: Desk, kim: Desk) -> None:
    said = admin.does("role", "create", "auditor", "log:list", "project:read", "--description", "reads logs")
    assert said == "Made the role auditor.\n"
    assert [line[0] for line in kim.lines("role", "list")] == [
        "admin",
        "maintainer",
        "developer",
        "guest",
        "limited-guest",
        "auditor",
    ]
    assert kim.lines("role", "list")[-1] == ["auditor", "0", "reads logs"]
    admin.does("project", "create", "r-audited")
    said = admin.does("member", "add", "r-audited", "kim", "--role", "auditor")
    assert said == "kim is auditor in r-audited now.\n"
    assert ["kim", "auditor", "user"] in admin.lines("member", "list", "r-audited")
    shown = dict(kim.lines("role", "show", "auditor"))
    assert (shown["members"], shown["permissions"]) == ("1", "log:list project:read")
    assert dict(kim.lines("project", "show", "r-audited"))["your role"] == shown["number"]
    assert kim("log", "r-audited").exit_code == 0
    assert "member:list" in kim.refused("member", "list", "r-audited")
    said = admin.does("role", "update", "auditor", "--add", "member:list", "--drop", "log:list")
    assert said == "Changed the role auditor.\n"
    assert len(kim.lines("member", "list", "r-audited")) == 2
    assert "log:list" in kim.refused("log", "r-audited")
    [found] = [each for each in kim.json("role", "list") if each["name"] == "auditor"]
    assert (found["description"], found["members"]) == ("reads logs", 1)
    assert admin.refused("role", "delete", "auditor", "--yes") == (
        "1 member(s) have the role auditor, in r-audited; give them another role first"
    )
    admin.does("member", "set", "r-audited", "kim", "--role", "Guest")
    assert ["kim", "guest", "user"] in admin.lines("member", "list", "r-audited")
    admin.does("role", "update", "auditor", "--name", "reader", "--description", "")
    assert kim.lines("role", "list")[-1] == ["reader", "0", ""]
    assert admin.does("role", "delete", "reader", "--yes") == "Deleted the role reader.\n"


def test_the_five_are_shown_and_stay(admin: Desk) -> None:
    for name in ("admin", "projectAdmin"):
        shown = dict(admin.lines("role", "show", name))
        assert (shown["number"], "project:delete" in shown["permissions"]) == ("1", True)
    assert "every server has cannot be changed" in admin.refused("role", "delete", "guest", "--yes")
    assert "every server has cannot be changed" in admin.refused(
        "role", "update", "guest", "--add", "tag:create"
    )


def test_what_is_refused(admin: Desk, kim: Desk) -> None:
    assert admin.refused("role", "show", "none") == "there is no role none; `fairway role list` shows them"
    assert "you asked as kim," in kim.refused("role", "create", "mine", "log:list")
    assert "a role cannot hold robot:update" in admin.refused("role", "create", "mine", "robot:update")
    assert "write one such as repository:pull" in admin.misused("role", "create", "mine", "pull")
    admin.does("role", "create", "small", "log:list")
    assert "small does not hold tag:list;" in admin.refused("role", "update", "small", "--drop", "tag:list")
    admin.does("role", "delete", "small", "--yes")
