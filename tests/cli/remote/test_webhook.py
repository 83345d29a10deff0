"""`fairway webhook` against a hub, and somebody who is told."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cli.remote.conftest import Desk, push
from hub import PASSWORD, Hub

pytestmark = pytest.mark.system

Heard = list[tuple[dict[str, str], bytes]]


class Ear:
    """Takes what it is told, with this status."""

    def __init__(self) -> None:
        ear = self
        self.status = 200
        self.heard: Heard = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                ear.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(ear.status)
                self.send_header("content-length", "3")
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(b"so.")

            def log_message(self, *_: object) -> None:
                """Not onto the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    thread = Thread(target=ear.server.serve_forever)
    thread.start()
    yield ear
    ear.server.shutdown()
    thread.join()
    ear.server.server_close()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that may tell somebody on this machine."""
    env = {"FAIRWAY_EGRESS_ALLOW_NETWORKS": "127.0.0.0/8"}
    hub = Hub(tmp_path_factory.mktemp("local"), env=env).start()
    yield hub
    hub.kill()


@pytest.fixture
def desk(local: Hub, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    desk = Desk(tmp_path / "admin")
    desk.does("login", local.url, "-u", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    desk.does("project", "create", project(request))
    return desk


def project(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).replace("_", "-")[:40].strip("-")


@pytest.fixture
def team(request: pytest.FixtureRequest, desk: Desk) -> str:
    """A project of this test's own."""
    return project(request)


def test_somebody_is_told_and_it_is_seen(local: Hub, desk: Desk, team: str, ear: Ear) -> None:
    said = desk.does(
        "webhook", "add", team, "ci", ear.url, "--on", "PUSH_ARTIFACT", "--on", "TAG_CREATED",
        "--auth-header-file", "-", "--tag", "v*", stdin="Bearer swordfish\n",
    )  # fmt: skip
    assert said == f"Made the webhook ci.  Try it: fairway webhook ping {team} ci\n"
    done = desk("webhook", "ping", team, "ci")
    assert done.exit_code == 0, done.output
    assert done.stdout.split("\t")[1:3] == ["PUSH_ARTIFACT", "Success"]
    headers, body = ear.heard[0]
    assert headers["authorization"] == "Bearer swordfish"
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["type"] == "PUSH_ARTIFACT"
    assert headers["webhook-id"].startswith("sample-")

    push(local, f"{team}/app", "v1")
    push(local, f"{team}/app", "latest", b"other")
    for _ in range(100):
        listed = desk.json("webhook", "deliveries", team, "ci", "--status", "Success")
        if len(listed) == 3:
            break
    events = [each["extra_attrs"]["event_type"] for each in listed]
    assert events == ["TAG_CREATED", "PUSH_ARTIFACT", "PUSH_ARTIFACT"]
    assert [json.loads(body)["event_data"]["resources"][0]["tag"] for _, body in ear.heard[1:]] == [
        "v1",
        "v1",
    ]

    shown = desk.json("webhook", "delivery", team, "ci", listed[0]["id"])
    assert shown["answer"] == {"status": 200, "body": ""}  # from an address that not everybody can reach
    assert shown["request"]["headers"]["authorization"] == "********"
    assert "swordfish" not in json.dumps(shown)
    lines = desk.lines("webhook", "redeliver", team, "ci", listed[0]["id"])
    assert lines[0][1:3] == ["TAG_CREATED", "Success"]
    assert ear.heard[-1][0]["webhook-id"] == ear.heard[-2][0]["webhook-id"]
    assert ear.heard[-1][1] == ear.heard[-2][1]


def test_who_does_not_take_it_is_told(desk: Desk, team: str, ear: Ear) -> None:
    desk.does("webhook", "add", team, "ci", ear.url)
    ear.status = 503
    done = desk("webhook", "ping", team, "ci", "--wait", "2")
    assert done.exit_code == 1
    assert "the hub goes on trying" in done.stderr
    shown = desk.json("webhook", "show", team, "ci")
    assert shown["health"][0]["failures"] >= 1
    assert "503" in shown["health"][0]["last_error"]


