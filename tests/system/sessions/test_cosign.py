"""cosign with a key of its own and no service: signatures under tags as it began, and as referrers as it does now."""

import json
from pathlib import Path

import pytest

from hub import Hub
from system.clients import ClientFailed
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import COSIGN, CRANE
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = COSIGN

only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
UNDER_TAGS = ("--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false")


@pytest.fixture
def cosign(hub: Hub, tmp_path: Path) -> Keyboard:
    """Somebody with a fresh key pair, `key.key` and `key.pub`, who has logged in."""
    cosign = Keyboard(tmp_path / "cosign", hub, COSIGN, {"COSIGN_PASSWORD": "a key's password"})
    cosign("generate-key-pair", "--output-key-prefix", f"{cosign.folder}/key")
    cosign("login", "--username", USER, "--password-stdin", hub.place, stdin=PASSWORD)
    return cosign


def pushed(cosign: Keyboard, name: str, both: Layout) -> str:
    """The sample image, pushed by crane; its name by digest, which is what one signs."""
    crane = Keyboard(
        cosign.folder / "crane", cosign.hub, CRANE, {"DOCKER_CONFIG": cosign.env["DOCKER_CONFIG"]}
    )
    crane("push", str(both.folder), cosign.ref(f"{name}:1"))
    return cosign.ref(f"{name}@{both.tagged('both')['digest']}")


def tags(deckhand: Wire, name: str) -> list[str]:
    listed: list[str] = deckhand.ask("GET", f"/v2/{name}/tags/list").json()["tags"]
    return listed


def test_signatures_and_attestations_under_tags(
    cosign: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    image = pushed(cosign, f"{project}/app", both)
    key, public = f"{cosign.folder}/key.key", f"{cosign.folder}/key.pub"
    check = ("--key", public, "--insecure-ignore-tlog", "--new-bundle-format=false")
    with pytest.raises(ClientFailed, match="no signatures found"):
        cosign("verify", *check, image)

    cosign("sign", "--key", key, *UNDER_TAGS, "--yes", image)
    statement = cosign.folder / "statement.json"
    statement.write_text('{"built": "by hand"}')
    cosign("attest", "--key", key, *UNDER_TAGS, "--yes", "--predicate", str(statement), image)

    [signed] = json.loads(cosign("verify", *check, image))
    digest = both.tagged("both")["digest"]
    assert signed["critical"]["image"]["docker-manifest-digest"] == digest
    assert cosign("verify-attestation", *check, image)
    under = digest.replace(":", "-")
    assert tags(deckhand, f"{project}/app") == ["1", f"{under}.att", f"{under}.sig"]
    assert f"{under}.sig" in cosign("tree", image)


def test_signatures_and_attestations_as_referrers(
    cosign: Keyboard, deckhand: Wire, project: str, both: Layout
) -> None:
    image = pushed(cosign, f"{project}/app", both)
    key, public = f"{cosign.folder}/key.key", f"{cosign.folder}/key.pub"
    offline = cosign.folder / "signing.json"
    cosign("signing-config", "create", "--out", str(offline))

    cosign("sign", "--key", key, "--signing-config", str(offline), "--yes", image)
    statement = cosign.folder / "statement.json"
    statement.write_text('{"built": "by hand"}')
    cosign(
        "attest",
        "--key",
        key,
        "--signing-config",
        str(offline),
        "--yes",
        "--predicate",
        str(statement),
        image,
    )

    assert json.loads(cosign("verify", "--key", public, "--insecure-ignore-tlog", image))
    assert cosign("verify-attestation", "--key", public, "--insecure-ignore-tlog", image)
    digest = both.tagged("both")["digest"]
    found = deckhand.ask("GET", f"/v2/{project}/app/referrers/{digest}").json()["manifests"]
    assert [entry["artifactType"] for entry in found] == ["application/vnd.dev.sigstore.bundle.v0.3+json"] * 2
    assert tags(deckhand, f"{project}/app") == ["1"]


def test_another_key_verifies_nothing(cosign: Keyboard, project: str, both: Layout) -> None:
    image = pushed(cosign, f"{project}/app", both)
    cosign("sign", "--key", f"{cosign.folder}/key.key", *UNDER_TAGS, "--yes", image)
    cosign("generate-key-pair", "--output-key-prefix", f"{cosign.folder}/other")

    with pytest.raises(ClientFailed, match=r"invalid signature|no matching signatures"):
        cosign(
            "verify",
            "--key",
            f"{cosign.folder}/other.pub",
            "--insecure-ignore-tlog",
            "--new-bundle-format=false",
            image,
        )


@only_sqlite
def test_a_wrong_password_is_called_one(
    cosign: Keyboard, guessing: None, open_project: str, both: Layout
) -> None:
    image = pushed(cosign, f"{open_project}/app", both)
    cosign("login", "--username", USER, "--password-stdin", cosign.hub.place, stdin="Wrong-password-1")

    with pytest.raises(ClientFailed, match="these credentials are not valid"):
        cosign("sign", "--key", f"{cosign.folder}/key.key", *UNDER_TAGS, "--yes", image)
