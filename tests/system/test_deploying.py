"""The guide for deployments, as it is printed: a push is told, and the receiver of examples/ deploys it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hub import Hub
from system.clients import need
from system.guides import in_order, told

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_a_push_is_deployed(start_hub: Callable[..., Hub], tmp_path: Path) -> None:
    need("podman")
    hub = start_hub(env={"FAIRWAY_EGRESS_ALLOW_NETWORKS": "127.0.0.0/8"})
    folder = tmp_path / "person"
    text = "\n".join(told(hub, folder, "deploying.md"))
    log = (folder / "hook.log").read_text()
    in_order(
        text,
        "Made orchard;",
        "Made the webhook deploy.",
        "\tPUSH_ARTIFACT\tSuccess\t",
        "name\tdeploy\n",
        "tags\tv[0-9]*\nrepositories\tapple\n",
        "Login Succeeded!\n[0]",
        "Writing manifest to image destination",
        "Writing manifest to image destination",
        "deploying orchard/apple v1.0.0 sha256:",
        "PUSH_ARTIFACT\tSuccess\t",
        "PUSH_ARTIFACT\tSuccess\t",
        "Writing manifest to image destination",
        "PUSH_ARTIFACT\tRunning\t",
        "deploying orchard/apple v1.0.0 sha256:",
        "deploying orchard/apple v1.0.1 sha256:",
    )
    assert "nightly" not in (folder / "deployed").read_text()
    assert re.findall(
        r"^deploying \S+ (\S+) sha256:[0-9a-f]{64}$", (folder / "deployed").read_text(), re.MULTILINE
    ) == [
        "v1.0.0",
        "v1.0.1",
    ], log
    assert set(re.findall(r"\[(\d+)\]", text)) == {"0"}, text
    assert "Traceback" not in text + log
