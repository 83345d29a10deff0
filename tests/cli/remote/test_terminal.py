"""What a person sees: tables, questions and bars, at a terminal that is one."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.remote.conftest import SECRET, Desk
from hub import Hub

pytestmark = pytest.mark.system

_SECONDS = 60


class Screen:
    """A command at a terminal of 120 columns; `says` are typed in turn when their question is there."""

    def __init__(self, desk: Desk, *words: str, says: Sequence[tuple[str, str]] = ()) -> None:
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, (40, 120))
        env = {name: value for name, value in {**os.environ, **desk.env, "TERM": "xterm"}.items() if value}
        env.pop("COLUMNS", None)
        env.pop("FAIRWAY_HUB", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fairway", *words],
            env=env,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        self.text = ""
        left = list(says)
        while select.select([leader], [], [], _SECONDS)[0]:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # it has ended
                break
            self.text += piece.decode(errors="replace")
            if left and left[0][0] in self.text:
                os.write(leader, f"{left.pop(0)[1]}\n".encode())
        os.close(leader)
        self.status = self.process.wait(_SECONDS)

    @property
    def lines(self) -> list[str]:
        """Without colours."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text).replace("\r", "")
        return [line.strip() for line in plain.splitlines()]


def test_a_list_is_a_table(admin: Desk) -> None:
    admin.does("project", "create", "t-table", "--public")
    seen = Screen(admin, "project", "list", "--name", "t-table")
    assert seen.status == 0
    head, row = seen.lines
    assert re.split(r" {2,}", head) == ["name", "public", "your role", "repositories", "owner", "created"]
    assert re.split(r" {2,}", row)[:5] == ["t-table", "yes", "admin", "0", "admin"]


def test_one_thing_is_a_list_of_its_facts(admin: Desk) -> None:
    seen = Screen(admin, "quota", "show", "library")
    assert [re.split(r" {2,}", line)[0] for line in seen.lines] == ["project", "used", "limit"]
    assert seen.lines[2].endswith("unlimited")


def test_nothing_is_said(admin: Desk) -> None:
    assert Screen(admin, "project", "list", "--name", "no-such").lines == ["None."]


def test_deleting_is_asked_about(admin: Desk) -> None:
    admin.does("project", "create", "t-asked")
    kept = Screen(admin, "project", "delete", "t-asked", says=[("[y/N]", "n")])
    assert (kept.status, kept.lines[-1]) == (1, "Nothing was changed.")
    gone = Screen(admin, "project", "delete", "t-asked", says=[("[y/N]", "y")])
    assert (gone.status, gone.lines[-1]) == (0, "Deleted t-asked.")


def test_many_deletions_have_a_bar(admin: Desk) -> None:
    names = [f"t-bar-{number}" for number in range(5)]
    for name in names:
        admin.does("project", "create", name)
    seen = Screen(admin, "project", "delete", *names, "--yes")
    assert seen.status == 0
    assert "5/5" in "".join(seen.lines)


def test_a_password_is_asked_for_and_not_shown(running: Hub, kims: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    # The blank is written once what is typed is not shown any more, and what was typed before is forgotten.
    answers = [("User name:", kims), ("Password: ", SECRET)]
    seen = Screen(desk, "login", running.url, says=answers)
    assert (seen.status, seen.lines[-1]) == (0, f"Logged in to {running.url} as kim.")
    assert SECRET not in seen.text
    assert desk.lines("whoami")[0] == ["user", "kim"]


@pytest.mark.parametrize("words", [["--help"], ["user", "--help"], ["project", "list", "--help"]])
def test_help_fits_a_terminal(admin: Desk, words: list[str]) -> None:
    seen = Screen(admin, *words)
    assert seen.status == 0
    assert max(map(len, seen.lines)) <= 120
