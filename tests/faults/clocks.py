"""A hub whose clock is not the machine's, without touching the machine's.

libfaketime would be the known tool; Debian 12's breaks `time.sleep` (clock_nanosleep) as soon as the monotonic clock is
left alone, and stops the process when it is not.  What Fairway reads of the clock it reads through Python.
"""

import os
from datetime import UTC, datetime
from pathlib import Path


class FakeClock:
    """A clock that is some seconds ahead (or behind), and can be set while a hub runs."""

    def __init__(self, file: Path, ahead: float = 0) -> None:
        self._file = file
        self.set(ahead)

    def set(self, ahead: float) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(str(ahead))
        written.rename(self._file)

    @property
    def env(self) -> dict[str, str]:
        """For the processes that shall believe it."""
        path = [str(Path(__file__).with_name("another_clock")), os.environ.get("PYTHONPATH", "")]
        return {"FAKE_CLOCK_FILE": str(self._file), "PYTHONPATH": os.pathsep.join(filter(None, path))}


def until(moment: str) -> float:
    """Seconds from now to a moment, such as `2038-01-20`."""
    return (datetime.fromisoformat(moment).replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
