"""Six-field cron expressions, seconds first, as Harbor's; evaluated in UTC.

Everything here is pure: the time comes from whoever asks, which is the database.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from fairway.core.oci.errors import BadRequest
from fairway.frame.db.types import SECOND

HOURLY, DAILY, WEEKLY, CUSTOM, MANUAL, NONE = "Hourly", "Daily", "Weekly", "Custom", "Manual", "None"

_FIXED: Final = {HOURLY: "0 0 * * * *", DAILY: "0 0 0 * * *", WEEKLY: "0 0 0 * * 0"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EXAMPLE: Final = "six fields, seconds first, such as `0 30 2 * * *` for 02:30 UTC every day"


def expression(style: str, custom: str) -> str:
    """The cron expression of a schedule: that of `style`, or the checked `custom` one.

    Raises BadRequest for a style or expression that is none, or that asks for more than one run a minute.
    """
    if style != CUSTOM:
        if style not in _FIXED:
            raise BadRequest(f"a schedule is {', '.join(_FIXED)} or {CUSTOM}, not {style[:40]!r}")
        return _FIXED[style]
    text = " ".join(custom.split())
    if len(text) > 200 or text.count(" ") != 5:
        raise BadRequest(f"a cron expression has {_EXAMPLE}")
    if text.split(" ")[0] != "0":
        raise BadRequest(
            "the seconds of a cron expression must be 0: nothing runs more often than once a minute"
        )
    if next_after(text, 0) is None:
        raise BadRequest("this cron expression names a date that never comes")
    return text


def next_after(cron: str, micros: int) -> int | None:
    """The first moment after `micros` (microseconds since the epoch) that `cron` names; None when there is none."""
    try:
        moments = CronSim(cron.replace("?", "*"), _EPOCH + timedelta(microseconds=micros))
        found = next(moments, None)
    except CronSimError as error:
        wrong = str(error).lower()  # such as "bad hour"
        raise BadRequest(f"{cron!r} is not a cron expression ({wrong}): it has {_EXAMPLE}") from None
    return None if found is None else (found - _EPOCH) // timedelta(seconds=1) * SECOND
