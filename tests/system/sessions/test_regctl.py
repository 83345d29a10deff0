"""regctl, of regclient: the client that pushes a blob with one PUT and deletes by tag through the API."""

import json

import pytest

from system.clients import ClientFailed
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import REGCTL
from system.sessions.samples import same
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = REGCTL

heavy = pytest.mark.parametrize("hub", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def log_in(regctl: Keyboard, password: str = PASSWORD) -> None:
    regctl("registry", "set", "--skip-check", "--tls", "disabled", regctl.hub.place)
    regctl("registry", "login", "--user", USER, "--pass-stdin", regctl.hub.place, stdin=password)


def test_an_index_is_pushed_and_pulled_by_tag_and_by_digest(
    keyboard: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    digest = both.tagged("both")["digest"]
    log_in(keyboard)
    keyboard("image", "copy", f"ocidir://{both.folder}:both", keyboard.ref(f"{project}/app:1"))

    assert deckhand.ask("GET", f"/v2/{project}/app/manifests/1").body == both.raw(digest)
    for number, name in enumerate((f"{project}/app:1", f"{project}/app@{digest}")):
        raw = keyboard("manifest", "get", "--format", "raw-body", keyboard.ref(name))
        assert raw.encode() == both.raw(digest)
        got = keyboard.folder / f"got-{number}"
        keyboard("image", "copy", keyboard.ref(name), f"ocidir://{got}:both")
        same(both.folder, got, digest)


def test_an_artifact_is_put_on_an_image_found_and_copied_along(
    keyboard: Keyboard, deckhand: Wire, project: str, open_project: str, both: Layout
) -> None:
    log_in(keyboard)
    image, copy = keyboard.ref(f"{project}/app:1"), keyboard.ref(f"{open_project}/copy:1")
    keyboard("image", "copy", f"ocidir://{both.folder}:both", image)
    kind = "application/vnd.example.bill"
    keyboard("artifact", "put", "--artifact-type", kind, "--subject", image, stdin="two barrels\n")

    keyboard("image", "copy", "--referrers", image, copy)

    for name in (image, copy):
        listed = json.loads(keyboard("artifact", "list", "--format", "{{json .}}", name))
        assert [found["artifactType"] for found in listed["descriptors"]] == [kind]
        got = keyboard("artifact", "get", "--subject", name, "--filter-artifact-type", kind)
        assert got == "two barrels\n"
    assert deckhand.ask("GET", f"/v2/{open_project}/copy/tags/list").json()["tags"] == ["1"]


def test_tags_are_listed_and_deleted_one_by_one(
    keyboard: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    log_in(keyboard)
    for tag in ("1", "2"):
        keyboard("image", "copy", f"ocidir://{both.folder}:both", keyboard.ref(f"{project}/app:{tag}"))
    assert keyboard("tag", "ls", keyboard.ref(f"{project}/app")).split() == ["1", "2"]

    keyboard("tag", "delete", keyboard.ref(f"{project}/app:1"))

    assert keyboard("tag", "ls", keyboard.ref(f"{project}/app")).split() == ["2"]
    keyboard("manifest", "delete", keyboard.ref(f"{project}/app@{both.tagged('both')['digest']}"))
    assert deckhand.ask("GET", f"/v2/{project}/app/manifests/2").status == 404


def test_a_blob_is_put_and_got(keyboard: Keyboard, project: str) -> None:
    log_in(keyboard)
    digest = keyboard("blob", "put", keyboard.ref(f"{project}/loose"), stdin="a loose end\n").split()[-1]
    assert keyboard("blob", "get", keyboard.ref(f"{project}/loose"), digest) == "a loose end\n"


def test_who_has_logged_out_pulls_from_a_public_project_and_pushes_nothing(
    keyboard: Keyboard, open_project: str, both: Layout
) -> None:
    log_in(keyboard)
    keyboard("image", "copy", f"ocidir://{both.folder}:both", keyboard.ref(f"{open_project}/app:1"))
    keyboard("registry", "logout", keyboard.hub.place)

    got = keyboard.folder / "got"
    keyboard("image", "copy", keyboard.ref(f"{open_project}/app:1"), f"ocidir://{got}:both")
    same(both.folder, got, both.tagged("both")["digest"])
    with pytest.raises(ClientFailed, match="unauthorized"):
        keyboard("image", "copy", f"ocidir://{both.folder}:both", keyboard.ref(f"{open_project}/other:2"))


@only_sqlite
def test_a_wrong_password_is_called_one(keyboard: Keyboard, guessing: None) -> None:
    with pytest.raises(ClientFailed, match="unauthorized"):
        log_in(keyboard, "Wrong-password-1")


@heavy
def test_a_layer_of_64_mib_goes_in_and_out(keyboard: Keyboard, project: str, large: Layout) -> None:
    log_in(keyboard)
    image, got = keyboard.ref(f"{project}/large:1"), keyboard.folder / "got"
    keyboard("image", "copy", f"ocidir://{large.folder}:large", image)
    keyboard("image", "copy", image, f"ocidir://{got}:large")
    same(large.folder, got, large.tagged("large")["digest"])
