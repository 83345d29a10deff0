"""skopeo, podman, buildah and umoci as subprocesses: one person with one login, whose files all lie in one folder.

Passwords travel in files and on standard input, never on a command line.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkdtemp

import pytest

from hub import Hub

_SECONDS = 300
_LAST_WORDS_SECONDS = 10


class ClientFailed(Exception):
    """A client said no; the text is what it wrote to standard error."""


def need(*programs: str) -> None:
    """Skip the test unless all of these are installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install {program})")


def run(*command: str, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """Run a program; its standard output.  Raises ClientFailed, or TimeoutError with where it hangs if it is written in Go."""
    need(command[0])
    with subprocess.Popen(
        command,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        try:
            output, said = client.communicate(stdin, _SECONDS)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{' '.join(command)}: not done after {_SECONDS} s\n{_stacks(client)}"
            ) from None
        except BaseException:
            client.kill()
            raise
    if client.returncode:
        raise ClientFailed(f"{' '.join(command)}: exit status {client.returncode}: {said.strip()}")
    return output


def _stacks(client: "subprocess.Popen[str]") -> str:
    """What each goroutine waits for, as Go tells on SIGQUIT; the client is dead afterwards."""
    client.send_signal(signal.SIGQUIT)
    try:
        return client.communicate(timeout=_LAST_WORDS_SECONDS)[1]
    except subprocess.TimeoutExpired:
        client.kill()
        return "and it does not say why"


@dataclass(frozen=True)
class Pulled:
    """An image in a `dir:` folder; every blob has been hashed."""

    manifest: bytes
    blobs: frozenset[str]

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.manifest).hexdigest()}"


class Person:
    """Someone at a keyboard who uses one hub.  Without `password` they have not logged in."""

    def __init__(self, folder: Path, hub: Hub, *, user: str = "admin", password: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.hub = hub
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        logins = {hub.place: {"auth": login}} if password else {}
        (folder / "auth.json").write_text(json.dumps({"auths": logins}))
        registries, storage = folder / "registries.conf", folder / "storage.conf"
        registries.write_text(f'[[registry]]\nlocation = "{hub.place}"\ninsecure = true\n')
        # vfs needs nothing from the kernel, and works for a user without a range of user ids, too.
        storage.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
            '[storage.options.vfs]\nignore_chown_errors = "true"\n'
        )
        self.registries = str(registries)
        self.env = {
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "CONTAINERS_REGISTRIES_CONF": self.registries,
            "CONTAINERS_STORAGE_CONF": str(storage),
        }

    def skopeo(self, *arguments: str, stdin: str = "") -> str:
        return run("skopeo", "--registries-conf", self.registries, *arguments, env=self.env, stdin=stdin)

    def podman(self, *arguments: str, stdin: str = "") -> str:
        return run("podman", *arguments, env=self.env, stdin=stdin)

    def buildah(self, *arguments: str, stdin: str = "") -> str:
        return run("buildah", *arguments, env=self.env, stdin=stdin)

    def ref(self, name: str) -> str:
        """`library/debian:12` as podman and buildah want it."""
        return f"{self.hub.place}/{name}"

    def push(self, source: str, name: str, *flags: str) -> None:
        """skopeo copy into the hub."""
        self.skopeo("copy", *flags, source, f"docker://{self.ref(name)}")

    def pull(self, name: str, *flags: str) -> Pulled:
        """skopeo copy out of the hub, byte for byte, with every blob compared with its digest."""
        folder = Path(mkdtemp(prefix="pulled-", dir=self.folder))
        self.skopeo("copy", *flags, f"docker://{self.ref(name)}", f"dir:{folder}")
        return pulled(folder)


def pulled(folder: Path) -> Pulled:
    """What skopeo left in a `dir:` folder."""
    found = set()
    for file in folder.iterdir():
        if len(file.name) == 64:
            with file.open("rb") as content:
                assert file_digest(content, "sha256").hexdigest() == file.name
            found.add(f"sha256:{file.name}")
    return Pulled((folder / "manifest.json").read_bytes(), frozenset(found))
