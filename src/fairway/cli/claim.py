"""What must be ours alone before anything is changed: the address, and the data folder.

Every web worker binds the address for itself (SO_REUSEPORT), so the kernel would let a second server share it and
send it every other request.  Hence one bind without that option first, and a lock on the data folder.
"""

import fcntl
import os
import resource
import socket
import time
from dataclasses import dataclass

from fairway.core.oci.errors import FairwayError
from fairway.frame.settings import Settings

_PATIENCE = 4.0
"""Seconds to wait for the remains of a server that was killed: its orphans stop by themselves within two."""
_SPARE_FILES = 512


class NotAlone(FairwayError):
    """Another server has the address or the data folder."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The lock on the data folder, held as long as the supervisor lives."""

    fd: int

    def leave_to_parent(self) -> None:
        """In a forked process: let go, so that the lock ends with the supervisor and not with us."""
        os.close(self.fd)


def claim(settings: Settings) -> Claim:
    """Make sure that nobody else serves this address or this data folder.  Raises NotAlone."""
    deadline = time.monotonic() + _PATIENCE
    while (problem := _bind_problem(settings)) is not None:
        if time.monotonic() > deadline:
            raise NotAlone(
                f"cannot serve on {settings.listen}: {problem}; choose another address with --listen"
            )
        time.sleep(0.1)
    try:
        folder = settings.data_dir / "run"
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise NotAlone(
            f"the data folder {settings.data_dir} cannot be used: {error.strerror}; choose another with --data-dir"
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise NotAlone(
            f"another `fairway serve` runs with the data folder {settings.data_dir}; stop it, or give this one "
            "another --data-dir (and the same FAIRWAY_DATABASE_URL and FAIRWAY_STORAGE_URL for a replica)"
        ) from None
    return Claim(fd)


def _bind_problem(settings: Settings) -> str | None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not hindered by connections just closed
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def raise_file_limit() -> None:
    """Every connection and every blob on its way out is an open file: take as many as we are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Connections of one worker that are served at once; the rest wait in the kernel."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(32_768, (soft - min(_SPARE_FILES, soft // 2)) // 2))
