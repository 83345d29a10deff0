"""The page about clients names every client and every session that there is."""

import re

from architecture.source import ROOT
from system.sessions.known import CLIENTS, ELSEWHERE
from system.sessions.page import words

PAGE = (ROOT / "docs" / "reference" / "clients.md").read_text("utf-8")
SYSTEM = ROOT / "tests" / "system"


def test_every_client_stands_in_the_page() -> None:
    assert not [client.name for client in CLIENTS if f"\n## {client.name}\n" not in PAGE]


def test_every_session_stands_in_the_page() -> None:
    sources = [file.read_text("utf-8") for file in (SYSTEM / "sessions").glob("test_*.py")]
    names = {name for source in sources for name in re.findall(r"^def (test_\w+)\(", source, re.MULTILINE)}
    assert names
    assert not [name for name in sorted(names | ELSEWHERE.keys()) if f"| {words(name)}" not in PAGE]


def test_every_session_elsewhere_exists() -> None:
    beside = "".join(file.read_text("utf-8") for file in SYSTEM.glob("test_*.py"))
    assert not [name for name in ELSEWHERE if f"def {name}(" not in beside]
