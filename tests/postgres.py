"""A private PostgreSQL server for the tests: its own cluster in a temporary folder, on loopback, gone afterwards."""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_SECONDS = 120
"""To start, recover or stop: much longer than it takes, for machines that are busy."""


def binaries() -> Path | None:
    """The folder with initdb and postgres, or None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def free_port() -> int:
    """A port for a server, also for when it starts again.

    It is drawn below those that the kernel gives to outgoing connections (32768 and up): one of them could have the port
    just when its server is down.  And it is drawn from so many that two test processes do not draw the same.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Postgres:
    """One running server.  `url(name)` is the address of a database; `create` makes it, from a template if given.

    `durable`: it syncs what it commits.  `data`: an empty or missing folder on a small disk for its cluster, instead of one of its own.
    """

    def __init__(self, *, durable: bool = False, data: Path | None = None) -> None:
        self.bin = binaries()
        if self.bin is None:
            raise FileNotFoundError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="fairway-pg-"))
        self.data = data or self.folder / "data"
        # The server refuses to run as root; Debian's package brings the user postgres.
        self.user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            if data is not None:
                data.mkdir(mode=0o700, exist_ok=True)
                shutil.chown(data, "postgres")
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
            *(["--wal-segsize=1"] if data else []),  # megabytes, for small disks
        )
        settings = [
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self.folder}'",
        ]
        settings += ["max_connections = 200", "shared_buffers = 64MB", "log_min_messages = warning"]
        if not durable:
            settings += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        self.start()

    def _as_user(self, command: list[str]) -> list[str]:
        if os.geteuid() == 0:
            return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        return command

    def _run(self, program: str, *arguments: str) -> None:
        assert self.bin is not None
        command = self._as_user([str(self.bin / program), *arguments])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        assert self.bin is not None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._as_user([str(self.bin / "postgres"), "-D", str(self.data)]),
                stdout=log,
                stderr=log,
                cwd="/",
            )
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            ready = subprocess.run(
                [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "log").read_text())

    def sql(self, statement: str, database: str = "postgres") -> None:
        assert self.bin is not None
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", database]
        command = [str(self.bin / "psql"), "-qX", *where, "-v", "ON_ERROR_STOP=1", "-c", statement]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def create(self, name: str, template: str = "template1") -> str:
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown
            self.process.wait(_SECONDS)

    def pids(self) -> list[int]:
        """The server and the processes it has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def kill(self) -> None:
        """kill -9 of all its processes."""
        if self.process.poll() is None:
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(_SECONDS)

    def restart_immediately(self) -> None:
        """`pg_ctl restart -m immediate`: every connection is cut, and what was written is recovered from the log."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(_SECONDS)
        self.start()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
