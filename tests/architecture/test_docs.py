"""What the pages say about the project is still true of it."""

import re
import tomllib
from pathlib import Path

import pytest

from architecture.source import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")],
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@every_page
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text("utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


@every_page
def test_no_page_names_a_path_of_its_authors_machine(page: Path) -> None:
    somebodys = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")
    assert not somebodys.findall(page.read_text("utf-8"))


@every_page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|\n|&& )make ([a-z]+)", page.read_text("utf-8")))
    assert named <= targets


def test_every_page_is_on_the_map() -> None:
    docs = ROOT / "docs"
    map_text = (docs / "README.md").read_text("utf-8")
    pages = [str(page.relative_to(docs)) for page in docs.rglob("*.md") if page != docs / "README.md"]
    assert not [page for page in pages if f"({page})" not in map_text]


def test_every_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    names = {re.split(r"[\[<>=~]", line)[0] for group in groups for line in group}
    reasons = (ROOT / "docs" / "decisions" / "dependencies.md").read_text("utf-8")
    assert not [name for name in sorted(names) if f"| {name} |" not in reasons]


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.txt")), ids=lambda file: file.name)
def test_pins_are_hashed_and_name_no_address(file: Path) -> None:
    text = file.read_text("utf-8")
    pins = re.findall(r"^[a-z0-9][^\n]*\n", text, re.MULTILINE)
    assert pins
    assert all(pin.endswith("\\\n") for pin in pins)
    assert "://" not in text
    assert not re.search(r"^--?[a-z]", text, re.MULTILINE)
