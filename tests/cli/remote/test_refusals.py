"""Every command where the hub is down, or does not know who asks, or is none: one line, and what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cli.remote.conftest import Desk
from hub import Hub
from postgres import free_port

pytestmark = pytest.mark.system

ALL = [
    ["project", "list"],
    ["project", "show", "x"],
    ["project", "create", "x"],
    ["project", "set", "x", "--public"],
    ["project", "delete", "x", "--yes"],
    ["member", "list", "x"],
    ["member", "add", "x", "y", "--role", "guest"],
    ["member", "set", "x", "y", "--role", "guest"],
    ["member", "remove", "x", "y"],
    ["repo", "list"],
    ["repo", "show", "x/y"],
    ["repo", "describe", "x/y", "z"],
    ["repo", "delete", "x/y", "--yes"],
    ["artifact", "list", "x/y"],
    ["artifact", "show", "x/y:z"],
    ["artifact", "tags", "x/y:z"],
    ["artifact", "delete", "x/y:z", "--yes"],
    ["tag", "list", "x/y:z"],
    ["tag", "create", "x/y:z", "t"],
    ["tag", "delete", "x/y:z", "--yes"],
    ["quota", "list"],
    ["quota", "show", "x"],
    ["quota", "set", "x", "1GiB"],
    ["user", "list"],
    ["user", "show", "x"],
    ["user", "create", "x", "--password-stdin"],
    ["user", "set", "x", "--admin"],
    ["user", "change-password", "x", "--password-stdin"],
    ["user", "delete", "x", "--yes"],
    ["log"],
    ["whoami"],
]
LATER = [
    ["artifact", "copy", "x/y:z", "x/w"],
    ["search", "x"],
    ["label", "list"],
    ["label", "create", "x"],
    ["label", "set", "x", "--color", "#fff"],
    ["label", "delete", "x", "--yes"],
    ["label", "attach", "x/y:z", "l"],
    ["label", "detach", "x/y:z", "l"],
    ["robot", "list"],
    ["robot", "show", "1"],
    ["robot", "create", "x", "y"],
    ["robot", "renew", "1", "--yes"],
    ["robot", "disable", "1"],
    ["robot", "enable", "1"],
    ["robot", "delete", "1", "--yes"],
    ["member", "add", "x", "y", "--role", "guest", "--group"],
    ["member", "add", "x", "y", "--role", "made-here"],
    ["role", "list"],
    ["role", "show", "x"],
    ["role", "create", "x", "log:list"],
    ["role", "update", "x", "--add", "log:list"],
    ["role", "delete", "x", "--yes"],
    ["group", "list"],
    ["group", "create", "x"],
    ["group", "people", "x"],
    ["group", "add", "x", "y"],
    ["group", "remove", "x", "y"],
    ["group", "delete", "x", "--yes"],
    ["tag", "history", "x/y:z"],
    ["tag", "rollback", "x/y:z", "--to", f"sha256:{64 * '0'}", "--yes"],
    ["immutable", "list", "x"],
    ["immutable", "add", "x", "--tags", "v*"],
    ["immutable", "enable", "x", "1"],
    ["immutable", "disable", "x", "1"],
    ["immutable", "remove", "x", "1", "--yes"],
    ["webhook", "list", "x"],
    ["webhook", "show", "x", "y"],
    ["webhook", "events", "x"],
    ["webhook", "add", "x", "y", "https://z"],
    ["webhook", "set", "x", "y", "--description", "z"],
    ["webhook", "enable", "x", "y"],
    ["webhook", "disable", "x", "y"],
    ["webhook", "remove", "x", "y", "--yes"],
    ["webhook", "ping", "x", "y"],
    ["webhook", "deliveries", "x", "y"],
    ["webhook", "delivery", "x", "y", "1"],
    ["webhook", "redeliver", "x", "y", "1"],
    ["retention", "show", "x"],
    ["retention", "set", "x", "--keep-latest-pushed", "3"],
    ["retention", "simulate", "x"],
    ["retention", "run", "x"],
    ["retention", "stop", "x"],
    ["retention", "history", "x"],
    ["retention", "log", "x"],
    ["retention", "delete", "x", "--yes"],
    ["config", "list"],
    ["config", "get", "x"],
    ["config", "set", "x=y"],
]
"""What not every hub offers."""

every_command = pytest.mark.parametrize("words", ALL, ids=" ".join)


@pytest.mark.parametrize("words", ALL + LATER, ids=" ".join)
def test_a_hub_that_is_down_is_told_in_a_line(nobody: Desk, words: list[str]) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    said = nobody.refused(*words, "--hub", address, stdin="Secret-1\nSecret-2\n")
    assert said == f"nothing listens at {address}; is the hub running, and is this its address?"


@pytest.fixture(scope="module")
def guessed_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub of which nobody else is locked out when passwords are guessed."""
    hub = Hub(tmp_path_factory.mktemp("guessed-at")).start()
    yield hub
    hub.kill()


@every_command
def test_a_wrong_password_is_told_in_a_line(guessed_at: Hub, nobody: Desk, words: list[str]) -> None:
    """Never anything else: what is public is not shown to somebody who thinks to be logged in."""
    env = {"FAIRWAY_HUB": guessed_at.url, "FAIRWAY_USERNAME": "stranger", "FAIRWAY_PASSWORD": "Wrong-12345"}
    said = nobody.refused(*words, stdin="Secret-1\nSecret-2\n", env=env)
    if not said.startswith("too many failed logins; try again in "):  # by then somebody has tried too often
        assert (
            said
            == f"{guessed_at.url} does not accept this password of stranger; do: fairway login {guessed_at.url}"
        )
    assert "Wrong-12345" not in said


@contextmanager
def saying(body: bytes, status: int = 200) -> Iterator[str]:
    """The address of a server that answers everything with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not onto the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_that_is_not_a_hubs_is_told(nobody: Desk) -> None:
    with saying(b"<html>hello</html>") as address:
        said = nobody.refused("project", "list", "--hub", address)
    assert said == "the hub's reply is not JSON; is this the address of a hub?"


def test_words_of_a_hub_cannot_act_on_the_terminal(nobody: Desk) -> None:
    body = json.dumps({"errors": [{"code": "X", "message": "\x1b[2Jgone\nnext"}]}).encode()
    with saying(body, 400) as address:
        assert nobody.refused("project", "list", "--hub", address) == "�[2Jgone�next"


def test_nor_can_names(nobody: Desk) -> None:
    body = json.dumps([{"project_id": 1, "name": "a\tb\nc\x1b[2J\x9b2J", "owner_name": "x"}]).encode()
    with saying(body) as address:
        assert nobody.lines("project", "list", "--hub", address)[0][:2] == ["a�b�c�[2J�2J", "false"]
        assert nobody.does("project", "list", "--hub", address, "--json").replace("\n", "").isprintable()


def test_a_hub_that_does_not_offer_something_is_told(nobody: Desk) -> None:
    body = json.dumps(
        {"errors": [{"code": "NOT_FOUND", "message": "nothing is served under this path"}]}
    ).encode()
    with saying(body, 404) as address:
        said = nobody.refused("log", "--hub", address)
    assert said == "this hub does not offer that; is it an older version, and is this its address?"
