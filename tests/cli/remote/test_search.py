"""`fairway search` against a hub that searches."""

import pytest

from cli.remote.conftest import Desk, offers, push
from hub import Hub

pytestmark = pytest.mark.system


def test_what_has_it_in_its_name(running: Hub, admin: Desk, kim: Desk) -> None:
    offers(running, "/api/v2.0/search?q=x")
    admin.does("project", "create", "needle-project")
    push(running, "needle-project/app", "v1")
    push(running, "library/has-needle", "v1")
    assert admin.lines("search", "needle") == [
        ["project", "needle-project", "1"],
        ["repository", "library/has-needle", "1"],
        ["repository", "needle-project/app", "1"],
    ]
    assert [each["name"] for each in admin.json("search", "needle")["project"]] == ["needle-project"]
    assert kim.lines("search", "needle") == [["repository", "library/has-needle", "1"]]
    assert admin.lines("search", "no-such-thing-at-all") == []
