"""Commands are loaded when they are called, and their tables say what they say themselves."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fairway.cli import TABLE, app, lazy, user
from fairway.cli.lazy import Entry

SERVERS = ("sqlalchemy", "fastapi", "granian", "aiohttp", "structlog", "cryptography")

entries = pytest.mark.parametrize(
    ("name", "entry"),
    [*TABLE.items(), *user.TABLE.items()],
    ids=lambda each: each if isinstance(each, str) else "",
)


@entries
def test_the_line_about_a_command_is_its_own(name: str, entry: Entry) -> None:
    made = lazy.load(name, entry)
    assert made.name == name
    assert made.help.split("\n")[0] == entry.help


def test_every_command_is_in_the_help() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    assert [name for name in TABLE if f"│ {name} " not in shown] == []


def loaded(*words: str) -> set[str]:
    """Which of a server's libraries a command imports, in a process of its own."""
    code = (
        "import sys, contextlib, io\n"
        "from fairway.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    with contextlib.suppress(SystemExit): app({list(words)!r})\n"
        f"print(*sorted(set({SERVERS!r}) & set(sys.modules)))\n"
    )
    env = {**os.environ, "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["user", "--help"],
        ["project", "--help"],
        ["login", "--help"],
        ["version"],
        ["project", "list", "--hub", "http://127.0.0.1:1"],
        ["user", "list", "--hub", "http://127.0.0.1:1"],
        ["quota", "set", "x", "1GiB", "--hub", "http://127.0.0.1:1"],
        ["no-such"],
    ],
    ids=" ".join,
)
def test_what_asks_a_hub_loads_no_server(words: list[str]) -> None:
    assert loaded(*words) == set()


def test_what_is_asked_of_the_database_does() -> None:
    assert "sqlalchemy" in loaded("jobs", "--help")
