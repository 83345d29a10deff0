"""A real hub for tests: `fairway serve` as its own processes, on a free port, on either engine."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from postgres import free_port

_START_SECONDS, _STOP_SECONDS, _KILL_SECONDS = 120, 90, 60
"""Much longer than any of it takes, for machines that are busy."""

PASSWORD = "Fairway-tests-1"
"""The administrator's, on every hub a test starts."""


class Hub:
    """One running hub.  `stop` drains it, `kill` is kill -9 of all its processes; `start` starts it again.

    `under`: a command that runs it in other circumstances, such as `prlimit --nofile=200`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str | None = None,
        workers: int = 1,
        env: dict[str, str] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.place}"
        self.workers = workers
        self.settings = {
            "FAIRWAY_ADMIN_PASSWORD": PASSWORD,
            **({"FAIRWAY_DATABASE_URL": database_url} if database_url else {}),
        }
        self.extra = env or {}
        self.under = under
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def database_url(self) -> str:
        """Where its rows are."""
        return self.settings.get("FAIRWAY_DATABASE_URL", f"sqlite:///{self.data}/fairway.db")

    @property
    def log(self) -> str:
        """Everything its processes have said."""
        return (self.folder / "hub.log").read_text(errors="replace")

    def start(self, **env: str) -> "Hub":
        """Start and wait until it is ready.  `env` is for this start only."""
        self.launch(**env)
        self._wait_until_ready(_START_SECONDS)
        return self

    def launch(self, **env: str) -> None:
        """Start without waiting for anything."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
        command = [*self.under, sys.executable, "-m", "fairway", "serve", "--data-dir", str(self.data)]
        command += ["--listen", self.place, "--workers", str(self.workers)]
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**inherited, **self.settings, **self.extra, **env},
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that `kill` reaches every process of it, and nobody else's
            )

    def _wait_until_ready(self, seconds: float) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the hub ended with {self.process.returncode}:\n{self.log[-4000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
        raise TimeoutError(f"the hub is not ready after {seconds} s:\n{self.log[-4000:]}")

    def pids(self) -> list[int]:
        """All its processes, without those that are dead and only wait to be buried by init."""
        assert self.process is not None
        group = self.process.pid
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if os.getpgid(int(entry.name)) == group and not _is_dead(entry):
                        found.append(int(entry.name))
                except (ProcessLookupError, FileNotFoundError):
                    continue
        return found

    def memory(self) -> int:
        """Proportional set size of all its processes, in bytes."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def forget_peaks(self) -> None:
        """`peaks` counts from now on."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peaks(self) -> dict[int, int]:
        """The most that each of its processes had in memory at once, in bytes, by pid."""
        found = {}
        for pid in self.pids():
            status = Path(f"/proc/{pid}/status").read_text()
            found[pid] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
        return found

    def stop(self) -> int:
        """SIGTERM to the supervisor, as an init system does; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_SECONDS)
            finally:
                self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """kill -9, supervisor and all."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_KILL_SECONDS)
        while self.pids():
            time.sleep(0.01)


def _is_dead(process: Path) -> bool:
    """A zombie whose last thread has ended, so that it holds no file, lock or port any more."""
    state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    return state == "Z" and len(list((process / "task").iterdir())) <= 1
