"""Who may: logging in and out with real clients, and what one may do without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub import PASSWORD, Hub
from system.clients import ClientFailed, Person
from system.layouts import Layout
from system.wire import Wire

pytestmark = pytest.mark.system

OTHER_PASSWORD = "Another-person-2"


def add_user(hub: Hub, name: str, password: str) -> None:
    """`fairway user add`, as the operator would."""
    command = [sys.executable, "-m", "fairway", "user", "add", name, "--data-dir", str(hub.data)]
    env = {**os.environ, "FAIRWAY_DATABASE_URL": hub.database_url}
    subprocess.run(command, input=f"{password}\n", text=True, env=env, check=True, capture_output=True)


def test_after_login_one_pushes_and_after_logout_one_does_not(nobody: Person, hello: Layout) -> None:
    login = ("login", "--tls-verify=false", "--username", "admin", "--password-stdin", nobody.hub.place)
    refused = r"unauthorized|authentication required"

    for use in (nobody.skopeo, nobody.podman, nobody.buildah):
        with pytest.raises(ClientFailed, match="invalid username/password"):
            use(*login, stdin="Wrong-password-1\n")
        with pytest.raises(ClientFailed, match=refused):
            nobody.push(hello.ref("hello"), "library/hello:1")

        use(*login, stdin=f"{PASSWORD}\n")
        nobody.push(hello.ref("hello"), "library/hello:1")

        use("logout", nobody.hub.place)
        with pytest.raises(ClientFailed, match=refused):
            nobody.push(hello.ref("hello"), "library/hello:2")


def test_everybody_may_pull_from_a_public_project(admin: Person, nobody: Person, hello: Layout) -> None:
    admin.push(hello.ref("hello"), "library/hello:1", "--all")

    got = nobody.pull("library/hello:1", "--all", "--src-no-creds")

    assert got.manifest == hello.raw(hello.tagged("hello")["digest"])
    assert nobody.podman("pull", "--quiet", nobody.ref("library/hello:1"))
    assert '"1"' in nobody.skopeo("list-tags", f"docker://{nobody.ref('library/hello')}")


def test_a_private_project_does_not_exist_for_others(
    hub: Hub, admin: Person, nobody: Person, wire: Wire, hello: Layout, tmp_path: Path
) -> None:
    wire.create_project("secret")
    admin.push(hello.ref("hello"), "secret/hello:1")
    add_user(hub, "other", OTHER_PASSWORD)
    other = Person(tmp_path / "other", hub, user="other", password=OTHER_PASSWORD)

    refusals = []
    for person in (nobody, other):
        for name in ("secret/hello:1", "no-such-project/hello:1"):
            with pytest.raises(ClientFailed) as refused:
                person.skopeo("inspect", f"docker://{person.ref(name)}")
            refusals.append(
                str(refused.value).partition("level=fatal")[2].replace(name.partition(":")[0], "NAME")
            )
    assert "authentication required" in refusals[0] or "unauthorized" in refusals[0]
    assert refusals[0] == refusals[1]
    assert refusals[2] == refusals[3]


def test_somebody_else_has_a_project_of_their_own(
    hub: Hub, nobody: Person, hello: Layout, tmp_path: Path
) -> None:
    add_user(hub, "other", OTHER_PASSWORD)
    Wire(hub, "other", OTHER_PASSWORD).create_project("theirs")
    other = Person(tmp_path / "other", hub, user="other", password=OTHER_PASSWORD)

    other.push(hello.ref("hello"), "theirs/hello:1", "--all")

    assert other.pull("theirs/hello:1", "--all").manifest == hello.raw(hello.tagged("hello")["digest"])
    with pytest.raises(ClientFailed, match=r"unauthorized|authentication required|denied"):
        other.push(hello.ref("hello"), "library/hello:1")
