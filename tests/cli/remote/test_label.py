"""`fairway label` against a hub that has labels."""

import pytest

from cli.remote.conftest import Desk, offers, push
from hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/v2.0/labels?scope=g")


def test_labels_of_the_hub(admin: Desk) -> None:
    assert admin.does("label", "create", "stable", "--color", "#61717D") == "Made the label stable.\n"
    said = admin.refused("label", "create", "stable")
    assert said == "there is a label stable already; choose another name"
    assert admin.does("label", "set", "stable", "--description", "Runs") == "Changed the label stable.\n"
    assert admin.lines("label", "list")[0][:3] == ["stable", "#61717D", "Runs"]
    assert admin.does("label", "set", "stable", "--name", "solid") == "Changed the label solid.\n"
    assert [each["name"] for each in admin.json("label", "list")] == ["solid"]
    assert admin.does("label", "delete", "solid", "--yes") == "Deleted the label solid.\n"
    said = admin.refused("label", "delete", "solid", "--yes")
    assert said == "there is no label solid; `fairway label list` shows them"


def test_labels_on_artifacts(running: Hub, admin: Desk) -> None:
    push(running, "library/labelled", "v1")
    admin.does("label", "create", "ours", "--project", "library")
    admin.does("label", "create", "everybodys")
    assert admin.does("label", "attach", "library/labelled:v1", "ours", "everybodys") == (
        "library/labelled:v1 has the label ours now.\nlibrary/labelled:v1 has the label everybodys now.\n"
    )
    assert "is on this artifact already" in admin.refused("label", "attach", "library/labelled:v1", "ours")
    said = admin.does("label", "detach", "library/labelled:v1", "ours")
    assert said == "library/labelled:v1 has the label ours no longer.\n"
    assert "there is no label none" in admin.refused("label", "attach", "library/labelled:v1", "none")


def test_who_may_not(kim: Desk) -> None:
    assert "kim lacks the role for this" in kim.refused("label", "create", "mine")
