"""Finds the programs the benchmark drives, builds the one that can be built, and says how to get what is missing."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_REGISTRY3_VERSION = "v3.1.2"
_REGISTRY3 = f"github.com/distribution/distribution/v3/cmd/registry@{_REGISTRY3_VERSION}"
_BUILD_SECONDS = 300

_HOW = {
    "wrk": "apt-get install wrk (nothing is measured without it)",
    "docker-registry": "apt-get install docker-registry (the older CNCF distribution, 2.8)",
    "nginx": "apt-get install nginx-light (the physical limit: the same bytes as plain files)",
    "registry3": f"install Go and run again, or run: go install {_REGISTRY3}",
    "zot": "put a `zot` program on the PATH; it is measured when it is there",
}


@dataclass(frozen=True, slots=True)
class Tools:
    """Where each program is; None for one that is missing."""

    wrk: Path | None
    registry2: Path | None
    registry3: Path | None
    zot: Path | None
    nginx: Path | None

    def missing(self) -> list[str]:
        """A line for each program that is not there, with the way to get it."""
        places = {
            "wrk": self.wrk,
            "docker-registry": self.registry2,
            "nginx": self.nginx,
            "registry3": self.registry3,
            "zot": self.zot,
        }
        return [f"{name}: {_HOW[name]}" for name, place in places.items() if place is None]

    def versions(self) -> dict[str, str]:
        """What the programs say of themselves, by the names of the peers."""
        asked = {
            "registry2": (self.registry2, "--version"),
            "registry3": (self.registry3, "--version"),
            "zot": (self.zot, "--version"),
            "nginx": (self.nginx, "-v"),
        }
        return {name: _first_line(place, option) for name, (place, option) in asked.items() if place}


def find(*, build: bool) -> Tools:
    """Look for all of them; with `build`, build distribution 3 once if Go is here."""
    return Tools(
        wrk=_on_path("wrk"),
        registry2=_on_path("docker-registry"),
        registry3=_registry3(build=build),
        zot=_on_path("zot"),
        nginx=_on_path("nginx") or _on_path("/usr/sbin/nginx"),
    )


def py_spy(python: Path) -> Path | None:
    """The profiler, beside the interpreter or on the PATH."""
    beside = python.parent / "py-spy"
    return beside if beside.exists() else _on_path("py-spy")


def _registry3(*, build: bool) -> Path | None:
    folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "fairway-bench"
    built = folder / _REGISTRY3_VERSION / "registry"
    go = _on_path("go")
    if built.exists() or not (build and go):
        return built if built.exists() else None
    print(f"bench: building {_REGISTRY3}, once ...", flush=True)
    built.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(built.parent), "GOFLAGS": "-trimpath"}
    try:
        done = subprocess.run(
            [go, "install", _REGISTRY3],
            env=environment,
            cwd=built.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"bench: it did not build in {_BUILD_SECONDS} s; going on without it")
        return None
    if done.returncode:
        print(f"bench: it did not build; going on without it: {done.stderr.strip()[-300:]}")
    return built if built.exists() else None


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _first_line(program: Path, option: str) -> str:
    said = subprocess.run([program, option], capture_output=True, text=True, check=False)
    text = (said.stdout + said.stderr).strip()
    line = text.splitlines()[0].removeprefix(f"{program} ") if text else ""
    if not line.startswith("{"):
        return line
    try:
        told = json.loads(line)  # zot logs its version
    except ValueError:
        return line
    return " ".join(filter(None, (told.get("commit"), told.get("binary-type")))) or "of an unknown version"
