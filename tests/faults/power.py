"""A disk whose power can be cut: an ext4 image on a loop device.

FS_IOC_SHUTDOWN stops the file system dead, without writing out its journal: what nobody has synced is gone after the
next mount, exactly as if the plug had been pulled.  Processes on it only see I/O errors from then on.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
_WITHOUT_THE_LOG = 2
_UNMOUNT_SECONDS = 60


class Disk:
    """`path` is its root, which other users may pass through."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._image = folder / "image"
        self.path = folder / "disk"
        self.path.mkdir(mode=0o755)
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self._mount()
        self.path.chmod(0o755)

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def sync(self) -> None:
        """Make everything on it durable, however it was written."""
        _run("sync", "-f", str(self.path))

    def cut(self) -> None:
        """Now.  Nothing reaches the disk any more."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _WITHOUT_THE_LOG))
        finally:
            os.close(fd)

    def restore(self) -> None:
        """The power is back.  Whoever used the disk must be dead.

        The file system is mounted from a copy: a process that was given mounts of its own meanwhile, by another test
        perhaps, keeps the old one alive, and the kernel would hand out that again, dead as it is.
        """
        self.unmount()
        copied = self._image.with_name(f"image-{uuid.uuid4().hex}")
        _run("cp", "--sparse=always", str(self._image), str(copied))
        self._image.unlink()
        self._image = copied
        self._mount()

    def unmount(self) -> None:
        """Waits for the last of the killed to let go."""
        deadline = time.monotonic() + _UNMOUNT_SECONDS
        while subprocess.run(["umount", str(self.path)], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.path} is still in use")
            time.sleep(0.02)


@contextmanager
def disks(count: int = 1, megabytes: int = 256) -> Iterator[list[Disk]]:
    """Disks for the length of a `with` block.  Skips the test where they cannot be had."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip(
            "cutting the power of a disk takes root and e2fsprogs (Debian: apt-get install e2fsprogs)"
        )
    # Not in pytest's own folder, which only root may enter: PostgreSQL runs as somebody else.
    base = Path(tempfile.mkdtemp(prefix="fairway-power-"))
    base.chmod(0o711)
    made: list[Disk] = []
    try:
        for number in range(count):
            folder = base / str(number)
            folder.mkdir(mode=0o711)
            try:
                made.append(Disk(folder, megabytes))
            except subprocess.CalledProcessError as error:
                pytest.skip(f"mounting an image takes root outside of a container: {error.stderr.strip()}")
        yield made
    finally:
        for disk in made:
            disk.unmount()
        shutil.rmtree(base)


def another_boot(folder: Path) -> Iterator[list[str]]:
    """Commands under which the kernel seems to have been started anew, each time another one.

    Who remembers what was in the page cache of a boot must then forget it.
    """
    folder.mkdir()
    script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    while True:
        boot = folder / str(uuid.uuid4())
        boot.write_text(f"{boot.name}\n")
        yield ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, str(boot)]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
