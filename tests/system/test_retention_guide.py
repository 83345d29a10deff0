"""The guide about retention, as it is printed: its commands run one after the other, on a hub with a few images."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from architecture.source import ROOT
from hub import PASSWORD, Hub
from system.guides import in_order
from system.harborapi.pushing import push
from system.wire import Wire

pytestmark = pytest.mark.system

GUIDE = (ROOT / "docs" / "guides" / "retention.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
_SECONDS = 300


def test_its_commands_do_what_it_says(start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    hub = start_hub()
    wire = Wire(hub)
    wire.create_project("orchard", public=False)
    for n in range(4):
        push(wire, "orchard/apple", f"v{n}", seed=f"{n}".encode())
    push(wire, "orchard/apple", "seedling", seed=b"seedling")
    script = [f'fairway() {{ {sys.executable} -m fairway "$@"; }}', "exec 2>&1"]
    script += [f'{line}\necho "[$?]"' for block in BLOCKS for line in block.splitlines()]
    env = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    login = {"FAIRWAY_HUB": hub.url, "FAIRWAY_USERNAME": "admin", "FAIRWAY_PASSWORD": PASSWORD}
    done = subprocess.run(
        ["bash"],
        input="\n".join(script),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**env, **login, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "200"},
        check=False,
    )
    said = done.stdout
    assert set(re.findall(r"\[(\d+)\]", said)) == {"0"}, said
    in_order(
        said,
        "apple\t5\t2\t3\t",
        "seedling\tDEL\tno rule keeps it (rule 1: ",
        "v3\tRETAIN\trule 1 keeps it: among the 2 pushed last",
        "Changed the retention of orchard.",
        "rules\tkeep the 2 pushed last: tags v* in repositories **; keep pulled within 30 days: tags *",
        "apple\tSuccess\t5\t2\t0\t",
        "apple\tSuccess\t5\t2\t3\t",
        "\tSuccess\tfalse\t",
        "v0\tDEL\t",
        "Changed the retention of orchard.",
        "apple\tSuccess\t2\t2\t0\t",
        "Changed the retention of the hub.",
        "rules\tkeep pushed within 90 days",
    )
    assert "Traceback" not in said
