"""Times in JSON."""

import pytest

from fairway.frame.web.moments import moment


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_769_851_800_123_456, "2026-01-31T09:30:00.123Z"),
        (1_769_851_800_000_000, "2026-01-31T09:30:00.000Z"),
    ],
)
def test_a_time_is_rfc_3339_with_milliseconds(micros: int, text: str) -> None:
    assert moment(micros) == text
