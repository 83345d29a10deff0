"""A browser and a hub of several processes, none of which keeps anything for it (on PostgreSQL three web workers)."""

from collections.abc import Mapping

import pytest

from hub import PASSWORD, Hub
from system.wire import Answer, Wire

pytestmark = pytest.mark.system

CURRENT = "/api/v2.0/users/current"
LOGIN = f"principal=admin&password={PASSWORD}".encode()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(hub: Hub, headers: Mapping[str, str] = {}) -> dict[str, str]:
    """What a browser sends from now on.  Each request has a connection, and so a worker, of its own."""
    answer = Wire(hub, user="").ask("POST", "/c/login", LOGIN, {**FORM, **headers})
    assert answer.status == 200, answer
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return {"Cookie": cookie, "X-Harbor-CSRF-Token": answer.headers["x-harbor-csrf-token"]}


def make(hub: Hub, name: str, headers: Mapping[str, str]) -> Answer:
    body = b'{"project_name":"%s"}' % name.encode()
    typed = {"Content-Type": "application/json", **headers}
    return Wire(hub, user="").ask("POST", "/api/v2.0/projects", body, typed)


def test_every_worker_knows_the_session_and_its_end(hub: Hub) -> None:
    page = log_in(hub)
    nobody = Wire(hub, user="")
    for n in range(12):
        assert nobody.ask("GET", CURRENT, headers=page).json()["username"] == "admin"
        assert make(hub, f"team{n}", page).status == 201
        assert make(hub, f"team{n}", {"Cookie": page["Cookie"]}).status == 403
        assert make(hub, f"team{n}", {**page, "Origin": "https://evil.example"}).status == 403
    assert make(hub, "own", {**page, "Origin": hub.url}).status == 201
    assert nobody.ask("GET", "/c/log_out", headers=page).status == 200
    assert {nobody.ask("GET", CURRENT, headers=page).status for _ in range(12)} == {401}


def test_it_outlives_a_restart(hub: Hub) -> None:
    page = log_in(hub)
    hub.stop()
    hub.start()
    assert make(hub, "after", page).status == 201


def test_it_outlives_a_crash(hub: Hub) -> None:
    page = log_in(hub)
    hub.kill()
    hub.start()
    assert make(hub, "after", page).status == 201
