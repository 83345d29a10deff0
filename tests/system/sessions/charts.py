"""The sessions of helm, which are the same for every version of it."""

from pathlib import Path

import pytest

from system.clients import ClientFailed
from system.layouts import MANIFEST
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.wire import Wire

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: pier\nversion: 1.2.3+build.5\nappVersion: '7'\ntype: application\n",
    "values.yaml": "berths: 2\n",
    "README.md": "# Pier\n",
    "templates/configmap.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pier\ndata:\n  berths: '{{ .Values.berths }}'\n"
    ),
}
VERSION = "1.2.3+build.5"
HTTP = "--plain-http"


def log_in(helm: Keyboard, password: str = PASSWORD) -> None:
    helm(
        "registry", "login", HTTP, "--username", USER, "--password-stdin", helm.hub.place, stdin=password
    )  # fmt: skip


def packaged(helm: Keyboard) -> Path:
    """What `helm package` makes of the chart."""
    for name, text in CHART.items():
        file = helm.folder / "pier" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    helm("package", str(helm.folder / "pier"), "--destination", str(helm.folder))
    return helm.folder / f"pier-{VERSION}.tgz"


def a_chart_is_pushed_shown_rendered_and_pulled(helm: Keyboard, deckhand: Wire, project: str) -> None:
    log_in(helm)
    chart = packaged(helm)
    where = f"oci://{helm.ref(project)}/charts"
    helm("push", HTTP, str(chart), where)

    named = (HTTP, f"{where}/pier", "--version", VERSION)
    assert "version: 1.2.3+build.5" in helm("show", "chart", *named)
    assert "berths: '2'" in helm("template", *named)
    (helm.folder / "got").mkdir()
    helm("pull", *named, "--destination", str(helm.folder / "got"))
    assert (helm.folder / "got" / chart.name).read_bytes() == chart.read_bytes()
    helm(
        "pull", HTTP, f"{where}/pier", "--destination", str(helm.folder / "got"), "--untar"
    )  # the newest tag
    assert (helm.folder / "got/pier/values.yaml").read_text() == CHART["values.yaml"]

    stored = deckhand.ask(
        "GET", f"/v2/{project}/charts/pier/manifests/1.2.3_build.5", headers={"Accept": MANIFEST}
    )
    assert stored.json()["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    digest = stored.headers["docker-content-digest"]
    (helm.folder / "by-digest").mkdir()
    helm("pull", HTTP, f"{where}/pier@{digest}", "--destination", str(helm.folder / "by-digest"))
    assert next((helm.folder / "by-digest").iterdir()).read_bytes() == chart.read_bytes()
    it_is_shown_as_a_chart(deckhand, project, digest)


def it_is_shown_as_a_chart(deckhand: Wire, project: str, digest: str) -> None:
    at = f"/api/v2.0/projects/{project}/repositories/charts%252Fpier/artifacts/{digest}"
    shown = deckhand.ask("GET", at).json()
    assert (shown["type"], shown["extra_attrs"]["version"]) == ("CHART", VERSION)
    pages = {name: deckhand.ask("GET", link["href"]) for name, link in shown["addition_links"].items()}
    assert pages["values.yaml"].body.decode() == CHART["values.yaml"]
    assert pages["readme.md"].body.decode() == CHART["README.md"]
    assert pages["dependencies"].json() == []


def after_logout_a_public_chart_is_pulled_and_none_pushed(helm: Keyboard, open_project: str) -> None:
    log_in(helm)
    chart = packaged(helm)
    where = f"oci://{helm.ref(open_project)}"
    helm("push", HTTP, str(chart), where)
    helm("registry", "logout", helm.hub.place)
    (helm.folder / "got").mkdir()

    helm("pull", HTTP, f"{where}/pier", "--version", VERSION, "--destination", str(helm.folder / "got"))

    assert (helm.folder / "got" / chart.name).read_bytes() == chart.read_bytes()
    with pytest.raises(ClientFailed, match=r"401.*log in as somebody who has"):
        helm("push", HTTP, str(chart), f"{where}/other")


def a_wrong_password_is_called_one(helm: Keyboard) -> None:
    with pytest.raises(ClientFailed, match="unauthorized: these credentials are not valid"):
        log_in(helm, "Wrong-password-1")
