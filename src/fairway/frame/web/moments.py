"""Times as Harbor's JSON has them: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(micros: int) -> str:
    """`micros` since the epoch as `2026-01-31T09:30:00.123Z`."""
    text = (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
