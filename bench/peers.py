"""The servers under test: how each is configured, started, filled and stopped.

All listen on loopback and keep their data on the same file system. Each gets the settings that suit it best: access
logs off, caches on. Only Fairway authenticates; the others serve everybody, which is less work.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from content import REPO, TAG, Image
from processes import family
from tools import Tools
from wire import Address, Client, Login, bearer

if TYPE_CHECKING:
    from postgres import Postgres

_START_SECONDS = 60
_STOP_SECONDS = 60
_PASSWORD = "Fairway-bench-1"
_OURS = ("FAIRWAY_", "REGISTRY_", "OTEL_")


@dataclass(kw_only=True)
class Peer(ABC):
    """One server. Its data is in `folder`, which need not be there; `program` is what runs."""

    name: str
    folder: Path
    program: Path
    pushable: bool = True
    login: Login | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @abstractmethod
    def command(self) -> list[str]:
        """What to run; writes the configuration it needs."""

    def environment(self) -> dict[str, str]:
        """What to add to ours."""
        return {}

    @abstractmethod
    def empty(self, folder: Path) -> Self:
        """Another one of the kind, not started, with nothing in it."""

    @property
    def address(self) -> Address:
        """Where it listens."""
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        """Where it listens, for programs."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Seconds from the start of its process to its first answer. Raises RuntimeError with its last words."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        # We are pinned to one core, see run.py; a server may use all.
        command = ["taskset", "-c", f"0-{(os.cpu_count() or 1) - 1}", *self.command()]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        with (self.folder / "log").open("ab") as log:
            started = time.perf_counter()
            self.process = subprocess.Popen(
                command,
                env={**inherited, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not _answers(self.address):
            late = time.perf_counter() - started > _START_SECONDS
            if late or self.process.poll() is not None:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"{self.name} does not start:\n{said}")
            time.sleep(0.005)
        return time.perf_counter() - started

    def stop(self) -> None:
        """Ask it to end, then insist."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> list[int]:
        """All its processes."""
        return family(self.process.pid) if self.process else []

    def token(self, *repos: str) -> dict[str, str]:
        """A header that lets us pull from and push to `repos`."""
        return bearer(self.address, self.login, repos)

    def fill(self, image: Image) -> None:
        """Put the image in, as a client would."""
        client = Client(self.address, self.token(REPO))
        for digest, raw in image.blobs.items():
            client.push_blob(REPO, digest, len(raw), [raw])
        client.push_manifest(REPO, TAG, image.manifest)
        client.close()


@dataclass(kw_only=True)
class Fairway(Peer):
    """Ours, from this source tree: bearer tokens, every acknowledged byte synced to disk."""

    workers: int = 1
    postgres: "Postgres | None" = None
    login: Login | None = ("admin", _PASSWORD)
    database_url: str = ""

    def command(self) -> list[str]:
        data = ["--data-dir", str(self.folder / "data"), "--listen", f"127.0.0.1:{self.port}"]
        return [str(self.program), "-m", "fairway", "serve", *data, "--workers", str(self.workers)]

    def environment(self) -> dict[str, str]:
        if self.postgres and not self.database_url:
            self.database_url = self.postgres.create(f"bench-{self.folder.name}")
        database = {"FAIRWAY_DATABASE_URL": self.database_url} if self.database_url else {}
        return {"FAIRWAY_ADMIN_PASSWORD": _PASSWORD, "FAIRWAY_LOG_FORMAT": "json", **database}

    def empty(self, folder: Path) -> Self:
        return type(self)(
            name=self.name, folder=folder, program=self.program, workers=self.workers, postgres=self.postgres
        )

    def pids(self) -> list[int]:
        database = family(self.postgres.process.pid) if self.postgres else []
        return super().pids() + database

    def remove(self) -> None:
        super().remove()
        if self.postgres and self.database_url:
            self.postgres.drop(self.database_url.rpartition("/")[2])


@dataclass(kw_only=True)
class Distribution(Peer):
    """The CNCF registry, 2.8 and 3.x, on its filesystem driver."""

    def command(self) -> list[str]:
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "cache": {"blobdescriptor": "inmemory"},
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "bench"},
        }
        (self.folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        return [str(self.program), "serve", str(self.folder / "config.yml")]

    def environment(self) -> dict[str, str]:
        return {"OTEL_TRACES_EXPORTER": "none"}  # 3.x looks for a collector otherwise

    def empty(self, folder: Path) -> Self:
        return type(self)(name=self.name, folder=folder, program=self.program)


@dataclass(kw_only=True)
class Zot(Peer):
    """The CNCF's other registry, on a folder, without extensions; commits to disk as it can be told to."""

    def command(self) -> list[str]:
        config = {
            "distSpecVersion": "1.1.1",
            "storage": {
                "rootDirectory": str(self.folder / "data"),
                "commit": True,
                "dedupe": False,
                "gc": False,
            },
            "http": {"address": "127.0.0.1", "port": str(self.port)},
            "log": {"level": "error"},
        }
        (self.folder / "config.json").write_text(json.dumps(config))
        return [str(self.program), "serve", str(self.folder / "config.json")]

    def empty(self, folder: Path) -> Self:
        return type(self)(name=self.name, folder=folder, program=self.program)


@dataclass(kw_only=True)
class Nginx(Peer):
    """The physical limit of pulling: the same bytes at the same paths, as files, sent by sendfile."""

    pushable: bool = False

    def command(self) -> list[str]:
        config = self.folder / "nginx.conf"
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"  {place}_temp_path {self.folder}/temp;" for place in places)
        config.write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes auto;
worker_rlimit_nofile 16384;
pid {self.folder}/pid;
error_log {self.folder}/log error;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.folder}/files; }}
}}
""")
        return [str(self.program), "-c", str(config), "-e", str(self.folder / "log")]

    def empty(self, folder: Path) -> Self:
        return type(self)(name=self.name, folder=folder, program=self.program)

    def fill(self, image: Image) -> None:
        place = self.folder / "files" / "v2" / REPO
        files = {f"blobs/{digest}": raw for digest, raw in image.blobs.items()}
        files |= {f"manifests/{reference}": image.manifest for reference in (TAG, image.digest)}
        for name, raw in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(raw)


def all_peers(folder: Path, tools: Tools, postgres: "Postgres | None" = None) -> list[Peer]:
    """Those that can be run here, Fairway first; `fairway-2` is Fairway with a second worker."""
    python = Path(sys.executable)
    found: list[Peer] = [
        Fairway(name="fairway", folder=folder / "fairway", program=python, postgres=postgres),
        Fairway(name="fairway-2", folder=folder / "fairway-2", program=python, postgres=postgres, workers=2),
    ]
    if tools.registry2:
        found.append(Distribution(name="registry2", folder=folder / "registry2", program=tools.registry2))
    if tools.registry3:
        found.append(Distribution(name="registry3", folder=folder / "registry3", program=tools.registry3))
    if tools.zot:
        found.append(Zot(name="zot", folder=folder / "zot", program=tools.zot))
    if tools.nginx:
        found.append(Nginx(name="nginx", folder=folder / "nginx", program=tools.nginx))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: Address) -> bool:
    client = Client(address)
    try:
        return client.ask("GET", "/v2/").status < 500
    except OSError:
        return False
    finally:
        client.close()
