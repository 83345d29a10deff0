"""`fairway login`, `logout`, `whoami`: what is kept of a login, where, and who may read it."""

import base64
import json
import stat
from pathlib import Path

import pytest

from cli.remote.conftest import SECRET, Desk
from hub import PASSWORD, Hub
from postgres import free_port

pytestmark = pytest.mark.system


def kept(desk: Desk) -> Path:
    return desk.home / "config" / "fairway" / "hubs.json"


class TestLogin:
    def test_it_is_remembered(self, running: Hub, admin: Desk) -> None:
        assert admin.lines("whoami") == [["user", "admin"], ["hub", running.url], ["administrator", "true"]]
        assert admin.json("whoami")["username"] == "admin"

    def test_nobody_else_may_read_what_is_kept(self, admin: Desk) -> None:
        assert stat.S_IMODE(kept(admin).stat().st_mode) == 0o600
        assert stat.S_IMODE(kept(admin).parent.stat().st_mode) == 0o700
        assert [each.name for each in kept(admin).parent.iterdir()] == ["hubs.json"]

    def test_what_others_may_read_is_not_used(self, admin: Desk) -> None:
        kept(admin).chmod(0o640)
        assert admin.refused("whoami") == (
            f"others may read your logins in {kept(admin)}; do: chmod 600 {kept(admin)}"
        )

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"hubs": {"x": {}}}', '{"hubs": []}'])
    def test_what_is_broken_says_what_to_do(self, admin: Desk, text: str) -> None:
        kept(admin).write_text(text)
        assert "remove it and log in again" in admin.refused("whoami")

    def test_a_wrong_password_is_told_and_not_kept(self, running: Hub, nobody: Desk, kims: str) -> None:
        said = nobody.refused("login", running.url, "-u", kims, "--password-stdin", stdin="Wrong-12345\n")
        assert said == f"{running.url} does not accept this password of kim"
        assert not kept(nobody).exists()

    def test_an_empty_password_is_none(self, running: Hub, nobody: Desk) -> None:
        said = nobody.refused("login", running.url, "-u", "kim", "--password-stdin", stdin="")
        assert said == "the password is empty"

    def test_without_a_terminal_nobody_is_asked(self, running: Hub, nobody: Desk) -> None:
        assert "use --password-stdin" in nobody.refused("login", running.url, "-u", "kim")
        assert "--username" in nobody.misused("login", running.url)

    def test_there_is_no_option_for_a_password(self, running: Hub, nobody: Desk) -> None:
        """Every user of the machine sees the arguments of a program."""
        assert "No such option" in nobody.misused("login", running.url, "-u", "kim", "--password", SECRET)

    def test_a_hub_that_is_down_is_told(self, nobody: Desk) -> None:
        address = f"127.0.0.1:{free_port()}"
        said = nobody.refused("login", address, "-u", "kim", "--password-stdin", stdin=f"{SECRET}\n")
        assert said == f"nothing listens at http://{address}; is the hub running, and is this its address?"

    def test_what_is_no_address_is_told(self, nobody: Desk) -> None:
        said = nobody.refused("login", "hub.example/x", "-u", "kim", "--password-stdin", stdin=f"{SECRET}\n")
        assert "write it as hub.example, hub.example:8443 or https://hub.example" in said

    def test_a_password_in_the_open_is_warned_of(self, nobody: Desk) -> None:
        done = nobody("login", "http://hub.invalid", "-u", "kim", "--password-stdin", stdin=f"{SECRET}\n")
        assert "Anybody on the way to http://hub.invalid can read the password: use https." in done.stderr

    def test_a_secret_is_in_no_output(self, running: Hub, kim: Desk) -> None:
        for words in (["whoami"], ["whoami", "--json"], ["user", "show", "--json"]):
            done = kim(*words)
            assert SECRET not in done.output
        assert SECRET not in kim("login", running.url, "-u", "kim", "--password-stdin", stdin=SECRET).output


class TestSeveralHubs:
    OTHER = "https://other.example"

    def also(self, desk: Desk) -> None:
        """Another hub is known, too."""
        told = json.loads(kept(desk).read_text())
        told["hubs"][self.OTHER] = {"username": "me", "secret": "x"}
        kept(desk).write_text(json.dumps(told))

    def test_logging_out_forgets_one(self, running: Hub, admin: Desk) -> None:
        self.also(admin)
        assert admin.does("logout", running.url) == (
            f"Forgot {running.url}.  Commands ask {self.OTHER} now.\n"
        )
        assert admin.does("logout") == f"Forgot {self.OTHER}.\n"
        assert admin.does("logout") == "You are not logged in anywhere.\n"
        assert admin.does("logout", running.url) == f"You are not logged in to {running.url}.\n"
        assert PASSWORD not in kept(admin).read_text()

    def test_one_is_named_for_one_command(self, running: Hub, admin: Desk) -> None:
        self.also(admin)
        told = json.loads(kept(admin).read_text())
        kept(admin).write_text(json.dumps({**told, "default": self.OTHER}))
        assert admin.lines("whoami", "--hub", running.place)[1] == ["hub", running.url]

    def test_a_hub_that_is_not_known_is_asked_as_nobody(self, running: Hub, nobody: Desk) -> None:
        assert nobody.lines("project", "list", "--hub", running.url, "--name", "library")[0][0] == "library"
        assert nobody.refused("whoami", "--hub", running.url) == (
            f"{running.url} wants to know who you are; do: fairway login {running.url}"
        )

    def test_none_at_all(self, nobody: Desk) -> None:
        assert nobody.refused("project", "list") == (
            "which hub?  Do `fairway login HUB` first, or name one with --hub or FAIRWAY_HUB"
        )


