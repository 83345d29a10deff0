"""Real input: Debian root filesystems, made from the machine's own package sources, as images of several layers.

Making one takes half a minute, so they stay in a folder of their own below the system's temporary folder, where all
test processes share them, also those of the next run.
"""

import fcntl
import gzip
import io
import os
import platform
import shutil
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from system.clients import ClientFailed, need, run
from system.layouts import INDEX, LAYER, Descriptor, Layout

_SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
_RECIPE = "1"
"""Goes up when what is made here changes, so that an older one is not taken for it."""


def debian() -> Layout:
    """The essential packages of this machine's release, Python's library and this project's source: the tag `debian`
    names an image of three layers made by umoci."""
    return _made(f"debian-{_suite()}", _make_debian)


def two_platforms() -> Layout:
    """GNU hello and what it needs, unpacked for amd64 and arm64: the tag `hello` names an index of the two images."""
    return _made(f"hello-{_suite()}", _make_two_platforms)


def package_layer(layout: Layout, package: str) -> tuple[Descriptor, str]:
    """A package of Python's library as a layer, and its diff id: the same bytes whenever it is asked for."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.add(
            Path(sysconfig.get_path("stdlib")) / package, f"usr/lib/python/{package}", filter=_timeless
        )
    packed = gzip.compress(tar.getvalue(), 6, mtime=0)
    return layout.add(packed, LAYER), f"sha256:{sha256(tar.getvalue()).hexdigest()}"


def _make_debian(folder: Path) -> None:
    layout, image = folder / "layout", f"{folder / 'layout'}:debian"
    run("umoci", "init", "--layout", str(layout))
    run("umoci", "new", "--image", image)
    layers = (
        ("essential packages", _bootstrap(folder / "base.tar", "--variant=essential")),
        (
            "python's library",
            _packed(folder / "library.tar", Path(sysconfig.get_path("stdlib")), "usr/lib/python"),
        ),
        (
            "fairway's source",
            _packed(folder / "source.tar", Path(__file__).parents[2] / "src", "opt/fairway"),
        ),
    )
    for what, tar in layers:
        run("umoci", "raw", "add-layer", "--image", image, "--history.created_by", what, str(tar))
        tar.unlink()
    run("umoci", "config", "--image", image, "--config.cmd", "/bin/bash", "--config.env", "LANG=C.UTF-8")
    run("umoci", "gc", "--layout", str(layout))


def _make_two_platforms(folder: Path) -> None:
    layout = Layout(folder / "layout")
    images = []
    for architecture in ("amd64", "arm64"):
        tar = _bootstrap(
            folder / f"{architecture}.tar",
            "--variant=extract",
            f"--architectures={architecture}",
            "--include=hello",
        )
        diff_id = f"sha256:{sha256(tar.read_bytes()).hexdigest()}"
        layer = layout.add(gzip.compress(tar.read_bytes(), 6, mtime=0), LAYER)
        tar.unlink()
        images.append(layout.image([layer], [diff_id], architecture=architecture))
    layout.manifest({"manifests": images}, media_type=INDEX, tag="hello")


def _bootstrap(tar: Path, *options: str) -> Path:
    """Let mmdebstrap make a root filesystem.  Skips where the packages cannot be had, except in CI."""
    need("mmdebstrap")
    sources = [
        str(path) for name in _SOURCES if (path := Path("/etc/apt") / name).is_file() and path.stat().st_size
    ]
    for tries_left in (2, 1, 0):  # a mirror may be busy for a moment
        try:
            run("mmdebstrap", "--quiet", *options, _suite(), str(tar), *sources)
            break
        except (ClientFailed, TimeoutError) as failure:
            if tries_left:
                time.sleep(5)
            elif "CI" in os.environ:
                raise
            else:
                pytest.skip(f"mmdebstrap cannot make a root filesystem here: {str(failure)[-300:]}")
    return tar


def _packed(tar: Path, folder: Path, name: str) -> Path:
    with tarfile.open(tar, "w") as archive:
        archive.add(folder, name, filter=_timeless)
    return tar


def _timeless(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what comes and goes, and forget who has it since when."""
    if Path(member.name).name in ("__pycache__", "site-packages", "dist-packages", "test"):
        return None
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _suite() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")


def _made(name: str, make: Callable[[Path], None]) -> Layout:
    """The layout kept under this name; made now if it is not there, while other processes wait for it."""
    shelf = Path(tempfile.gettempdir()) / f"fairway-test-images-{os.geteuid()}"
    shelf.mkdir(mode=0o700, exist_ok=True)
    if shelf.lstat().st_uid != os.geteuid():
        pytest.skip(f"{shelf} belongs to somebody else")
    kept = shelf / f"{name}-{_RECIPE}"
    with _locked(shelf / f"{name}.lock"):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=shelf) as folder:
                make(Path(folder))
                shutil.move(Path(folder) / "layout", kept)
    return Layout(kept)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
