"""The guide for teams, as it is printed: once by `fairway` and once by curl, each on a hub of its own.

Its blocks of shell run one after the other in one shell, with this hub's address in place of the one that is printed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from architecture.source import ROOT
from hub import PASSWORD, Hub
from system.clients import Person, need

pytestmark = [pytest.mark.system, pytest.mark.slow]

GUIDE = (ROOT / "docs" / "guides" / "teams.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
_SECONDS = 300
_LOGIN = "fairway login $HUB --username admin"


def commands(block: str) -> list[str]:
    """The commands of a block; one that goes on over several lines is one."""
    return block.replace("\\\n", " ").splitlines()


def kept(block: str, without: str) -> str:
    """A block without the commands of the program that is not used this time."""
    return "\n".join(line for line in commands(block) if without not in line)


def told(hub: Hub, folder: Path, without: str) -> list[str]:
    """What each block prints, with the exit status of each command in it."""
    person = Person(folder, hub)
    fairway = f'fairway() {{ {sys.executable} -m fairway "$@"; }}'
    script = [fairway, "shopt -u expand_aliases", "exec 2>&1"]
    for block in BLOCKS:
        text = kept(block, without).replace("127.0.0.1:8080", hub.place)
        text = text.replace("what the first start printed", PASSWORD)
        text = text.replace(_LOGIN, f"printf '%s' \"$PASSWORD\" | {_LOGIN} --password-stdin")
        script += [f'{line}\necho "[$?]"' for line in text.splitlines()] + ["echo ::block"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    env |= {**person.env, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        ["bash"],
        input="\n".join(script),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env=env,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("::block\n")[:-1]


@pytest.fixture
def played(start_hub: Callable[..., Hub], tmp_path: Path) -> Callable[[str], str]:
    need("podman", "curl", "jq")
    hub = start_hub()

    def play(without: str) -> str:
        return "\n".join(told(hub, tmp_path / "person", without))

    return play


def in_order(text: str, *parts: str) -> None:
    """The parts stand in the text, one behind the other."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing in:\n{text[at:]}"
        at = found + len(part)


def test_by_fairway(played: Callable[[str], str]) -> None:
    text = played("curl ")
    in_order(
        text,
        "Logged in to http://",
        "user\tadmin\n",
        "Made orchard; only its members may see it.\n[0]",
        "orchard\tfalse\tadmin\t0\t",
        "Made ada.\n[0]",
        "Made ben.\n[0]",
        "ada is developer in orchard now.\n[0]",
        "ben is guest in orchard now.\n[0]",
        "ben\tguest\tuser\n[0]",
        "Login Succeeded",
        "orchard/apple\t1\t",
        "repository\torchard/apple\n",
        "orchard/apple:ripe is orchard/apple:1 now.\n[0]",
        "limit\t10737418240\n[0]",
        "you asked as ada, an administrator of the project or of the hub can let you\n[1]",
        "Login Succeeded",
        "unauthorized",
        "you asked as ben,",
        "\tlaptop\tpull\torchard\tfalse\t",
        "Login Succeeded!\n[0]",
        "Writing manifest to image destination",
        "\trobot$orchard+ci\tfalse\t",
        "Login Succeeded!\n[0]",
        "Writing manifest to image destination",
        "[0]",
        "Made the role auditor.\n[0]",
        "eve is auditor in orchard now.\n[0]",
        "\tadmin\tcreate\tmember\teve\ttrue\n",
        "auditor\t1\treads everything, pulls nothing\n[0]",
        "ben is developer in orchard now.\n[0]",
        "ada does not belong to orchard any more.\n[0]",
        "\tadmin\tcreate\tmember\tada\ttrue\n",
    )
    assert re.findall(r"\[(\d+)\]", text).count("1") == 2
    assert "Traceback" not in text


def test_by_curl(played: Callable[[str], str]) -> None:
    text = played("fairway ")
    in_order(
        text,
        '"username":"admin"',
        '"name":"orchard"',
        '"entity_name":"ada"',
        '"entity_name":"ben"',
        "Login Succeeded",
        '"name":"orchard/apple"',
        '"digest":"sha256:',
        '"hard":{"storage":10737418240}',
        '"code": "FORBIDDEN"',
        "Login Succeeded",
        "unauthorized",
        '"code": "UNAUTHORIZED"',
        '"name":"laptop","description":"","access":["pull"],"projects":[{"project_id":',
        "Login Succeeded!\n[0]",
        "Writing manifest to image destination",
        '"name":"robot$orchard+ci"',
        "Login Succeeded!\n[0]",
        "Writing manifest to image destination",
        "[0]",
        '"operation_description":"create member: eve as auditor of project orchard"',
        '"operation_description":"create project: orchard"',
    )
    assert "Traceback" not in text
