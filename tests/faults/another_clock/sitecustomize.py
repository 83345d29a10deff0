"""Python runs this first in a hub whose clock is to be another than the machine's.

The file FAKE_CLOCK_FILE says how many seconds to add, and may change meanwhile.  The monotonic clock and the times of
files stay as they are: the clock of the node and that of its storage differ, as when the storage is another machine's.
SQLite has its time from the same node, so its clock is changed too.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

_file = Path(os.environ["FAKE_CLOCK_FILE"])
_time_ns, _connect = time.time_ns, sqlite3.connect
_JULIAN_EPOCH, _DAY = 2440587.5, 86400


def _shifted_ns() -> int:
    return _time_ns() + int(float(_file.read_text()) * 1e9)


def _shifted() -> float:
    return _shifted_ns() / 1e9


def _connect_shifted(*args: Any, **options: Any) -> sqlite3.Connection:
    made = _connect(*args, **options)
    made.create_function("julianday", 1, lambda _now: _shifted() / _DAY + _JULIAN_EPOCH)
    return made


time.time, time.time_ns, sqlite3.connect = _shifted, _shifted_ns, _connect_shifted