def test_a_webhook_is_changed(desk: Desk, team: str, ear: Ear, tmp_path: Path) -> None:
    fields, secret = tmp_path / "fields.json", tmp_path / "secret"
    fields.write_text('{"text": "${operator} did ${type}"}')
    secret.write_text("whsec_c3dvcmRmaXNoc3dvcmRmaXNo\n")
    desk.does("webhook", "add", team, "ci", ear.url, "--secret-file", secret)
    assert "already" in desk.misused("webhook", "add", team, "ci", ear.url, "--on", "TAG_MOVED")
    desk.does("webhook", "add", team, "ci", "https://hooks.slack.com/services/x", "--type", "slack")
    before = desk.json("webhook", "show", team, "ci")
    assert [each["type"] for each in before["targets"]] == ["http", "slack"]
    said = desk.does(
        "webhook", "set", team, "ci", "--name", "cd", "--on", "TAG_MOVED", "--fields", fields,
        "--repository", "web/**", "--repository", "!web/old", "--description", "deploys",
    )  # fmt: skip
    assert said == "Changed the webhook cd.\n"
    after = desk.json("webhook", "show", team, "cd")
    assert (after["event_types"], after["description"]) == (["TAG_MOVED"], "deploys")
    assert after["targets"][0]["payload_format"] == "Fields"
    assert after["targets"][0]["secret"] == "********"
    assert after["targets"][1] == before["targets"][1]
    assert [each["decoration"] for each in after["scope_selectors"]["repository"]] == [
        "repoMatches",
        "repoExcludes",
    ]
    done = desk("webhook", "ping", team, "cd", "--wait", "0", "--json")
    assert done.exit_code == 0
    desk.does("webhook", "set", team, "cd", "--target", "2", "--drop")
    desk.does(
        "webhook", "set", team, "cd", "--no-secret", "--format", "CloudEvents", "--all-tags-and-repositories"
    )
    last = desk.json("webhook", "show", team, "cd")
    assert [each["payload_format"] for each in last["targets"]] == ["CloudEvents"]
    assert last["targets"][0]["secret"] == ""
    assert last["scope_selectors"] == {"repository": []}
    desk.does("webhook", "disable", team, "cd")
    assert desk.lines("webhook", "list", team)[0][:2] == ["cd", "false"]
    desk.does("webhook", "enable", team, "cd")
    assert desk.json("webhook", "list", team)[0]["enabled"] is True
    assert desk.does("webhook", "remove", team, "cd", "--yes") == "Removed the webhook cd.\n"
    assert desk.lines("webhook", "list", team) == []


def test_what_is_wrong_is_said_in_a_line(desk: Desk, team: str, tmp_path: Path) -> None:
    assert "PUSH_ARTIFACT" in desk.does("webhook", "events", team).splitlines()
    said = desk.refused("webhook", "add", team, "x", "https://hook.example.com", "--on", "PUSH")
    assert "there is no event type 'PUSH'" in said
    assert "begins with https://" in desk.refused("webhook", "add", team, "x", "hook.example.com")
    said = desk.refused("webhook", "show", team, "none")
    assert said == f"{team} has no webhook none; `fairway webhook list {team}` shows them"
    assert "cannot be read" in desk.misused(
        "webhook", "add", team, "x", "https://a.example.com", "--secret-file", tmp_path / "none"
    )
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    desk.does("webhook", "add", team, "x", "https://a.example.com", "--auth-header-file", secret)
    said = desk.refused("webhook", "set", team, "x", "--address", "https://b.example.com")
    assert "not taken along to another host" in said
    assert "say what to change" in desk.misused("webhook", "set", team, "x")
    assert "it has 1 of them" in desk.misused("webhook", "set", team, "x", "--target", "2", "--drop")
