"""notation with a test certificate: signatures through the referrers API, and through the tag it knows from before."""

import json
from pathlib import Path

import pytest

from hub import Hub
from system.clients import ClientFailed
from system.layouts import Layout
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import CRANE, NOTATION
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = NOTATION
HTTP = "--insecure-registry"
POLICY = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "everything",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:wharf"],
            "trustedIdentities": ["*"],
        }
    ],
}

only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.fixture
def notation(hub: Hub, tmp_path: Path) -> Keyboard:
    """Somebody with a certificate that they trust, who has logged in."""
    notation = Keyboard(tmp_path / "notation", hub, NOTATION)
    notation("cert", "generate-test", "--default", "wharf")
    (notation.folder / "policy.json").write_text(json.dumps(POLICY))
    notation("policy", "import", str(notation.folder / "policy.json"))
    # Its own login wants a keychain; it reads what other clients left.
    crane = Keyboard(notation.folder / "crane", hub, CRANE, {"DOCKER_CONFIG": notation.env["DOCKER_CONFIG"]})
    crane("auth", "login", "--username", USER, "--password-stdin", hub.place, stdin=PASSWORD)
    return notation


def pushed(notation: Keyboard, name: str, both: Layout) -> str:
    crane = Keyboard(
        notation.folder / "crane-push", notation.hub, CRANE, {"DOCKER_CONFIG": notation.env["DOCKER_CONFIG"]}
    )
    crane("push", str(both.folder), notation.ref(f"{name}:1"))
    return notation.ref(f"{name}@{both.tagged('both')['digest']}")


@pytest.mark.parametrize("by_tag", ["false", "true"], ids=["referrers", "tag"])
def test_a_signature_is_made_listed_and_verified(
    notation: Keyboard, deckhand: Wire, project: str, both: Layout, by_tag: str
) -> None:
    image = pushed(notation, f"{project}/app", both)
    with pytest.raises(ClientFailed, match="no signature is associated"):
        notation("verify", HTTP, image)

    notation("sign", HTTP, f"--force-referrers-tag={by_tag}", image)

    assert "application/vnd.cncf.notary.signature" in notation("ls", HTTP, image)
    assert "Successfully verified" in notation("verify", HTTP, image)
    digest = both.tagged("both")["digest"]
    found = deckhand.ask("GET", f"/v2/{project}/app/referrers/{digest}").json()["manifests"]
    assert [entry["artifactType"] for entry in found] == ["application/vnd.cncf.notary.signature"]
    extra = [digest.replace(":", "-")] if by_tag == "true" else []
    assert deckhand.ask("GET", f"/v2/{project}/app/tags/list").json()["tags"] == ["1", *extra]


def test_a_signature_of_somebody_not_trusted_is_refused(
    notation: Keyboard, project: str, both: Layout
) -> None:
    image = pushed(notation, f"{project}/app", both)
    notation("cert", "generate-test", "stranger")
    notation("cert", "delete", "--type", "ca", "--store", "stranger", "--yes", "stranger.crt")

    notation("sign", HTTP, "--key", "stranger", "--force-referrers-tag=false", image)

    with pytest.raises(ClientFailed, match="signature verification failed"):
        notation("verify", HTTP, image)


@only_sqlite
def test_a_wrong_password_is_called_one(notation: Keyboard, guessing: None) -> None:
    with pytest.raises(ClientFailed, match="these credentials are not valid"):
        notation(
            "login",
            HTTP,
            "--username",
            USER,
            "--password-stdin",
            notation.hub.place,
            stdin="Wrong-password-1",
        )
