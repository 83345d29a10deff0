"""A running hub, people with accounts on it, and the terminals they sit at."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fairway.cli import app
from fairway.client import users
from fairway.client.address import Login
from fairway.client.sync import Hub as Client
from hub import PASSWORD, Hub
from system.wire import Wire

SECRET = "Secret-12345"
"""The password of everybody but the administrator."""


class Desk:
    """One person's terminal with a home of its own.  Its output is no terminal's: lines for programs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.env: dict[str, str | None] = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "DOCKER_CONFIG": str(home / "docker"),
            **dict.fromkeys(("FAIRWAY_HUB", "FAIRWAY_USERNAME", "FAIRWAY_PASSWORD")),
            "COLUMNS": "200",
        }

    def __call__(self, *words: object, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, list(map(str, words)), input=stdin, env={**self.env, **(env or {})})

    def does(self, *words: object, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """What a command that goes well prints."""
        done = self(*words, stdin=stdin, env=env)
        assert done.exit_code == 0, done.output
        return done.stdout

    def lines(self, *words: object) -> list[list[str]]:
        return [line.split("\t") for line in self.does(*words).splitlines()]

    def json(self, *words: object) -> Any:
        return json.loads(self.does(*words, "--json"))

    def refused(self, *words: object, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """The one line that a command which goes wrong says."""
        done = self(*words, stdin=stdin, env=env)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        assert done.stderr.startswith("fairway: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("fairway: ").rstrip("\n")

    def misused(self, *words: object) -> str:
        """What a command that is written wrongly says."""
        done = self(*words)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        return " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub")).start()
    yield hub
    hub.kill()


@pytest.fixture
def admin(running: Hub, tmp_path: Path) -> Desk:
    """The administrator, logged in."""
    desk = Desk(tmp_path / "admin")
    desk.does("login", running.url, "-u", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    return desk


@pytest.fixture
def nobody(tmp_path: Path) -> Desk:
    """Somebody who has not logged in anywhere."""
    return Desk(tmp_path / "nobody")


@pytest.fixture(scope="session")
def kims(running: Hub) -> str:
    """The name of somebody with an account."""
    with Client(running.url, Login("admin", PASSWORD)) as hub:
        hub.ask(users.create("kim", SECRET))
    return "kim"


@pytest.fixture
def kim(running: Hub, kims: str, tmp_path: Path) -> Desk:
    """Somebody without any role, logged in."""
    desk = Desk(tmp_path / "kim")
    desk.does("login", running.url, "-u", kims, "--password-stdin", stdin=f"{SECRET}\n")
    return desk


def offers(running: Hub, path: str) -> None:
    """Skip the test where the hub has no such route."""
    answer = Wire(running).ask("GET", path)
    if answer.status == 404 and b"nothing is served" in answer.body:
        pytest.skip(f"this hub does not offer {path.partition('?')[0]} yet")


def push(running: Hub, name: str, tag: str, content: bytes = b"layer") -> str:
    """An image of one layer; its digest."""
    wire = Wire(running)
    config, layer = wire.push_blob(name, b"{}"), wire.push_blob(name, content)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": layer,
                    "size": len(content),
                }
            ],
        }
    ).encode()
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    stored = wire.ask("PUT", f"/v2/{name}/manifests/{tag}", manifest, headers)
    assert stored.status == 201, stored
    return f"sha256:{sha256(manifest).hexdigest()}"
