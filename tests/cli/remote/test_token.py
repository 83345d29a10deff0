"""`fairway token` against a hub, and logging in with what it makes."""

from pathlib import Path

import pytest

from cli.remote.conftest import SECRET, Desk, push
from hub import Hub
from system.wire import Wire

pytestmark = pytest.mark.system


def test_one_is_made_used_listed_and_revoked(running: Hub, kim: Desk, admin: Desk, tmp_path: Path) -> None:
    done = kim("token", "create", "laptop", "--allow", "all", "--days", "7", "--description", "at home")
    assert (done.exit_code, done.stderr) == (0, "Keep the token now: it is not shown again.\n")
    made = dict(line.split("\t") for line in done.stdout.splitlines())
    assert (made["name"], made["token"][:4]) == ("laptop", "fwp_")
    laptop = Desk(tmp_path / "laptop")
    laptop.does("login", running.url, "-u", "kim", "--password-stdin", stdin=made["token"])
    assert laptop.lines("whoami")[0] == ["user", "kim"]
    assert "a token cannot do it" in laptop.refused("token", "create", "more", "--allow", "all")
    for words in (["token", "list"], ["token", "list", "--json"]):
        said = kim.does(*words)
        assert "at home" in said
        assert made["token"] not in said
    [line] = kim.lines("token", "list")
    assert line[:5] == [made["number"], "laptop", "all", "*", "false"]
    assert kim.does("token", "revoke", "laptop", "--yes") == "Revoked laptop.\n"
    assert "does not accept this password of kim" in laptop.refused("whoami")
    assert kim.refused("token", "revoke", "laptop", "--yes").startswith("there is no token laptop;")
    assert kim.lines("token", "list") == []


def test_one_that_pulls_from_a_project(running: Hub, admin: Desk) -> None:
    admin.does("project", "create", "narrow")
    push(running, "narrow/app", "v1")
    made = admin.json("token", "create", "reader", "--allow", "pull", "--project", "narrow")
    wire = Wire(running, "admin", made["token"])
    assert wire.ask("GET", "/v2/narrow/app/manifests/v1").status == 200
    assert wire.ask("POST", "/v2/narrow/app/blobs/uploads/").status == 401
    [line] = admin.lines("token", "list")
    assert line[1:4] == ["reader", "pull", "narrow"]
    admin.does("token", "revoke", str(made["id"]), "--yes")


def test_an_administrator_sees_and_ends_those_of_others(running: Hub, kim: Desk, admin: Desk) -> None:
    made = kim.json("token", "create", "script", "--allow", "read")
    assert [line[1] for line in admin.lines("token", "list", "--user", "kim")] == ["script"]
    assert "you asked as kim," in kim.refused("token", "list", "--user", "kim")
    assert admin.does("token", "revoke", "script", "--user", "kim", "--yes") == "Revoked script.\n"
    assert Wire(running, "kim", made["token"]).ask("GET", "/api/v2.0/users/current").status == 401
    assert Wire(running, "kim", SECRET).ask("GET", "/api/v2.0/users/current").status == 200
    assert admin.refused("token", "list", "--user", "nobody") == "there is no user nobody"


def test_mistakes(kim: Desk) -> None:
    assert "Missing option '--allow'" in kim.misused("token", "create", "x")
    assert "access is a list of some of" in kim.refused("token", "create", "x", "--allow", "fly")
    assert "lives for 1 to 365 days" in kim.refused("token", "create", "x", "--allow", "all", "--for-ever")
    assert "not found" in kim.refused("token", "create", "x", "--allow", "all", "--project", "absent")
