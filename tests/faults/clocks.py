"""A hub whose clock is not the machine's: libfaketime, which changes what its processes are told.

The monotonic clock and the times of files stay as they are: so the node's clock differs from that of the storage, as
it does where the storage is another machine's.
"""

from pathlib import Path

import pytest

LIBRARY = "libfaketimeMT.so.1"


def library() -> Path:
    """Where it is; skips the test where it is not."""
    for found in sorted(Path("/usr/lib").glob(f"*/faketime/{LIBRARY}")):
        return found
    pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")


class FakeClock:
    """A clock that can be set while a hub runs: `+2h`, `-90`, `+0`, or `@2038-01-20 00:00:00` (and runs on from there)."""

    def __init__(self, file: Path, time: str = "+0") -> None:
        self._file = file
        self._library = library()
        self.set(time)

    def set(self, time: str) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{time}\n")
        written.rename(self._file)

    @property
    def env(self) -> dict[str, str]:
        """For the processes that shall believe it."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


