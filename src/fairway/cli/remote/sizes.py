"""Amounts of bytes as people write and read them.  Pure."""

import re
from typing import Final

from fairway.client.errors import ClientError

UNLIMITED: Final = -1
MOST: Final = 1024 * 2**40

_SIZE: Final = re.compile(r"([0-9]{1,15})(\.[0-9]{1,3})?\s*([KMGT]?)(i?)(B?)", re.IGNORECASE | re.ASCII)
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class NoSize(ClientError):
    """A text that is no amount of bytes."""


def parse_size(text: str) -> int:
    """`10GiB` and `10Gi` are 1024³ each, `10GB` 1000³, `500` bytes, `unlimited` and `-1` no limit.  Raises NoSize."""
    if text.strip().lower() in ("unlimited", "none", "-1"):
        return UNLIMITED
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise NoSize(f"{text[:40]!r} is no size; write it as 10GiB, 500MB or unlimited")
    whole, fraction, unit, binary, _ = found.groups()
    factor: int = (1024 if binary else 1000) ** _POWERS[unit.upper()]
    size = int(whole) * factor
    if fraction:
        digits = fraction[1:]
        size += int(digits) * factor // 10 ** len(digits)
    if not 0 < size <= MOST:
        raise NoSize(f"{text[:40]!r} is not between 1 byte and 1024 TiB; `unlimited` is no limit")
    return size


def size_text(size: int) -> str:
    """For people, to three digits or so."""
    if size < 0:
        return "unlimited"
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return (
        f"{amount:.0f} {unit}"
        if unit == "B" or amount >= 100 or amount == int(amount)
        else f"{amount:.1f} {unit}"
    )
