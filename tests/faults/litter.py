"""I8: what nobody needs any more goes when its time is over, however often the process that removes it dies.

Two things have such a time: objects in the trash, and uploads that nobody continues, with a row or without one.  An
object that has no row at all has none: it stays until there is a collector that judges it.
"""

import os
import time
import uuid
from contextlib import suppress

from faults.inside import Inside

EVERY_SECONDS = 60
"""The background process looks for what is to go at its start and then so often, or more often."""
PATIENCE_SECONDS = 30
"""That process may have been started only just now, on a busy machine."""
_LONG_AGO = 10 * 365 * 86_400


def kept_too_long(inside: Inside) -> list[str]:
    """What should have been removed by now, and is not within a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _overdue(inside)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _overdue(inside: Inside) -> list[str]:
    latest = time.time() - EVERY_SECONDS
    abandoned = latest - inside.upload_expiry
    due = inside.rows(f"SELECT key FROM trash WHERE not_before < {_micros(latest)}")
    found = [f"I8: {key} is still in the trash" for (key,) in due]
    rows: dict[str, int] = dict(inside.rows("SELECT id, updated_at FROM uploads"))
    for id, at in rows.items():
        if at < _micros(abandoned):
            found.append(f"I8: the upload {id} still has a row")
    for file in inside.uploads():
        with suppress(FileNotFoundError):
            if file.name not in rows and file.stat().st_mtime < abandoned:
                found.append(f"I8: the upload {file.name} has no row, but still bytes")
    return found


def leave(inside: Inside) -> None:
    """Some of it, whose time was over long ago: in the trash, and an upload without a row."""
    inside.throw_away(os.urandom(1000), in_seconds=-_LONG_AGO)
    upload = inside.storage / "uploads" / uuid.uuid4().hex
    upload.write_bytes(b"nobody's")
    os.utime(upload, (time.time() - _LONG_AGO,) * 2)


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)
