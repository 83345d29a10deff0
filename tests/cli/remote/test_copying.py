"""`fairway artifact copy` against a hub that copies."""

import pytest

from cli.remote.conftest import Desk, push
from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    asked = Wire(running).ask("POST", "/api/v2.0/projects/library/repositories/x/artifacts")
    if asked.status == 405:
        pytest.skip("this hub does not copy yet")


def test_an_artifact_is_copied(running: Hub, admin: Desk) -> None:
    admin.does("project", "create", "copied")
    digest = push(running, "library/to/copy", "v1")
    said = admin.does("artifact", "copy", "library/to/copy:v1", "copied/a/b")
    assert said == "copied/a/b has library/to/copy:v1 now.\n"
    assert admin.lines("artifact", "show", f"copied/a/b@{digest}")[0] == ["digest", digest]


def test_what_is_not_there(running: Hub, admin: Desk) -> None:
    assert "library/none" in admin.refused("artifact", "copy", "library/none:v1", "library/other")
    assert "is a project" in admin.misused("artifact", "copy", "library/none:v1", "library")
