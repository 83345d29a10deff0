"""What is installed is what was looked at: every requirement by hash, every action by commit, nothing piped from the net (T75)."""

import re
from pathlib import Path

import pytest

from architecture.source import ROOT

REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
FETCHES = re.compile(r"\b(?:curl|wget)\b[^\n|]*\|\s*(?:\w+ )*(?:sh|bash|python3?)\b")
PIP = re.compile(r"(?:\$\(PIP\)|\bpip3?|\buv pip) (?:install|sync)\b[^\n]*")
ACTION = re.compile(r"^\s*(?:-\s*)?uses:\s*(\S+)", re.MULTILINE)
IMAGE = re.compile(r"^\s*(?:FROM|image:)\s+(?!scratch)(\S+)", re.MULTILINE)
OUR_OWN = "--no-deps -e ."
"""Installing this very tree needs no hash; what it depends on was installed by hash before."""


def text(path: Path) -> str:
    return path.read_text("utf-8", "replace")


def scripts() -> list[Path]:
    """All that a person or CI runs to set things up."""
    found = [ROOT / "Makefile", *ROOT.glob(".ci/*"), *ROOT.glob("tests/*.sh"), *ROOT.glob("bench/**/*.sh")]
    found += [*ROOT.glob(".github/**/*.y*ml"), *ROOT.glob(".gitlab-ci.yml"), *ROOT.glob("deploy/**/*")]
    return [path for path in found if path.is_file()]


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_every_requirement_has_its_hashes(file: Path) -> None:
    logical = text(file).replace("\\\n", " ").splitlines()
    lines = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._-]+(\[[\w,-]+\])?==[^\s]+ ", line), f"not pinned: {line[:80]}"
        hashes = re.findall(r"--hash=(\S+)", line)
        assert hashes, f"no hash: {line[:80]}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


def test_every_installation_checks_the_hashes() -> None:
    installed = [(path, line) for path in scripts() for line in PIP.findall(text(path))]
    assert any(path.name == "Makefile" for path, _ in installed)
    for path, line in installed:
        assert "--require-hashes" in line or OUR_OWN in line, f"{path.name}: {line}"


def test_ci_installs_as_everybody_does() -> None:
    assert re.search(r"^make test$", text(ROOT / ".ci" / "run"), re.MULTILINE)
    assert not PIP.search(text(ROOT / ".ci" / "run"))


def test_nothing_from_the_net_is_piped_into_a_shell() -> None:
    assert [path.name for path in scripts() if FETCHES.search(text(path))] == []
    assert FETCHES.search("curl -fsSL https://example.com/install | sudo sh")


def test_actions_and_images_are_pinned_by_digest() -> None:
    """There may be none of them; what comes is held to it."""
    for path in scripts():
        for action in ACTION.findall(text(path)):
            assert action.startswith("./") or re.search(r"@[0-9a-f]{40}$", action), f"{path.name}: {action}"
        if path.name.startswith("Dockerfile") or path.suffix in (".yml", ".yaml"):
            for image in IMAGE.findall(text(path)):
                assert "@sha256:" in image or "{{" in image or "$" in image, f"{path.name}: {image}"


def test_the_dependencies_of_the_package_are_all_among_the_pins() -> None:
    import tomllib

    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    wanted = {re.split(r"[\[<>=~;]", line)[0].strip() for line in project["dependencies"]}
    pinned = set(re.findall(r"^([a-z0-9._-]+)(?:\[|==)", text(ROOT / "requirements.txt"), re.MULTILINE))
    assert wanted <= pinned
