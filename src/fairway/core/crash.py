"""Named points at which a test may kill the process.

Writing code calls `crashpoint("upload.after_rename")` between two steps whose order matters.  It does nothing unless the
environment variable FAIRWAY_CRASHPOINT_FILE was set when the process started.  While the file it names exists and says
`name:n`, the n-th pass of that name in one process kills this process, as a power switch would: no clean-up, no flush.
The file is deleted first, so that a plan fires once, however many workers run it and even after a restart.
"""

import os
import signal
import threading
from collections import Counter
from pathlib import Path

_plan_file = os.environ.get("FAIRWAY_CRASHPOINT_FILE", "")
_passes: Counter[str] = Counter()
_counting = threading.Lock()


def crashpoint(name: str) -> None:
    """Do nothing, or die if a test planned it."""
    if _plan_file:
        _pass(name, Path(_plan_file))


def _pass(name: str, plan_file: Path) -> None:
    try:
        planned, _, count = plan_file.read_text().strip().partition(":")
    except FileNotFoundError:
        return
    if planned != name:
        return
    with _counting:
        _passes[name] += 1
        if _passes[name] < int(count or 1):
            return
        try:
            plan_file.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
