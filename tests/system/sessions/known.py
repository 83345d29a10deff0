"""The clients that sessions drive: which program each is, where it comes from, and what of it is not tried."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from system.clients import ClientFailed, run


@dataclass(frozen=True)
class Client:
    """`package` is its line in the file `versions` that tests/install-clients.sh leaves beside the programs."""

    name: str
    program: str
    package: str
    not_tried: dict[str, str] = field(default_factory=dict)


DOCKER = Client(
    "docker",
    "docker",
    "docker.io",
    {
        "each image store with each database": "docker's own had SQLite, containerd's had PostgreSQL",
        "running and building": "the sessions are about the registry; no container is started",
        "content trust": "it needs a Notary v1 server, which its makers have retired",
    },
)
DOCKER_WIRE = Client("docker's requests", "", "")
CONTAINERD = Client(
    "containerd",
    "ctr",
    "containerd",
    {
        "login": "it has none: name and password are given with each command",
        "listing tags, deleting": "it has no such command",
    },
)
CRANE = Client("crane", "crane", "crane", {"login with a wrong password": "its login asks nobody"})
ORAS = Client("oras", "oras", "oras")
HELM3 = Client("helm 3", "helm3", "helm3", {"deleting": "it has no such command for registries"})
HELM4 = Client("helm 4", "helm4", "helm4", {"deleting": "it has no such command for registries"})
COSIGN = Client(
    "cosign",
    "cosign",
    "cosign",
    {
        "keyless signing, transparency log": "both need services on the internet",
        "login with a wrong password": "its login asks nobody",
    },
)
NOTATION = Client(
    "notation", "notation", "notation", {"timestamping, revocation": "both need services on the internet"}
)
REGCTL = Client("regctl", "regctl", "regctl")
SKOPEO = Client("skopeo", "skopeo", "")
PODMAN = Client("podman", "podman", "")
BUILDAH = Client("buildah", "buildah", "")

CLIENTS = (
    DOCKER,
    DOCKER_WIRE,
    CONTAINERD,
    CRANE,
    ORAS,
    HELM3,
    HELM4,
    REGCTL,
    COSIGN,
    NOTATION,
    SKOPEO,
    PODMAN,
    BUILDAH,
)

ELSEWHERE: dict[str, tuple[Client, ...]] = {
    "test_after_login_one_pushes_and_after_logout_one_does_not": (SKOPEO, PODMAN, BUILDAH),
    "test_everybody_may_pull_from_a_public_project": (SKOPEO, PODMAN),
    "test_a_private_project_does_not_exist_for_others": (SKOPEO,),
    "test_what_skopeo_pushes_everybody_pulls_byte_for_byte": (SKOPEO, PODMAN),
    "test_podman_pushes_what_it_loaded_and_pulls_the_same_image_back": (PODMAN,),
    "test_buildah_pushes_a_new_layer_on_top_of_the_ones_it_pulled": (BUILDAH,),
    "test_an_index_goes_in_and_out_byte_for_byte": (SKOPEO,),
    "test_each_platform_gets_its_own_image": (SKOPEO, PODMAN),
    "test_an_index_made_by_buildah_names_the_images_it_was_made_of": (BUILDAH,),
    "test_tags_are_listed_in_order_over_many_pages": (SKOPEO,),
    "test_skopeo_deletes_an_image_with_all_its_tags": (SKOPEO,),
    "test_a_copy_into_another_project_sends_no_layer_again": (SKOPEO,),
    "test_layers_compressed_with_zstd_are_the_same_files": (SKOPEO, PODMAN),
    "test_a_helm_chart_is_stored_as_it_is": (SKOPEO,),
    "test_memory_does_not_grow_with_the_layer": (SKOPEO,),
}
"""Tests beside this folder that are sessions of these clients, too."""


def folder() -> Path:
    """Where tests/install-clients.sh puts what it gets."""
    cache = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return Path(os.environ.get("FAIRWAY_TEST_CLIENTS", "") or f"{cache}/fairway-clients").expanduser()


def found(program: str) -> str:
    """The program's path, ours before the machine's.  Skips the test where there is none."""
    place = shutil.which(program, path=f"{folder() / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if place is None:
        pytest.skip(f"{program} is not here; get it with: make clients")
    return place


def version(client: Client) -> str:
    """Its version and where it is from, as far as either is known."""
    if not client.program:
        return "requests scripted in the test"
    ours = folder() / "versions"
    for line in ours.read_text().splitlines() if ours.exists() and client.package else ():
        package, number, origin = line.split()
        if package == client.package and (folder() / "bin" / client.program).exists():
            return f"{number.removeprefix('v')} ({origin})"
    try:
        return run(client.program, "--version").split()[2]
    except ClientFailed:
        return "unknown"
