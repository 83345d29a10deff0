"""Times as Harbor's JSON has them: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_OF_A_DAY: Final = 86_400_000


def moment(micros: int) -> str:
    """`micros` since the epoch as `2026-01-31T09:30:00.123Z`."""
    day, left = divmod(micros // 1000, _MILLISECONDS_OF_A_DAY)
    seconds, milliseconds = divmod(left, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day(day)}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    """A list shows a thousand moments of few days."""
    return (_EPOCH + timedelta(days=number)).date().isoformat()
