"""Records what real clients say to Debian's docker-registry: `PYTHONPATH=src:tests python -m system.record [client …]`.

Each session below leaves recordings/<client>-<what>.json, which test_differential.py says again to both registries.  Record
anew when a client's new version does something else; a client that is not here (make clients) keeps its old recordings.
docker and containerd need root.
"""

import gzip
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hub import Hub
from system.clients import Person
from system.layouts import LAYER
from system.peer import Peer
from system.recorder import FOLDER, Recorder, Recording
from system.sessions import charts, known
from system.sessions.daemons import containerd, docker_engine
from system.sessions.keyboard import Keyboard
from system.sessions.samples import tar_with, two_platforms
from system.sessions.test_cosign import UNDER_TAGS

HTTP = "--plain-http"


class Session:
    """One client, its files, and what it finds: the tag `one` of `layout` is an image of two layers, `both` an index."""

    def __init__(self, name: str, client: known.Client, folder: Path, peer: Peer, recorder: Recorder) -> None:
        self.name = name
        self.client = client
        self.folder = folder
        self.recorder = recorder
        self.registry = peer.version
        self.layout = two_platforms(folder / "layout")
        layers, ids = [], []
        for file in ("deck", "hold"):
            tar = tar_with(file, f"what is in the {file}\n".encode())
            layers.append(self.layout.add(gzip.compress(tar, mtime=0), LAYER))
            ids.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
        self.layout.image(layers, ids, tag="one")
        self.number = 0

    @property
    def hub(self) -> Hub:
        """The proxy, as far as a client knows a hub: its address."""
        (self.folder / "hub").mkdir(exist_ok=True)
        hub = Hub(self.folder / "hub")
        hub.place = self.recorder.place
        return hub

    @property
    def image(self) -> str:
        """Where this client has its image: a project of its own, so that it finds nobody else's blobs."""
        return f"{self.name}/app:1"

    @property
    def copy(self) -> str:
        """Where it puts a copy: another project."""
        return f"{self.name}-copies/app:1"

    def keyboard(self, client: known.Client | None = None, env: dict[str, str] | None = None) -> Keyboard:
        client = client or self.client
        return Keyboard(self.folder / client.program, self.hub, client, env)

    def ref(self, name: str = "") -> str:
        return f"{self.recorder.place}/{name or self.image}"

    @contextmanager
    def records(self, what: str) -> Iterator[None]:
        self.number += 1
        recording = Recording(self.name, known.version(self.client), what, self.number, self.registry)
        with self.recorder.to(recording):
            yield
        recording.write(FOLDER)
        print(f"{recording.name}: {len(recording.exchanges)} requests")


def skopeo(session: Session) -> None:
    person = Person(session.folder / "skopeo", session.hub)
    with session.records("push"):
        person.push(session.layout.ref("one"), session.image)
    with session.records("push-index"):
        person.push(session.layout.ref("both"), f"{session.name}/app:both", "--all")
    with session.records("inspect"):
        person.skopeo("inspect", f"docker://{session.ref()}")
    with session.records("pull"):
        person.pull(session.image)
    with session.records("copy"):
        person.push(f"docker://{session.ref()}", session.copy)
    with session.records("delete"):
        person.skopeo("delete", f"docker://{session.ref()}")


def podman(session: Session) -> None:
    person = Person(session.folder / "podman", session.hub)
    image = person.podman("pull", "--quiet", session.layout.ref("one")).split()[-1]
    with session.records("push"):
        person.podman("push", "--quiet", image, session.ref())
    person.podman("rmi", "--force", image)
    with session.records("pull"):
        person.podman("pull", "--quiet", session.ref())
    person.podman("rmi", "--all", "--force")


def buildah(session: Session) -> None:
    person = Person(session.folder / "buildah", session.hub)
    box = person.buildah("from", "--quiet", "scratch").strip()
    (session.folder / "cargo").write_text("two barrels\n")
    person.buildah("copy", "--quiet", box, str(session.folder / "cargo"), "/")
    person.buildah("commit", "--quiet", box, session.ref())
    with session.records("push"):
        person.buildah("push", "--quiet", session.ref())
    person.buildah("rm", "--all")
    person.buildah("rmi", "--all", "--force")


def engine(store: str) -> Callable[[Session], None]:
    """The Docker engine with one of its two image stores."""

    def docker(session: Session) -> None:
        (session.folder / "engine").mkdir()
        with docker_engine(session.folder / "engine", store) as address:
            command = session.keyboard(env=address)
            tar = session.folder / "files.tar"
            tar.write_bytes(tar_with("content", b"two barrels\n"))
            command("import", str(tar), session.ref())
            with session.records("push"):
                command("push", "--quiet", session.ref())
            with session.records("push-again"):
                command("push", "--quiet", session.ref())
            command("tag", session.ref(), session.ref(session.copy))
            with session.records("mount"):
                command("push", "--quiet", session.ref(session.copy))
            command("rmi", "--force", session.ref(), session.ref(session.copy))
            with session.records("pull"):
                command("pull", "--quiet", session.ref())

    return docker


