"""`fairway session` against a hub where people log in with browsers."""

import pytest

from cli.remote.conftest import Desk, offers
from hub import Hub
from system.test_sessions import log_in
from system.wire import Wire

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def offered(running: Hub) -> None:
    offers(running, "/api/fairway/users/current/sessions")


def test_one_looks_and_ends(running: Hub, admin: Desk) -> None:
    lost = log_in(running, {"User-Agent": "Lost/1.0"})
    log_in(running, {"User-Agent": "Here/2.0"})
    here, there, *_ = admin.lines("session", "list")
    assert (here[1], here[5], there[5]) == ("127.0.0.1", "Here/2.0", "Lost/1.0")
    assert admin.json("session", "list")[0]["browser"] == "Here/2.0"
    nobody = Wire(running, user="")
    assert nobody.ask("GET", "/api/v2.0/users/current", headers=lost).status == 200
    assert admin.does("session", "end", there[0]) == f"Ended session {there[0]}.\n"
    assert nobody.ask("GET", "/api/v2.0/users/current", headers=lost).status == 401
    assert admin.refused("session", "end", there[0]) == f"you have no session {there[0]}"
    admin.misused("session", "end", "0")
    assert here[0] in [line[0] for line in admin.lines("session", "list")]
