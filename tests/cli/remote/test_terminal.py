"""What a person sees: tables, questions and bars, at a terminal that is one."""

import json
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

from cli.remote.conftest import SECRET, Desk, push
from fairway.client import projects
from fairway.client.address import Login
from fairway.client.sync import Hub as Client
from hub import PASSWORD, Hub

pytestmark = pytest.mark.system

_SECONDS = 60


class Screen:
    """A command at a terminal of 120 columns; `says` are typed in turn when their question is there.

    `into`: a file for what it prints; errors and bars stay at the terminal.
    """

    def __init__(
        self, desk: Desk, *words: str, says: Sequence[tuple[str, str]] = (), into: Path | None = None
    ) -> None:
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, (40, 120))
        env = {name: value for name, value in {**os.environ, **desk.env, "TERM": "xterm"}.items() if value}
        env.pop("COLUMNS", None)
        env.pop("FAIRWAY_HUB", None)
        output = os.open(into, os.O_WRONLY | os.O_CREAT) if into else os.dup(follower)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fairway", *words],
            env=env,
            stdin=follower,
            stdout=output,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        os.close(output)
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
    for name in names:  # on a line of its own, from which the bar was wiped
        assert f"\r\x1b[2KDeleted {name}." in seen.text, seen.text


def test_what_goes_into_a_file_is_all_there_while_a_bar_is_shown(admin: Desk, tmp_path: Path) -> None:
    names = [f"t-file-{number}" for number in range(5)]
    for name in names:
        admin.does("project", "create", name)
    file = tmp_path / "output"
    seen = Screen(admin, "project", "delete", *names, "--yes", into=file)
    assert "5/5" in "".join(seen.lines)
    assert "Deleted" not in seen.text
    assert file.read_text() == "".join(f"Deleted {name}.\n" for name in names)


def test_what_a_webhook_logs_in_with_is_asked_for_and_not_shown(admin: Desk) -> None:
    admin.does("project", "create", "t-hooks")
    words = ("webhook", "add", "t-hooks", "ci", "https://hook.example.com/x")
    made = Screen(
        admin, *words, "--auth-header-file", "-", says=[("Authorization header: ", "Bearer swordfish")]
    )
    assert made.status == 0, made.text
    assert "swordfish" not in made.text
    shown = Screen(admin, "webhook", "show", "t-hooks", "ci")
    facts = {fields[0]: fields[-1] for line in shown.lines if (fields := re.split(r" {2,}", line))}
    assert facts["tells"] == "https://hook.example.com/x"
    assert (facts["on"], facts["enabled"], facts["waiting"]) == ("PUSH_ARTIFACT", "yes", "0")
    assert "PUSH_ARTIFACT, PULL_ARTIFACT" in Screen(admin, "webhook", "events", "t-hooks").text


MANY = 301


@pytest.fixture(scope="module")
def many(running: Hub) -> str:
    """A part of the names of many projects."""
    with Client(running.url, Login("admin", PASSWORD)) as hub:
        for number in range(MANY):
            hub.ask(projects.create(f"very-many-{number:03}"))
    return "very-many"


def test_a_full_disk_is_told_in_a_line(admin: Desk) -> None:
    seen = Screen(admin, "project", "list", into=Path("/dev/full"))
    assert seen.status == 1
    assert seen.lines[0] == "fairway: the output cannot be written: No space left on device"
    assert "Traceback" not in seen.text


class TestAVeryLongList:
    def test_it_has_a_bar_and_then_a_table(self, admin: Desk, many: str) -> None:
        seen = Screen(admin, "project", "list", "--name", many, "--all")
        assert f"{MANY}/{MANY}" in "".join(seen.lines)
        assert len([line for line in seen.lines if line.startswith("very-many-")]) == MANY

    def test_into_a_file_it_is_all_there(self, admin: Desk, many: str, tmp_path: Path) -> None:
        file = tmp_path / "output"
        seen = Screen(admin, "project", "list", "--name", many, "--all", into=file)
        assert f"{MANY}/{MANY}" in "".join(seen.lines)
        names = [line.split("\t")[0] for line in file.read_text().splitlines()]
        assert names == [f"very-many-{number:03}" for number in range(MANY)]

    def test_as_json_at_a_terminal_it_is_json_and_nothing_else(self, admin: Desk, many: str) -> None:
        seen = Screen(admin, "project", "list", "--name", many, "--all", "--json")
        assert len(json.loads(seen.text)) == MANY


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


def test_what_goes_with_a_project_is_told_before(admin: Desk, running: Hub) -> None:
    admin.does("project", "create", "t-full")
    for name in ("app", "db"):
        push(running, f"t-full/{name}", "v1", b"a layer of " + name.encode())
    admin.does("project", "rename", "t-full", "t-whole")
    kept = Screen(admin, "project", "delete", "t-full", "--force", says=[("[y/N]", "n")])
    assert kept.lines[0].startswith("Delete t-whole with 2 repositories, 2 artifacts and ")
    assert (kept.status, kept.lines[-1]) == (1, "Nothing was changed.")
    gone = Screen(admin, "project", "delete", "t-full", "--force", says=[("[y/N]", "y")])
    assert (gone.status, gone.lines[-1]) == (0, "Deleted t-full.")
