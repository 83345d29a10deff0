"""`fairway group` and groups as members, against a hub that has groups."""

import pytest

from cli.remote.conftest import Desk, offers
from hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/v2.0/usergroups")


def test_people_get_a_role_together(admin: Desk, kim: Desk) -> None:
    assert admin.does("group", "create", "gardeners") == "Made the group gardeners.\n"
    assert admin.lines("group", "list", "--match", "gard") == [["gardeners", "oidc", ""]]
    admin.does("project", "create", "garden")
    said = admin.does("member", "add", "garden", "gardeners", "--role", "developer", "--group")
    assert said == "gardeners is developer in garden now.\n"
    assert ["gardeners", "developer", "group"] in admin.lines("member", "list", "garden")
    assert kim("project", "show", "garden").exit_code == 1
    assert admin.does("group", "add", "gardeners", "kim") == "kim is in gardeners now.\n"
    assert dict(kim.lines("project", "show", "garden"))["your role"] == "developer"
    assert admin.lines("group", "people", "gardeners") == [["kim"]]
    assert admin.does("member", "set", "garden", "gardeners", "--role", "guest") == (
        "gardeners is guest in garden now.\n"
    )
    assert admin.does("group", "remove", "gardeners", "kim") == "kim is not in gardeners any more.\n"
    assert "kim is not in gardeners;" in admin.refused("group", "remove", "gardeners", "kim")
    assert admin.does("group", "delete", "gardeners", "--yes") == "Deleted the group gardeners.\n"


def test_what_is_not_there(admin: Desk, kim: Desk) -> None:
    for words in (
        ["group", "people", "none"],
        ["member", "add", "library", "none", "--role", "guest", "--group"],
    ):
        assert admin.refused(*words) == "there is no group none; `fairway group list` shows them"
    assert "you asked as kim," in kim.refused("group", "create", "mine")
