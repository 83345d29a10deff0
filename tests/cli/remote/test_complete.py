"""What the shell is told when somebody presses the tabulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.remote.conftest import Desk
from hub import PASSWORD, Hub

pytestmark = pytest.mark.system


def complete(desk: Desk, line: str, **env: str) -> list[str]:
    """What bash is told for a line of which the last word is being written."""
    words = line.split(" ")
    kept = {name: value for name, value in {**os.environ, **desk.env, **env}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['fairway']; from fairway.cli import app; app()"],
        env={
            **kept,
            "_FAIRWAY_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def desk(running: Hub, tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "home")
    desk.does("login", running.url, "-u", "admin", "--password-stdin", stdin=PASSWORD)
    return desk


def test_of_commands(desk: Desk) -> None:
    assert "project" in complete(desk, "fairway pro")
    assert {"list", "create"} <= set(complete(desk, "fairway user "))


def test_of_projects(desk: Desk) -> None:
    desk.does("project", "create", "complete-me")
    assert complete(desk, "fairway project show complete-") == ["complete-me"]
    assert complete(desk, "fairway repo list complete-") == ["complete-me"]
    assert complete(desk, "fairway repo show complete-") == ["complete-me/"]


def test_where_nobody_is_logged_in_or_nobody_answers(tmp_path: Path) -> None:
    nobody = Desk(tmp_path / "nobody")
    assert complete(nobody, "fairway project show lib") == []
    assert complete(nobody, "fairway project show lib", FAIRWAY_HUB="http://127.0.0.1:1") == []
