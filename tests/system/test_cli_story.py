"""A team's life on a running hub, told through the command `fairway`, each time as a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hub import PASSWORD, Hub
from system.harborapi.pushing import push
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECRET, OTHER_SECRET = "Harbour-master-2", "Another-secret-3"
_SECONDS = 120


class Keyboard:
    """Somebody's terminal, with a home of its own."""

    def __init__(self, home: Path, hub: Hub, user: str, password: str) -> None:
        home.mkdir()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
        own = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "DOCKER_CONFIG": str(home / "docker"),
        }
        self.env = {**inherited, **own, "COLUMNS": "200"}
        self.does("login", hub.url, "-u", user, "--password-stdin", stdin=password)

    def run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fairway", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=self.env,
            check=False,
        )

    def does(self, *words: str, stdin: str = "") -> str:
        """What a command that goes well prints; it complains of nothing."""
        done = self.run(*words, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, ""), (words, done.stdout, done.stderr)
        return done.stdout

    def shows(self, *words: str) -> Any:
        return json.loads(self.does(*words, "--json"))

    def refused(self, *words: str) -> str:
        """The one line that a command which goes wrong says."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done.stdout, done.stderr)
        assert done.stderr.startswith("fairway: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    def shows_in_time(self, count: int, *words: str) -> Any:
        """A list, when it has so many lines: the log is written in the background."""
        deadline = time.monotonic() + _SECONDS
        while len(found := self.shows(*words)) < count:
            assert time.monotonic() < deadline, found
        return found


@pytest.fixture
def admin(hub: Hub, tmp_path: Path) -> Keyboard:
    return Keyboard(tmp_path / "admin", hub, "admin", PASSWORD)


def test_people_projects_and_members(hub: Hub, admin: Keyboard, tmp_path: Path) -> None:
    assert admin.shows("whoami")["username"] == "admin"
    admin.does("user", "create", "alice", "--email", "alice@example.com", "--password-stdin", stdin=SECRET)
    admin.does("user", "set", "alice", "--name", "Alice A")
    assert admin.shows("user", "show", "alice")["realname"] == "Alice A"
    assert [user["username"] for user in admin.shows("user", "list", "--match", "lic")] == ["alice"]
    alice = Keyboard(tmp_path / "alice", hub, "alice", SECRET)
    assert "permission" in alice.refused("user", "list")
    admin.does("user", "change-password", "alice", "--password-stdin", stdin=OTHER_SECRET)
    alice.refused("whoami")
    alice = Keyboard(tmp_path / "alice-again", hub, "alice", OTHER_SECRET)

    admin.does("project", "create", "docks", "--storage-limit", "10MiB")
    admin.does("project", "set", "docks", "severity=high")
    project = admin.shows("project", "show", "docks")
    assert project["metadata"] == {"public": "false", "severity": "high"}
    alice.refused("project", "show", "docks")
    admin.does("member", "add", "docks", "alice", "--role", "guest")
    assert alice.shows("project", "show", "docks")["name"] == "docks"
    alice.refused("tag", "create", "docks/crane:1", "2")
    admin.does("member", "set", "docks", "alice", "--role", "admin")
    members = {each["entity_name"]: each["role_name"] for each in alice.shows("member", "list", "docks")}
    assert members == {"admin": "projectAdmin", "alice": "projectAdmin"}
    alice.does("project", "set", "docks", "--public")
    assert admin.shows("project", "show", "docks")["metadata"]["public"] == "true"
    admin.does("project", "set", "docks", "--private")
    admin.does("member", "remove", "docks", "alice")
    assert alice.shows("project", "list", "--name", "docks") == []
    admin.does("user", "delete", "alice", "--yes")
    alice.refused("whoami")


def test_images_labels_quotas_and_the_log(hub: Hub, admin: Keyboard) -> None:
    admin.does("project", "create", "cargo")
    admin.does("project", "create", "store", "--public")
    wire = Wire(hub)
    tea, rum = push(wire, "cargo/tea", "1"), push(wire, "cargo/rum", "1", seed=b"rum")
    assert sorted(each["name"] for each in admin.shows("repo", "list", "cargo")) == ["cargo/rum", "cargo/tea"]
    admin.does("repo", "describe", "cargo/tea", "hot")
    assert admin.shows("repo", "show", "cargo/tea")["description"] == "hot"
    assert [each["digest"] for each in admin.shows("artifact", "list", "cargo/tea")] == [tea]
    assert admin.shows("artifact", "show", "cargo/rum:1")["digest"] == rum

    admin.does("tag", "create", "cargo/tea:1", "fresh", "best")
    tags = [each["name"] for each in admin.shows("tag", "list", "cargo/tea:1")]
    assert sorted(tags) == ["1", "best", "fresh"]
    admin.does("tag", "delete", "cargo/tea:best", "--yes")
    admin.does("artifact", "copy", f"cargo/tea@{tea}", "store/tea")
    assert admin.shows("artifact", "show", f"store/tea@{tea}")["digest"] == tea

    admin.does("label", "create", "sealed", "--project", "cargo", "--color", "#61717D")
    admin.does("label", "attach", "cargo/tea:1", "sealed")
    assert "already" in admin.refused("label", "attach", "cargo/tea:1", "sealed")
    admin.does("label", "detach", "cargo/tea:1", "sealed")
    admin.does("label", "delete", "sealed", "--project", "cargo", "--yes")
    assert admin.shows("label", "list", "--project", "cargo") == []

    admin.does("quota", "set", "cargo", "1MiB")
    quota = admin.shows("quota", "show", "cargo")
    assert quota["hard"] == {"storage": 2**20}
    assert 0 < quota["used"]["storage"] < 2**20

    found = admin.shows("search", "tea")
    assert {each["repository_name"] for each in found["repository"]} == {"cargo/tea", "store/tea"}
    assert "cargo" in admin.refused("project", "delete", "cargo", "--yes")
    admin.does("artifact", "delete", f"store/tea@{tea}", "--yes")
    admin.does("repo", "delete", "cargo/tea", "cargo/rum", "--yes")
    deleted = admin.shows_in_time(2, "log", "cargo", "--operation", "delete", "--what", "repository")
    assert {each["resource"] for each in deleted} == {"cargo/tea", "cargo/rum"}
    admin.does("project", "delete", "cargo", "--yes")
    admin.does("logout")
    admin.refused("project", "list")
