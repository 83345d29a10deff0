"""What time it is, as something a caller can be given instead of something it reaches for.

Code that needs the time takes a `Clock`; only the place that builds the process passes `utc_now`.  Leases, schedules
and garbage collection take their time from the database instead (one clock for all replicas).
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since 1970-01-01 UTC."""


def utc_now() -> float:
    """Seconds since 1970-01-01 UTC by this machine's clock, which may jump: never measure durations with it."""
    return time.time()
