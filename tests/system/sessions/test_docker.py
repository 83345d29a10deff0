"""The Docker engine itself, with each of its two image stores, which push and pull with different code.

With SQLite it is docker's own store, with PostgreSQL containerd's."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import Hub
from system.clients import ClientFailed
from system.sessions.daemons import docker_engine
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import DOCKER
from system.sessions.samples import LARGE, tar_with
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = DOCKER

heavy = pytest.mark.parametrize("hub", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def engine(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Each store has one of the hubs: classic talks to SQLite, containerd's to PostgreSQL."""
    store = "classic" if hub.workers == 1 else "containerd"
    with docker_engine(tmp_path_factory.mktemp("docker"), store) as address:
        yield address


@pytest.fixture
def docker(engine: dict[str, str], hub: Hub, tmp_path: Path) -> Keyboard:
    return Keyboard(tmp_path / "keyboard", hub, DOCKER, engine)


def log_in(docker: Keyboard, password: str = PASSWORD) -> str:
    return docker("login", "--username", USER, "--password-stdin", docker.hub.place, stdin=password)


def imported(docker: Keyboard, name: str, content: bytes) -> str:
    """An image of one file that the engine makes itself; its name."""
    tar = docker.folder / "files.tar"
    tar.write_bytes(tar_with("content", content))
    docker("import", str(tar), docker.ref(name))
    return docker.ref(name)


def file_in(docker: Keyboard, image: str) -> bytes:
    """What `content` holds in an image: the engine unpacks it for a container that is never started."""
    made = docker("create", image, "/content").strip()
    docker("cp", f"{made}:/content", str(docker.folder / "content"))
    docker("rm", made)
    return (docker.folder / "content").read_bytes()


def test_an_image_is_pushed_and_pulled_by_tag_and_by_digest(
    docker: Keyboard, deckhand: Wire, project: str
) -> None:
    assert "Login Succeeded" in log_in(docker)
    content = os.urandom(5000)
    image = imported(docker, f"{project}/app:1", content)
    docker("push", "--quiet", image)
    stored = deckhand.ask("GET", f"/v2/{project}/app/manifests/1")
    digest = stored.headers["docker-content-digest"]

    for name in (image, docker.ref(f"{project}/app@{digest}")):
        docker("rmi", "--force", image)
        docker("pull", "--quiet", name)
        assert digest in docker("image", "inspect", "--format", "{{.RepoDigests}}", name)
        assert file_in(docker, name) == content
        docker("tag", name, image)


def test_a_layer_the_hub_has_is_not_sent_to_another_project(
    docker: Keyboard, deckhand: Wire, project: str, open_project: str
) -> None:
    log_in(docker)
    image = imported(docker, f"{project}/app:1", os.urandom(5000))
    docker("push", image)
    docker("tag", image, docker.ref(f"{open_project}/copy:1"))

    said = docker("push", docker.ref(f"{open_project}/copy:1"))

    assert "Mounted from" in said or "already exists" in said, said
    layers = [
        deckhand.ask("GET", f"/v2/{name}/manifests/1").json()["layers"]
        for name in (f"{project}/app", f"{open_project}/copy")
    ]
    assert layers[0] == layers[1]


def test_all_tags_of_a_repository_are_pulled(docker: Keyboard, project: str) -> None:
    log_in(docker)
    names = [imported(docker, f"{project}/app:{tag}", os.urandom(100)) for tag in ("1", "2", "3")]
    for name in names:
        docker("push", "--quiet", name)
    docker("rmi", "--force", *names)

    docker("pull", "--quiet", "--all-tags", docker.ref(f"{project}/app"))

    shown = docker("images", "--format", "{{.Tag}}", docker.ref(f"{project}/app")).split()
    assert sorted(shown) == ["1", "2", "3"]


def test_who_has_logged_out_pulls_from_a_public_project_and_pushes_nothing(
    docker: Keyboard, open_project: str
) -> None:
    log_in(docker)
    content = os.urandom(100)
    image = imported(docker, f"{open_project}/app:1", content)
    docker("push", "--quiet", image)
    docker("logout", docker.hub.place)
    docker("rmi", "--force", image)

    docker("pull", "--quiet", image)

    assert file_in(docker, image) == content
    other = imported(docker, f"{open_project}/app:2", os.urandom(100))
    with pytest.raises(ClientFailed, match=r"unauthorized|denied|authorization failed|401"):
        docker("push", "--quiet", other)


@only_sqlite
def test_a_wrong_password_is_called_one(docker: Keyboard, guessing: None) -> None:
    with pytest.raises(ClientFailed, match="unauthorized: these credentials are not valid"):
        log_in(docker, "Wrong-password-1")


@only_sqlite
def test_a_list_of_images_is_made_on_the_hub_from_what_is_there(
    docker: Keyboard, deckhand: Wire, project: str
) -> None:
    log_in(docker)
    image = imported(docker, f"{project}/app:1", os.urandom(100))
    docker("push", "--quiet", image)
    many = docker.ref(f"{project}/app:all")

    docker("manifest", "create", "--insecure", many, image)
    docker("manifest", "annotate", "--arch", "arm64", many, image)
    docker("manifest", "push", "--insecure", many)

    index = deckhand.ask("GET", f"/v2/{project}/app/manifests/all").json()
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["arm64"]


@heavy
def test_a_layer_of_64_mib_goes_in_and_out(docker: Keyboard, project: str) -> None:
    log_in(docker)
    content = os.urandom(LARGE)
    image = imported(docker, f"{project}/large:1", content)
    docker("push", "--quiet", image)
    docker("rmi", "--force", image)
    docker("pull", "--quiet", image)
    assert file_in(docker, image) == content
