"""Guides, as they are printed: their blocks of shell run one after the other in one shell, on a hub of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

from architecture.source import ROOT
from hub import PASSWORD, Hub
from postgres import free_port
from system.clients import Person

_SECONDS = 300
_LOGIN = "fairway login $HUB --username admin"


def blocks(guide: str) -> list[str]:
    """The blocks of shell of a guide."""
    text = (ROOT / "docs" / "guides" / guide).read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The commands of a block; one that goes on over several lines is one."""
    return block.replace("\\\n", " ").splitlines()


def kept(block: str, without: str) -> str:
    """A block without the commands of a program that is not used this time."""
    return "\n".join(line for line in commands(block) if not without or without not in line)


def told(hub: Hub, folder: Path, guide: str, *, without: str = "") -> list[str]:
    """What each block prints, with the exit status of each command in it; the hub's address is put in."""
    person = Person(folder, hub)
    (folder / "examples").symlink_to(ROOT / "examples")
    receiver = f"127.0.0.1:{free_port()}"
    fairway = f'fairway() {{ {sys.executable} -m fairway "$@"; }}'
    script = [fairway, "shopt -u expand_aliases", "exec 2>&1"]
    for block in blocks(guide):
        text = kept(block, without).replace("127.0.0.1:8080", hub.place)
        text = text.replace("127.0.0.1:9000", receiver)
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


def played(hub: Hub, home: Path, guide: str) -> str:
    """What a guide prints, with the exit status of each command, to somebody who is logged in as admin already."""
    script = [f'fairway() {{ {sys.executable} -m fairway "$@"; }}', "exec 2>&1"]
    script += [f'{line}\necho "[$?]"' for block in blocks(guide) for line in commands(block)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    login = {"FAIRWAY_HUB": hub.url, "FAIRWAY_USERNAME": "admin", "FAIRWAY_PASSWORD": PASSWORD}
    done = subprocess.run(
        ["bash"],
        input="\n".join(script),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**env, **login, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "COLUMNS": "200"},
        check=False,
    )
    return done.stdout


def in_order(text: str, *parts: str) -> None:
    """The parts stand in the text, one behind the other."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing in:\n{text[at:]}"
        at = found + len(part)
