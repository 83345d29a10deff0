"""dockerd and containerd as daemons of a test's own: their files in one folder, their mounts and processes in namespaces.

No container is started and no network is made: they fetch, keep and send images.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from system.sessions.known import folder as clients
from system.sessions.known import found

_SECONDS = 60
# With --kill-child all of it ends when this process does. /opt and /run are empty inside: both daemons make folders there.
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
_PRIVATE = 'mount -t tmpfs none /opt && mount -t tmpfs none /run && exec "$@"'


@contextmanager
def docker_engine(folder: Path, store: str) -> Iterator[dict[str, str]]:
    """A running engine with docker's own image store (`classic`) or containerd's; what its command line needs to know."""
    program = found("dockerd")
    settings, socket = folder / "daemon.json", folder / "d.sock"
    settings.write_text(json.dumps({"features": {"containerd-snapshotter": store == "containerd"}}))
    options = ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    options += [
        "--config-file",
        str(settings),
        "--pidfile",
        str(folder / "pid"),
        "--host",
        f"unix://{socket}",
    ]
    options += ["--iptables=false", "--ip6tables=false", "--bridge=none", "--userland-proxy=false"]
    options += ["--storage-driver", {"classic": "vfs", "containerd": "native"}[store]]
    address = {"DOCKER_HOST": f"unix://{socket}"}
    with _running([program, *options], folder / "log", [found("docker"), "version"], address):
        yield address
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def containerd(folder: Path) -> Iterator[dict[str, str]]:
    """A running containerd; what `ctr` needs to know."""
    socket = folder / "c.sock"
    settings = folder / "config.toml"
    settings.write_text(
        f'version = 3\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images",'
        ' "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
    )
    address = {"CONTAINERD_ADDRESS": str(socket), "CONTAINERD_SNAPSHOTTER": "native"}
    command = [found("containerd"), "--config", str(settings)]
    with _running(command, folder / "log", [found("ctr"), "version"], address):
        yield address
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], log: Path, asked: list[str], address: dict[str, str]) -> Iterator[None]:
    """The daemon, from when `asked` answers."""
    if os.geteuid() != 0:
        pytest.skip(f"{Path(command[0]).name} needs root; run the tests as root")
    if subprocess.run([*_APART, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"{Path(command[0]).name} needs namespaces; allow this machine `unshare --mount --pid`")
    env = {**os.environ, **address, "PATH": f"{clients() / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    with log.open("wb") as said:
        daemon = subprocess.Popen(
            [*_APART, "sh", "-c", _PRIVATE, "sh", *command], env=env, stdout=said, stderr=said
        )
    try:
        deadline = time.monotonic() + _SECONDS
        while subprocess.run(asked, env=env, check=False, capture_output=True).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{command[0]} does not answer:\n{log.read_text(errors='replace')[-3000:]}"
                )
            time.sleep(0.2)
        yield
    finally:
        daemon.kill()
        daemon.wait(10)
