"""crane, of go-containerregistry: the library that ko, kaniko and cosign are built on."""

import pytest

from system.clients import ClientFailed
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import CRANE
from system.sessions.samples import same
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = CRANE

heavy = pytest.mark.parametrize("hub", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def log_in(crane: Keyboard, password: str = PASSWORD) -> None:
    crane("auth", "login", "--username", USER, "--password-stdin", crane.hub.place, stdin=password)


def test_an_index_is_pushed_and_pulled_by_tag_and_by_digest(
    keyboard: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    digest = both.tagged("both")["digest"]
    log_in(keyboard)
    keyboard("push", str(both.folder), keyboard.ref(f"{project}/app:1"))

    assert keyboard("digest", keyboard.ref(f"{project}/app:1")).strip() == digest
    assert deckhand.ask("GET", f"/v2/{project}/app/manifests/1").body == both.raw(digest)
    for number, name in enumerate((f"{project}/app:1", f"{project}/app@{digest}")):
        got = keyboard.folder / f"got-{number}"
        keyboard("pull", "--format", "oci", keyboard.ref(name), str(got))
        same(both.folder, got, digest)
    keyboard("validate", "--remote", keyboard.ref(f"{project}/app:1"))


def test_tags_are_listed_added_and_deleted(
    keyboard: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    log_in(keyboard)
    keyboard("push", str(both.folder), keyboard.ref(f"{project}/app:1"))
    keyboard("tag", keyboard.ref(f"{project}/app:1"), "2")
    assert keyboard("ls", keyboard.ref(f"{project}/app")).split() == ["1", "2"]

    keyboard("delete", keyboard.ref(f"{project}/app:2"))

    assert keyboard("ls", keyboard.ref(f"{project}/app")).split() == ["1"]
    keyboard("delete", keyboard.ref(f"{project}/app@{both.tagged('both')['digest']}"))
    assert deckhand.ask("GET", f"/v2/{project}/app/manifests/1").status == 404


def test_a_copy_into_another_project_mounts_the_layers(
    keyboard: Keyboard, deckhand: Wire, project: str, open_project: str, both: Layout
) -> None:
    digest = both.tagged("both")["digest"]
    log_in(keyboard)
    keyboard("push", str(both.folder), keyboard.ref(f"{project}/app:1"))

    keyboard("copy", keyboard.ref(f"{project}/app:1"), keyboard.ref(f"{open_project}/copy:1"))

    assert deckhand.ask("GET", f"/v2/{open_project}/copy/manifests/1").body == both.raw(digest)
    keyboard("validate", "--remote", keyboard.ref(f"{open_project}/copy:1"))


def test_who_has_not_logged_in_pulls_from_a_public_project_and_pushes_nothing(
    keyboard: Keyboard, open_project: str, both: Layout
) -> None:
    log_in(keyboard)
    keyboard("push", str(both.folder), keyboard.ref(f"{open_project}/app:1"))
    keyboard("auth", "logout", keyboard.hub.place)

    keyboard("pull", "--format", "oci", keyboard.ref(f"{open_project}/app:1"), str(keyboard.folder / "got"))
    same(both.folder, keyboard.folder / "got", both.tagged("both")["digest"])
    with pytest.raises(ClientFailed, match=r"UNAUTHORIZED.*log in"):
        keyboard("push", str(both.folder), keyboard.ref(f"{open_project}/app:2"))


@only_sqlite
def test_a_wrong_password_is_called_one(
    keyboard: Keyboard, guessing: None, open_project: str, both: Layout
) -> None:
    log_in(keyboard, "Wrong-password-1")
    with pytest.raises(ClientFailed, match="UNAUTHORIZED: these credentials are not valid"):
        keyboard("push", str(both.folder), keyboard.ref(f"{open_project}/app:1"))


@heavy
def test_a_layer_of_64_mib_goes_in_and_out(keyboard: Keyboard, project: str, large: Layout) -> None:
    log_in(keyboard)
    keyboard("push", str(large.folder), keyboard.ref(f"{project}/large:1"))
    keyboard("pull", "--format", "oci", keyboard.ref(f"{project}/large:1"), str(keyboard.folder / "got"))
    same(large.folder, keyboard.folder / "got", large.tagged("large")["digest"])