class TestTheEnvironment:
    """What a build server sets, where nobody logs in."""

    def test_it_names_the_hub_and_who_asks(self, running: Hub, kims: str, nobody: Desk) -> None:
        env = {"FAIRWAY_HUB": running.url, "FAIRWAY_USERNAME": kims, "FAIRWAY_PASSWORD": SECRET}
        assert nobody.does("whoami", env=env).startswith("user\tkim\n")
        assert not kept(nobody).exists()

    def test_it_is_stronger_than_what_is_kept(self, running: Hub, kims: str, admin: Desk) -> None:
        env = {"FAIRWAY_USERNAME": kims, "FAIRWAY_PASSWORD": SECRET}
        assert admin.does("whoami", env=env).startswith("user\tkim\n")

    def test_its_login_is_for_its_hub_only(self, running: Hub, kims: str, nobody: Desk) -> None:
        env = {"FAIRWAY_HUB": "https://other.example", "FAIRWAY_USERNAME": kims, "FAIRWAY_PASSWORD": SECRET}
        said = nobody.refused("whoami", "--hub", running.url, env=env)
        assert "wants to know who you are" in said

    def test_half_a_login_is_a_mistake(self, running: Hub, nobody: Desk) -> None:
        env = {"FAIRWAY_HUB": running.url, "FAIRWAY_USERNAME": "kim"}
        assert nobody.refused("whoami", env=env) == (
            "set both FAIRWAY_USERNAME and FAIRWAY_PASSWORD, or neither"
        )

    def test_one_logs_in_with_it(self, running: Hub, kims: str, nobody: Desk) -> None:
        env = {"FAIRWAY_HUB": running.url, "FAIRWAY_USERNAME": kims, "FAIRWAY_PASSWORD": SECRET}
        assert nobody.does("login", env=env) == f"Logged in to {running.url} as kim.\n"
        assert nobody.lines("whoami")[0] == ["user", "kim"]

    def test_its_password_is_not_used_for_another_name(self, running: Hub, nobody: Desk) -> None:
        env = {"FAIRWAY_USERNAME": "kim", "FAIRWAY_PASSWORD": SECRET}
        assert "no terminal" in nobody.refused("login", running.url, "-u", "admin", env=env)


class TestDockers:
    """Who has done `docker login` need not log in again."""

    def write(self, desk: Desk, told: object) -> None:
        folder = desk.home / "docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(told))

    def auth(self, text: str) -> dict[str, str]:
        return {"auth": base64.b64encode(text.encode()).decode()}

    def test_its_login_is_used(self, running: Hub, kims: str, nobody: Desk) -> None:
        self.write(nobody, {"auths": {running.place: self.auth(f"{kims}:{SECRET}")}})
        assert nobody.lines("whoami", "--hub", running.url)[0] == ["user", "kim"]

    @pytest.mark.parametrize(
        "told",
        [
            [],
            {},
            {"auths": None},
            {"auths": {"other.example": {"auth": "a2ltOng="}}},
            {"auths": {"HUB": {}}},
            {"auths": {"HUB": {"auth": "x"}}},
            {"auths": {"HUB": {"auth": "a2lt"}}},
            {"credsStore": "desktop", "auths": {"HUB": {}}},
        ],
    )
    def test_where_there_is_none_nobody_asks(self, running: Hub, nobody: Desk, told: object) -> None:
        self.write(nobody, json.loads(json.dumps(told).replace("HUB", running.place)))
        assert "wants to know who you are" in nobody.refused("whoami", "--hub", running.url)


def test_a_password_that_was_changed_elsewhere_is_told(running: Hub, admin: Desk, nobody: Desk) -> None:
    admin.does("user", "create", "lee", "--password-stdin", stdin=f"{SECRET}\n")
    nobody.does("login", running.url, "-u", "lee", "--password-stdin", stdin=f"{SECRET}\n")
    admin.does("user", "change-password", "lee", "--password-stdin", stdin="Another-12345\n")
    said = nobody.refused("project", "list")
    assert said == f"{running.url} does not accept this password of lee; do: fairway login {running.url}"
