"""containerd, as every Kubernetes node runs it, with both ways of its `ctr` to fetch: its own and the daemon's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import Hub
from system.clients import ClientFailed, run
from system.layouts import Layout
from system.sessions.daemons import containerd
from system.sessions.keyboard import PASSWORD, USER, Keyboard
from system.sessions.known import CONTAINERD
from system.sessions.samples import same
from system.wire import Wire

pytestmark = pytest.mark.system
CLIENT = CONTAINERD
LOGIN = ("--plain-http", "--user", f"{USER}:{PASSWORD}")  # it reads a password from nowhere else

heavy = pytest.mark.parametrize("hub", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("hub", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with containerd(tmp_path_factory.mktemp("containerd")) as address:
        yield address


@pytest.fixture
def ctr(daemon: dict[str, str], hub: Hub, tmp_path: Path) -> Keyboard:
    return Keyboard(tmp_path / "keyboard", hub, CONTAINERD, daemon)


def imported(ctr: Keyboard, layout: Layout, name: str, tag: str) -> str:
    """The layout's image as `name:tag`; its tag in the layout must be the same."""
    tar = ctr.folder / "layout.tar"
    run("tar", "--create", "--file", str(tar), "--directory", str(layout.folder), ".")
    ctr("images", "import", "--no-unpack", "--all-platforms", "--base-name", ctr.ref(name), str(tar))
    return ctr.ref(f"{name}:{tag}")


def forget(ctr: Keyboard, *images: str) -> None:
    """Remove images, and at once what they were made of."""
    ctr("images", "rm", "--sync", *images)


def exported(ctr: Keyboard, image: str, number: int) -> Path:
    """The image as a layout in a folder.

    Exported by the client itself: what the daemon streams to it may end before it is whole, with exit status 0.
    """
    tar, folder = ctr.folder / f"{number}.tar", ctr.folder / f"got-{number}"
    ctr("images", "export", "--local", "--all-platforms", str(tar), image)
    folder.mkdir()
    run("tar", "--extract", "--file", str(tar), "--directory", str(folder))
    return folder


@pytest.mark.parametrize("how", [(), ("--local",)], ids=["daemon", "itself"])
def test_an_index_is_pushed_and_pulled_by_tag_and_by_digest(
    ctr: Keyboard, deckhand: Wire, project: str, both: Layout, how: tuple[str, ...]
) -> None:
    digest = both.tagged("both")["digest"]
    image = imported(ctr, both, f"{project}/app", "both")
    ctr("images", "push", *LOGIN, *how, image)
    assert deckhand.ask("GET", f"/v2/{project}/app/manifests/both").body == both.raw(digest)
    forget(ctr, image)

    for number, name in enumerate((image, ctr.ref(f"{project}/app@{digest}"))):
        ctr("images", "pull", *LOGIN, "--local", "--all-platforms", name)
        same(both.folder, exported(ctr, name, number), digest)
        forget(ctr, name)


def test_one_platform_is_fetched_of_two(ctr: Keyboard, project: str, both: Layout) -> None:
    image = imported(ctr, both, f"{project}/app", "both")
    ctr("images", "push", *LOGIN, image)
    forget(ctr, image)

    ctr("images", "pull", *LOGIN, "--local", "--platform", "linux/arm64", image)

    assert "linux/arm64" in ctr("images", "ls", f"name=={image}")
    forget(ctr, image)


def test_who_says_no_name_pulls_from_a_public_project_and_pushes_nothing(
    ctr: Keyboard, open_project: str, both: Layout
) -> None:
    image = imported(ctr, both, f"{open_project}/app", "both")
    ctr("images", "push", *LOGIN, image)
    forget(ctr, image)

    ctr("images", "pull", "--plain-http", "--local", "--all-platforms", image)

    same(both.folder, exported(ctr, image, 0), both.tagged("both")["digest"])
    other = ctr.ref(f"{open_project}/other:1")
    ctr("images", "tag", image, other)
    with pytest.raises(ClientFailed, match=r"401|[Uu]nauthorized|authorization failed|insufficient"):
        ctr("images", "push", "--plain-http", "--local", other)
    forget(ctr, image, other)


@only_sqlite
def test_a_wrong_password_is_called_one(
    ctr: Keyboard, guessing: None, open_project: str, both: Layout
) -> None:
    image = imported(ctr, both, f"{open_project}/app", "both")
    with pytest.raises(ClientFailed, match=r"401 Unauthorized"):
        ctr("images", "push", "--plain-http", "--local", "--user", f"{USER}:Wrong-password-1", image)
    forget(ctr, image)


@heavy
def test_a_layer_of_64_mib_goes_in_and_out_in_parallel_ranges(
    ctr: Keyboard, project: str, large: Layout
) -> None:
    image = imported(ctr, large, f"{project}/app", "large")
    ctr("images", "push", *LOGIN, image)
    forget(ctr, image)

    ctr("images", "pull", *LOGIN, "--local", "--all-platforms", image)

    same(large.folder, exported(ctr, image, 0), large.tagged("large")["digest"])
    forget(ctr, image)
