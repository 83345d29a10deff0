"""The page about commands is that of the commands there are."""

import subprocess
import sys

from architecture.source import ROOT
from fairway.cli import TABLE, user

COMMAND = "python -m fairway.cli.reference > docs/reference/commands.md"


def test_the_page_is_up_to_date() -> None:
    made = [sys.executable, "-m", "fairway.cli.reference"]
    page = subprocess.run(made, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8") == page, f"run: {COMMAND}"


def test_every_command_stands_on_it() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    names = [*TABLE, *(f"user {name}" for name in user.TABLE)]
    assert not [name for name in names if f"### `fairway {name}" not in page]
