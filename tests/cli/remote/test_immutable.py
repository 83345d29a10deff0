"""`fairway immutable` against a hub."""

import pytest

from cli.remote.conftest import Desk, push
from hub import Hub

pytestmark = pytest.mark.system


def test_rules_are_made_switched_and_deleted(admin: Desk) -> None:
    admin.does("project", "create", "frozen")
    made = admin.does("immutable", "add", "frozen", "--tags", "v*", "--repositories", "web/**")
    assert made.startswith("Made rule ")
    assert "tags v* in repositories web/** stay" in made
    number = made.split()[2].rstrip(":")
    [line] = admin.lines("immutable", "list", "frozen")
    assert line == [number, "true", "v*", "web/**"]
    [shown] = admin.json("immutable", "list", "frozen")
    assert (shown["id"], shown["disabled"]) == (int(number), False)
    assert "is not in force any more" in admin.does("immutable", "disable", "frozen", number)
    assert admin.lines("immutable", "list", "frozen")[0][1] == "false"
    assert "is in force" in admin.does("immutable", "enable", "frozen", number)
    asked = admin("immutable", "add", "frozen")
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert "say which tags" in asked.output
    assert "already" in admin.refused(
        "immutable", "add", "frozen", "--tags", "v*", "--repositories", "web/**"
    )
    assert "cannot be read" in admin.refused("immutable", "add", "frozen", "--tags", "(", "--kind", "regex")
    assert "--yes" in admin.refused("immutable", "remove", "frozen", number)
    assert admin.does("immutable", "remove", "frozen", number, "--yes").startswith("Deleted rule")
    assert f"no immutable tag rule {number}" in admin.refused("immutable", "disable", "frozen", number)


def test_what_is_refused_names_the_command_that_lets_it_be_done(running: Hub, admin: Desk) -> None:
    admin.does("project", "create", "sealed")
    push(running, "sealed/app", "v1")
    made = admin.does("immutable", "add", "sealed", "--exclude-tags", "^0", "--kind", "semver")
    assert "all but ^0 (semver)" in made
    said = admin.refused("tag", "delete", "sealed/app:v1", "--yes")
    command = said.partition("fairway immutable disable sealed ")
    assert command[1], said
    admin.does("immutable", "disable", "sealed", command[2].split()[0])
    admin.does("tag", "delete", "sealed/app:v1", "--yes")
