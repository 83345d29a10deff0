"""oras: artifacts of any kind, what is attached to them, and images by its library's way of copying."""

import json

import pytest

from system.clients import ClientFailed
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import ORAS
from system.sessions.samples import same
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = ORAS
HTTP = "--plain-http"
BOTH_HTTP = ("--from-plain-http", "--to-plain-http")

heavy = pytest.mark.parametrize("hub", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


def log_in(oras: Keyboard, password: str = PASSWORD) -> str:
    return oras("login", HTTP, "--username", USER, "--password-stdin", oras.hub.place, stdin=password)


def pushed(oras: Keyboard, name: str, text: str = "a cargo list\n") -> str:
    """An artifact of one file; its digest."""
    (oras.folder / "cargo.txt").write_text(text)
    file = f"{oras.folder}/cargo.txt:text/plain"
    told = oras(
        "push",
        HTTP,
        "--disable-path-validation",
        "--artifact-type",
        "application/vnd.example.cargo",
        "--format",
        "json",
        oras.ref(name),
        file,
    )
    digest: str = json.loads(told)["digest"]
    return digest


def test_an_artifact_is_pushed_and_pulled_by_tag_and_by_digest(
    keyboard: Keyboard, deckhand: Wire, project: str
) -> None:
    assert "Login Succeeded" in log_in(keyboard)
    digest = pushed(keyboard, f"{project}/cargo:1")

    stored = deckhand.ask("GET", f"/v2/{project}/cargo/manifests/1")
    assert stored.headers["docker-content-digest"] == digest
    assert stored.json()["artifactType"] == "application/vnd.example.cargo"
    for name in (f"{project}/cargo:1", f"{project}/cargo@{digest}"):
        assert keyboard("manifest", "fetch", HTTP, keyboard.ref(name)).encode() == stored.body
        layer = stored.json()["layers"][0]["digest"]
        assert (
            keyboard("blob", "fetch", HTTP, "--output", "-", keyboard.ref(f"{project}/cargo@{layer}"))
            == "a cargo list\n"
        )


def test_what_is_attached_is_discovered_and_copied_along(
    keyboard: Keyboard, deckhand: Wire, project: str, open_project: str
) -> None:
    log_in(keyboard)
    digest = pushed(keyboard, f"{project}/cargo:1")
    kinds = ("application/vnd.example.bill", "application/vnd.example.seal")
    for kind in kinds:
        file = keyboard.folder / "attached.json"
        file.write_text(json.dumps({"kind": kind}))
        keyboard(
            "attach", HTTP, "--disable-path-validation", "--artifact-type", kind,
            keyboard.ref(f"{project}/cargo:1"), f"{file}:application/json",
        )  # fmt: skip

    keyboard(
        "cp",
        "--recursive",
        *BOTH_HTTP,
        keyboard.ref(f"{project}/cargo:1"),
        keyboard.ref(f"{open_project}/copy:1"),
    )

    for name in (f"{project}/cargo", f"{open_project}/copy"):
        told = json.loads(keyboard("discover", HTTP, "--format", "json", keyboard.ref(f"{name}:1")))
        assert sorted(found["artifactType"] for found in told["referrers"]) == list(kinds)
        one = keyboard(
            "discover", HTTP, "--format", "json", "--artifact-type", kinds[1], keyboard.ref(f"{name}:1")
        )
        assert [found["artifactType"] for found in json.loads(one)["referrers"]] == [kinds[1]]
        # Nothing fell back to keeping the list under a tag.
        assert deckhand.ask("GET", f"/v2/{name}/tags/list").json()["tags"] == ["1"]
        assert deckhand.ask("GET", f"/v2/{name}/manifests/1").headers["docker-content-digest"] == digest


def test_an_index_goes_in_and_out_byte_for_byte(
    keyboard: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    digest = both.tagged("both")["digest"]
    log_in(keyboard)

    keyboard(
        "cp", "--from-oci-layout", "--to-plain-http", both.ref("both")[4:], keyboard.ref(f"{project}/app:1")
    )

    assert keyboard("resolve", HTTP, keyboard.ref(f"{project}/app:1")).strip() == digest
    got = keyboard.folder / "got"
    keyboard("cp", "--from-plain-http", "--to-oci-layout", keyboard.ref(f"{project}/app:1"), f"{got}:both")
    same(both.folder, got, digest)


def test_tags_are_added_listed_and_deleted(keyboard: Keyboard, project: str) -> None:
    log_in(keyboard)
    pushed(keyboard, f"{project}/cargo:1")
    pushed(keyboard, f"{project}/cargo:other", "another cargo list\n")
    keyboard("tag", HTTP, keyboard.ref(f"{project}/cargo:1"), "2", "3")
    assert keyboard("repo", "tags", HTTP, keyboard.ref(f"{project}/cargo")).split() == [
        "1",
        "2",
        "3",
        "other",
    ]

    keyboard(
        "manifest", "delete", HTTP, "--force", keyboard.ref(f"{project}/cargo:1")
    )  # all tags of its digest

    assert keyboard("repo", "tags", HTTP, keyboard.ref(f"{project}/cargo")).split() == ["other"]


def test_who_has_logged_out_pulls_from_a_public_project_and_pushes_nothing(
    keyboard: Keyboard, open_project: str
) -> None:
    log_in(keyboard)
    pushed(keyboard, f"{open_project}/cargo:1")
    keyboard("logout", keyboard.hub.place)

    assert keyboard("manifest", "fetch", HTTP, keyboard.ref(f"{open_project}/cargo:1"))
    with pytest.raises(
        ClientFailed, match=r"unauthorized: anonymous has no access.*log in as somebody who has"
    ):
        pushed(keyboard, f"{open_project}/cargo:2")


@only_sqlite
def test_a_wrong_password_is_called_one(keyboard: Keyboard, guessing: None) -> None:
    with pytest.raises(ClientFailed, match="unauthorized: these credentials are not valid"):
        log_in(keyboard, "Wrong-password-1")


@heavy
def test_a_layer_of_64_mib_goes_in_and_out(keyboard: Keyboard, project: str, large: Layout) -> None:
    log_in(keyboard)
    image, got = keyboard.ref(f"{project}/large:1"), keyboard.folder / "got"
    keyboard("cp", "--from-oci-layout", "--to-plain-http", f"{large.folder}:large", image)
    keyboard("cp", "--from-plain-http", "--to-oci-layout", image, f"{got}:large")
    same(large.folder, got, large.tagged("large")["digest"])
