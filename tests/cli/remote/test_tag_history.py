"""`fairway tag history` and `fairway tag rollback` against a hub."""

import pytest

from cli.remote.conftest import Desk, push
from hub import Hub

pytestmark = pytest.mark.system


def test_a_tag_is_looked_at_and_goes_back(running: Hub, admin: Desk) -> None:
    admin.does("project", "create", "wound")
    first = push(running, "wound/clock", "v1", b"first")
    second = push(running, "wound/clock", "v1", b"second")
    lines = admin.lines("tag", "history", "wound/clock:v1")
    assert [line[1:] for line in lines] == [
        ["push", "admin", first, second],
        ["push", "admin", "-", first],
    ]
    assert "--yes" in admin.refused("tag", "rollback", "wound/clock:v1")
    said = admin.does("tag", "rollback", "wound/clock:v1", "--yes")
    assert said == f"wound/clock:v1 is {first} again; before it was {second}.\n"
    assert admin.json("tag", "history", "wound/clock:v1")[0]["how"] == "rollback"
    assert admin.does("tag", "rollback", "wound/clock:v1", "--to", second, "--yes")
    assert "names" in admin.refused("tag", "rollback", "wound/clock:v1", "--to", second, "--yes")
    assert "--to sha256:" in admin.refused("tag", "rollback", "wound/clock:never", "--yes")
    admin.does("tag", "delete", "wound/clock:v1", "--yes")
    said = admin.does("tag", "rollback", "wound/clock:v1", "--yes")
    assert said == f"wound/clock:v1 is {second} again; before it was not there.\n"
