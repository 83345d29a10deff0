"""`fairway config` against a hub that has a configuration."""

from collections.abc import Iterator

import pytest

from cli.remote.conftest import Desk, offers
from hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub, admin: Desk) -> Iterator[None]:
    offers(running, "/api/v2.0/configurations")
    yield
    admin.does("config", "set", "self_registration=false", "token_expiration=30", "banner_message=")


def test_what_is_chosen(admin: Desk) -> None:
    said = admin.does(
        "config", "set", "self_registration=true", "token_expiration=20", "banner_message=Hello"
    )
    assert said == "Chosen: self_registration is true, token_expiration is 20, banner_message is Hello.\n"
    assert admin.does("config", "get", "token_expiration") == "20\n"
    assert ["self_registration", "true", "true"] in admin.lines("config", "list")
    assert admin.json("config", "list")["token_expiration"] == {"value": 20, "editable": True}


def test_mistakes(admin: Desk, kim: Desk) -> None:
    assert admin.refused("config", "set", "token_expiration=soon") == "token_expiration is a whole number"
    assert admin.refused("config", "set", "self_registration=1") == "self_registration is true or false"
    assert admin.refused("config", "get", "nothing").startswith("there is no nothing to choose")
    assert "'read_only' is no choice" in admin.misused("config", "set", "read_only")
    assert "you asked as kim," in kim.refused("config", "list")