def ctr(session: Session) -> None:
    (session.folder / "containerd").mkdir()
    with containerd(session.folder / "containerd") as address:
        command = session.keyboard(env=address)
        tar, image = session.folder / "layout.tar", session.ref(f"{session.name}/app:both")
        subprocess.run(["tar", "-cf", str(tar), "-C", str(session.layout.folder), "."], check=True)
        name = session.ref(f"{session.name}/app")
        command("images", "import", "--no-unpack", "--all-platforms", "--base-name", name, str(tar))
        with session.records("push"):
            command("images", "push", HTTP, image)
        command("images", "rm", "--sync", image)
        with session.records("pull"):
            command("images", "pull", HTTP, "--local", "--all-platforms", image)


def crane(session: Session) -> None:
    command = session.keyboard()
    with session.records("push"):
        command("push", "--index", str(session.layout.folder), session.ref())
    with session.records("pull"):
        command("pull", "--format", "oci", session.ref(), str(session.folder / "got"))
    with session.records("tag"):
        command("tag", session.ref(), "2")
        command("ls", session.ref(f"{session.name}/app"))
    with session.records("copy"):
        command("copy", session.ref(), session.ref(session.copy))
    digest = command("digest", session.ref()).strip()
    with session.records("delete"):
        command("delete", session.ref(f"{session.name}/app@{digest}"))


def oras(session: Session) -> None:
    command = session.keyboard()
    file = session.folder / "cargo.txt"
    file.write_text("a cargo list\n")
    artifact = ("--disable-path-validation", "--artifact-type", "application/vnd.example.cargo")
    with session.records("push"):
        command("push", HTTP, *artifact, session.ref(), f"{file}:text/plain")
    with session.records("pull"):
        command(
            "pull", HTTP, "--output", str(session.folder / "got"), "--allow-path-traversal", session.ref()
        )
    with session.records("attach"):
        command("attach", HTTP, *artifact, session.ref(), f"{file}:text/plain")
    with session.records("discover"):
        command("discover", HTTP, "--format", "json", session.ref())
    with session.records("delete"):
        command("manifest", "delete", HTTP, "--force", session.ref())


def regctl(session: Session) -> None:
    command = session.keyboard()
    command("registry", "set", "--skip-check", "--tls", "disabled", session.recorder.place)
    with session.records("push"):
        command("image", "copy", f"ocidir://{session.layout.folder}:one", session.ref())
    with session.records("pull"):
        command("image", "copy", session.ref(), f"ocidir://{session.folder}/got:one")
    with session.records("attach"):
        kind = "application/vnd.example.bill"
        command("artifact", "put", "--artifact-type", kind, "--subject", session.ref(), stdin="two barrels\n")
    with session.records("list"):
        command("tag", "ls", session.ref(f"{session.name}/app"))
        command("artifact", "list", session.ref())
    with session.records("untag"):
        command("tag", "delete", session.ref())


def helm(session: Session) -> None:
    command = session.keyboard()
    chart, where = charts.packaged(command), f"oci://{session.ref(session.name)}"
    with session.records("push"):
        command("push", HTTP, str(chart), where)
    with session.records("pull"):
        got = str(session.folder)
        command("pull", HTTP, f"{where}/pier", "--version", charts.VERSION, "--destination", got)
    with session.records("newest"):
        command("show", "chart", HTTP, f"{where}/pier")


def cosign(session: Session) -> None:
    command = session.keyboard(env={"COSIGN_PASSWORD": "a key's password"})
    command("generate-key-pair", "--output-key-prefix", f"{command.folder}/key")
    push, key = session.keyboard(known.CRANE), f"{command.folder}/key"
    with session.records("sign"):
        push("push", "--index", str(session.layout.folder), session.ref())
        image = session.ref(f"{session.name}/app@{push('digest', session.ref()).strip()}")
        command("sign", "--key", f"{key}.key", *UNDER_TAGS, "--yes", image)
    check = ("--insecure-ignore-tlog", "--new-bundle-format=false")
    with session.records("verify"):
        command("verify", "--key", f"{key}.pub", *check, image)


SESSIONS: dict[str, tuple[known.Client, Callable[[Session], None]]] = {
    "skopeo": (known.SKOPEO, skopeo),
    "podman": (known.PODMAN, podman),
    "buildah": (known.BUILDAH, buildah),
    "docker-classic": (known.DOCKER, engine("classic")),
    "docker-containerd": (known.DOCKER, engine("containerd")),
    "containerd": (known.CONTAINERD, ctr),
    "crane": (known.CRANE, crane),
    "oras": (known.ORAS, oras),
    "regctl": (known.REGCTL, regctl),
    "helm3": (known.HELM3, helm),
    "helm4": (known.HELM4, helm),
    "cosign": (known.COSIGN, cosign),
}


def main(wanted: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in wanted or SESSIONS:
        client, session = SESSIONS[name]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made, ExitStack() as ends:
            folder = Path(made)
            peer = Peer(folder)
            ends.callback(peer.close)
            recorder = Recorder(peer.place)
            ends.callback(recorder.close)
            try:
                session(Session(name, client, folder, peer, recorder))
            except pytest.skip.Exception as skipped:
                print(f"{name}: {skipped}")


if __name__ == "__main__":
    main(sys.argv[1:])
