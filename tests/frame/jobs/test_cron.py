"""Cron expressions as Harbor has them."""

from datetime import UTC, datetime

import pytest

from fairway.core.oci.errors import BadRequest
from fairway.frame.jobs.cron import expression, next_after

NOON = int(datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("style", "custom", "expected"),
    [
        ("Hourly", "", "2026-11-27T13:00:00"),
        ("Daily", "ignored", "2026-11-28T00:00:00"),
        ("Weekly", "", "2026-11-29T00:00:00"),
        ("Custom", "0 30 2 * * *", "2026-11-28T02:30:00"),
        ("Custom", "  0   */5 * * * ? ", "2026-11-27T12:05:00"),
        ("Custom", "0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("Custom", "0 0 9 * * MON-FRI", "2026-11-30T09:00:00"),
    ],
)
def test_the_next_moment(style: str, custom: str, expected: str) -> None:
    found = next_after(expression(style, custom), NOON)
    assert found is not None
    assert datetime.fromtimestamp(found / 1_000_000, UTC).strftime("%FT%T") == expected


def test_a_moment_is_never_its_own_next() -> None:
    assert next_after("0 0 12 * * *", NOON) == NOON + 86_400_000_000
    assert next_after("0 0 12 * * *", NOON - 1) == NOON


@pytest.mark.parametrize(
    ("style", "custom"),
    [
        ("Yearly", ""),
        ("", ""),
        ("Custom", ""),
        ("Custom", "0 0 * * *"),
        ("Custom", "* * * * * *"),
        ("Custom", "30 0 0 * * *"),
        ("Custom", "0 0 0 31 2 *"),
        ("Custom", "0 61 0 * * *"),
        ("Custom", "0 0 0 * * noday"),
        ("Custom", "0 " + "1," * 300 + "1 0 * * *"),
        ("Custom", "@daily"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(style: str, custom: str) -> None:
    with pytest.raises(BadRequest):
        expression(style, custom)
