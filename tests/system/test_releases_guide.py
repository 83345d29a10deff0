"""The guide about releases, as it is printed, on a hub with a few images."""

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
    push(wire, "orchard/apple", "v0", seed=b"wrong")
    first = push(wire, "orchard/apple", "latest", seed=b"first")
    second = push(wire, "orchard/apple", "latest", seed=b"second")
    said = played(hub, tmp_path, "releases.md")
    assert set(re.findall(r"\[(\d+)\]", said)) == {"0"}, said
    in_order(
        said,
        "Made rule 1: tags v* in repositories ** stay.",
        "1\ttrue\tv*\t**",
        "Made rule 2: tags >=1.0.0 (semver) in repositories web/** stay.",
        "Made rule 3: tags all but nightly in repositories tools stay.",
        "Rule 1 of orchard is not in force any more.",
        "Took away orchard/apple:v0",
        "Rule 1 of orchard is in force.",
        f"\tpush\tadmin\t{first}\t{second}",
        f"orchard/apple:latest is {first} again; before it was {second}.",
        f"\trollback\tadmin\t{second}\t{first}",
    )
    assert "Traceback" not in said
