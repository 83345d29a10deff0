"""`fairway retention` against a hub: what people see of policies, simulations and runs."""

import json
from pathlib import Path

import pytest

from cli.remote.conftest import Desk, offers, push
from hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/v2.0/retentions/metadatas")


@pytest.fixture
def cleaned(running: Hub, admin: Desk, request: pytest.FixtureRequest) -> str:
    """A project of the test's own with four images in `app`."""
    name = request.node.name.replace("_", "-").replace("test-", "")[:40].strip("-")
    admin.does("project", "create", name)
    for n in range(4):
        push(running, f"{name}/app", f"v{n}", f"{name}{n}".encode())
    return name


def test_a_policy_is_set_shown_and_run(admin: Desk, cleaned: str) -> None:
    said = admin.refused("retention", "history", cleaned)
    assert said.startswith(f"{cleaned} has no retention policy of its own")
    asked = ("--keep-latest-pushed", 2, "--tags", "v*", "--no-untagged", "--repositories", "app")
    assert admin.lines("retention", "simulate", cleaned, *asked) == [["app", "4", "2", "2", ""]]
    found = admin.lines("retention", "simulate", cleaned, *asked, "--repository", "app")
    assert [(each[0], each[1]) for each in found] == [
        ("v1", "DEL"),
        ("v0", "DEL"),
        ("v3", "RETAIN"),
        ("v2", "RETAIN"),
    ]
    assert found[0][2] == "no rule keeps it (rule 1: not among the 2 pushed last)"
    said = admin.does("retention", "set", cleaned, *asked, "--schedule", "daily")
    assert said == f"Changed the retention of {cleaned}.\n"
    shown = dict(admin.lines("retention", "show", cleaned))
    assert (shown["in force"], shown["mode"], shown["schedule"]) == ("project", "artifact", "0 0 0 * * *")
    assert shown["rules"] == "keep the 2 pushed last: tags v* in repositories app"
    assert admin.lines("retention", "run", cleaned, "--dry-run") == [["app", "Success", "4", "2", "0", ""]]
    assert len(admin.lines("artifact", "list", f"{cleaned}/app")) == 4
    done = admin("retention", "run", cleaned)
    assert (done.exit_code, done.stdout) == (0, "app\tSuccess\t4\t2\t2\t\n"), done.output
    assert "Success, 2 of 4 deleted in 1 repositories." in done.stderr
    assert len(admin.lines("artifact", "list", f"{cleaned}/app")) == 2
    assert [each[1:3] for each in admin.lines("retention", "history", cleaned)] == [
        ["Success", "false"],
        ["Success", "true"],
    ]
    logged = admin.lines("retention", "log", cleaned, "--repository", "app")
    assert sorted(each[1] for each in logged) == ["DEL", "DEL", "RETAIN", "RETAIN"]
    assert "was not about other" in admin.refused("retention", "log", cleaned, "--repository", "other")
    assert admin.does("retention", "stop", cleaned).endswith(" ends.\n")
    said = admin.does("retention", "delete", cleaned, "--yes")
    assert said == f"Deleted the retention policy of {cleaned}.\n"
    assert dict(admin.lines("retention", "show", cleaned))["in force"] == "none"


def test_rules_are_added_and_read_from_a_file(admin: Desk, cleaned: str, tmp_path: Path) -> None:
    admin.does(
        "retention", "set", cleaned, "--keep-pushed-within", 30, "--keep-always", "--exclude-tags", "dev-*"
    )
    admin.does(
        "retention", "set", cleaned, "--add", "--keep-latest-active", 5, "--tags", ">=1", "--kind", "semver"
    )
    admin.does("retention", "set", cleaned, "--mode", "tag", "--schedule", "none")
    shown = admin.json("retention", "show", cleaned)
    rules = shown["policy"]["rules"]
    assert [each["template"] for each in rules] == ["nDaysSinceLastPush", "always", "latestActiveK"]
    assert shown["policy"]["mode"] == "tag"
    assert [each["decoration"] for each in rules[0]["tag_selectors"]] == ["matches", "excludes"]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(shown))
    admin.does("retention", "delete", cleaned, "--yes")
    admin.does("retention", "set", cleaned, "--file", file)
    assert admin.json("retention", "show", cleaned)["policy"]["rules"] == rules
    assert admin.lines("retention", "simulate", cleaned, "--file", file)[0][:4] == ["app", "4", "4", "0"]
    file.write_text("[]")
    assert "holds no policy" not in admin.does("retention", "simulate", cleaned)
    file.write_text("{")
    assert "holds no policy of retention" in admin.refused("retention", "set", cleaned, "--file", file)
    assert "say what to keep" in admin.misused("retention", "set", cleaned)
    assert "or say --default" in admin.misused("retention", "show")


def test_the_policy_of_the_hub(admin: Desk, kim: Desk, cleaned: str) -> None:
    assert "the hub has no retention policy" in admin.refused("retention", "history", "--default")
    admin.does("retention", "set", "--default", "--keep-latest-pushed", 3)
    assert dict(admin.lines("retention", "show", cleaned))["in force"] == "default"
    assert admin.lines("retention", "simulate", cleaned) == [["app", "4", "3", "1", ""]]
    admin.does("retention", "set", cleaned, "--no-use-default")
    assert dict(admin.lines("retention", "show", cleaned))["in force"] == "none"
    assert "no retention policy is in force" in admin.refused("retention", "simulate", cleaned)
    admin.does("retention", "set", "--default", "--schedule", "weekly")
    shown = dict(admin.lines("retention", "show", "--default"))
    assert shown["schedule"] == "0 0 0 * * 0"
    assert shown["rules"].startswith("keep the 3 pushed last")
    assert "you asked as kim," in kim.refused("retention", "set", "--default", "--keep-always")
    admin.does("retention", "delete", "--default", "--yes")
