"""Debian's docker-registry as a process of its own: what other people's clients expect a registry to be."""

import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from postgres import free_port
from system.clients import need

_SETTINGS = """
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/storage}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
"""


class Peer:
    """It runs from the start; `close` ends it.  Nobody needs a login."""

    def __init__(self, folder: Path) -> None:
        need("docker-registry")
        told = subprocess.run(["docker-registry", "--version"], check=True, capture_output=True, text=True)
        self.version = told.stdout.split()[-1]
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        (folder / "config.yml").write_text(_SETTINGS.format(folder=folder, port=self.port))
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urlopen(f"http://{self.place}/v2/", timeout=5):
                    return
            except (URLError, OSError):
                assert self.process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
        raise TimeoutError((folder / "log").read_text())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
