"""`fairway robot` against a hub that has robots."""

import json
from pathlib import Path

import pytest

from cli.remote.conftest import Desk, offers, push
from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/v2.0/robots")


@pytest.fixture
def team(admin: Desk) -> str:
    if admin("project", "show", "robotic").exit_code:
        admin.does("project", "create", "robotic")
    return "robotic"


def test_one_of_a_project_logs_in_and_pushes(running: Hub, admin: Desk, team: str, tmp_path: Path) -> None:
    done = admin("robot", "create", "ci", team, "--allow", "push", "--description", "builds")
    assert (done.exit_code, done.stderr) == (0, "Keep the secret now: it is not shown again.\n")
    made = dict(line.split("\t") for line in done.stdout.splitlines())
    assert made["name"] == "robot$robotic+ci"
    wire = Wire(running, made["name"], made["secret"])
    assert wire.push_blob("robotic/app", b"pushed").startswith("sha256:")
    for words in (
        ["robot", "list", team],
        ["robot", "show", "robotic+ci"],
        ["robot", "list", team, "--json"],
    ):
        assert made["secret"] not in admin(*words).output
    shown = dict(admin.lines("robot", "show", "robotic+ci"))
    assert shown["may"] == "robotic repository:pull,robotic repository:push"
    robot = Desk(tmp_path / "robot")
    robot.does("login", running.url, "-u", made["name"], "--password-stdin", stdin=made["secret"])
    assert robot.lines("whoami")[0] == ["user", "robot$robotic+ci"]


def test_it_is_renewed_disabled_enabled_and_deleted(running: Hub, admin: Desk, team: str) -> None:
    made = admin.json("robot", "create", "cd", team, "--for-ever")
    assert made["expires_at"] == -1
    old = Wire(running, made["name"], made["secret"])
    push(running, f"{team}/pulled", "v1")
    path = f"/v2/{team}/pulled/manifests/v1"
    assert old.ask("GET", path).status == 200
    secret = json.loads(admin.does("robot", "renew", "robotic+cd", "--yes", "--json"))["secret"]
    assert old.ask("GET", path).status == 401
    new = Wire(running, made["name"], secret)
    assert new.ask("GET", path).status == 200
    assert admin.does("robot", "disable", made["name"]) == f"{made['name']} cannot log in any more.\n"
    assert new.ask("GET", path).status == 401
    assert admin.does("robot", "enable", str(made["id"])) == f"{made['id']} can log in again.\n"
    assert new.ask("GET", path).status == 200
    assert admin.does("robot", "delete", "robotic+cd", "--yes") == "Deleted robotic+cd.\n"
    said = admin.refused("robot", "show", "robotic+cd")
    assert said == "there is no robot robotic+cd; `fairway robot list robotic` shows them"


def test_one_for_all_projects(admin: Desk) -> None:
    made = admin.json("robot", "create", "everywhere", "--all-projects", "--allow", "pull", "--days", 1)
    assert made["name"] == "robot$everywhere"
    [line] = [line for line in admin.lines("robot", "list") if line[1] == "robot$everywhere"]
    assert line[4] == "* repository:pull"


def test_mistakes(admin: Desk, kim: Desk, team: str) -> None:
    assert "'fly' is no right" in admin.misused("robot", "create", "x", team, "--allow", "fly")
    assert "name projects" in admin.misused("robot", "create", "x")
    assert "bad request permission" in admin.refused("robot", "create", "x", team, "--allow", "a:b")
    assert "you asked as kim," in kim.refused("robot", "create", "x", team)


def test_a_robot_is_for_some_repositories(admin: Desk, team: str) -> None:
    admin.does("robot", "create", "some", team, "--repository", "apples/**", "--repository", "pears")
    admin.does("robot", "disable", f"{team}+some")
    shown = dict(admin.lines("robot", "show", f"{team}+some"))
    assert shown["may"] == "robotic (apples/**, pears) repository:pull"
    said = admin.misused("robot", "create", "all", "--all-projects", "--repository", "apples/**")
    assert "name the project" in said
