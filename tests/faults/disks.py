"""Disks that are small, full or read-only, and system calls that fail: made here, undone at the end."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_ATTACH_SECONDS = 30
_REMOUNT_SECONDS = 20


@contextmanager
def small_disk(folder: Path, **options: str) -> Iterator[Path]:
    """A file system in memory at `folder`; `size="8m"`, `nr_inodes="600"`.  Skips the test where it may not be mounted."""
    folder.mkdir(mode=0o750)
    given = ",".join(["mode=0750", *(f"{name}={value}" for name, value in options.items())])
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", given, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs takes root: " + mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte more fits on the disk of `folder`."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def without_files(folder: Path) -> Iterator[None]:
    """Not a file more can be made on the disk of `folder`, though there is room for bytes."""
    fillers = folder / "fillers"
    fillers.mkdir()
    with suppress(OSError):
        for number in range(100_000):
            (fillers / str(number)).touch()
    try:
        yield
    finally:
        shutil.rmtree(fillers)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The disk mounted at `folder` takes nothing."""
    _remount(folder, "ro")
    try:
        yield
    finally:
        _remount(folder, "rw")


def _remount(folder: Path, mode: str) -> None:
    """Tried again for a while: it is refused as long as a file is open for writing there, if only for a moment."""
    command = ["mount", "-o", f"remount,{mode}", str(folder)]
    deadline = time.monotonic() + _REMOUNT_SECONDS
    while time.monotonic() < deadline:
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(command, check=True)


@contextmanager
def failing(
    pids: Iterable[int], calls: str, fault: str, *, path: Path | None = None, follow: bool = True
) -> Iterator[Path]:
    """Let system calls of running processes fail, in each of their threads: `failing(…, "fsync", "error=EIO:when=1")`.

    `path`: only calls about this file.  `follow`: also in threads and processes begun meanwhile.  Gives the file that lists the calls, failed ones marked INJECTED.
    """
    if shutil.which("strace") is None:
        pytest.skip("letting system calls fail takes strace (Debian: apt-get install strace)")
    listed = Path(os.environ.get("TMPDIR", "/tmp")) / f"fairway-strace-{os.getpid()}-{time.monotonic_ns()}"
    command = [
        "strace",
        *(["-f"] if follow else []),
        "-qq",
        "-o",
        str(listed),
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:{fault}",
    ]
    command += ["-P", str(path)] if path else []
    command += [f"--attach={pid}" for pid in pids]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_attached(tracer, set(pids))
        yield listed
    finally:
        tracer.send_signal(signal.SIGINT)  # detaches; the processes go on
        tracer.communicate(timeout=_ATTACH_SECONDS)
        listed.unlink(missing_ok=True)


def _wait_until_attached(tracer: subprocess.Popen[str], pids: set[int]) -> None:
    deadline = time.monotonic() + _ATTACH_SECONDS
    while not all(_traced(pid, tracer.pid) for pid in pids):
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            pytest.skip(
                "tracing other processes takes root outside of a container: " + tracer.stderr.read().strip()
            )
        if time.monotonic() > deadline:
            raise TimeoutError("strace did not attach")
        time.sleep(0.02)


def _traced(pid: int, by: int) -> bool:
    """All threads of a process, as far as it still lives."""
    wanted = f"TracerPid:\t{by}\n"
    with suppress(FileNotFoundError, ProcessLookupError):
        return all(wanted in (task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
    return True
