"""The guide about retention, as it is printed: its commands run one after the other, on a hub with a few images."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hub import Hub
from system.guides import in_order, played
from system.harborapi.pushing import push
from system.wire import Wire

pytestmark = pytest.mark.system


def test_its_commands_do_what_it_says(start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    hub = start_hub()
    wire = Wire(hub)
    wire.create_project("orchard", public=False)
    for n in range(4):
        push(wire, "orchard/apple", f"v{n}", seed=f"{n}".encode())
    push(wire, "orchard/apple", "seedling", seed=b"seedling")
    said = played(hub, tmp_path, "retention.md")
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
