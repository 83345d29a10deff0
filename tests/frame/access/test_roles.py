"""Of several roles the strongest counts, and its number does not tell which that is."""

import pytest

from fairway.frame.access.roles import Role, strongest


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], None),
        ([5], 5),
        ([5, 3], 3),
        ([3, 2], 2),
        ([2, 4], 4),
        ([4, 3, 5], 4),
        ([2, 4, 1], 1),
        ([5, 4, 3, 2, 1], 1),
    ],
)
def test_the_strongest_role(numbers: list[int], expected: int | None) -> None:
    assert strongest([Role(number) for number in numbers]) == expected
