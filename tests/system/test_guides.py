"""The guide for teams, as it is printed: once by `fairway` and once by curl, each on a hub of its own."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hub import Hub
from system.clients import need
from system.guides import in_order, told

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def played(start_hub: Callable[..., Hub], tmp_path: Path) -> Callable[[str], str]:
    need("podman", "curl", "jq")
    hub = start_hub()

    def play(without: str) -> str:
        return "\n".join(told(hub, tmp_path / "person", "teams.md", without=without))

    return play


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
