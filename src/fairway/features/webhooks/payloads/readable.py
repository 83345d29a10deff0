"""The data of a notice for people to read: indented JSON, no longer than a chat takes."""

import json
from collections.abc import Mapping
from typing import Any

CUT = "\n…"
"""What a text ends with that was too long."""


def lines(data: Mapping[str, Any]) -> str:
    """The data as JSON of several lines."""
    return json.dumps(data, indent="\t", ensure_ascii=False)


def cut(text: str, most: int) -> str:
    """The beginning of a text, if it has more than `most` UTF-16 code units, as Slack and Teams count."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * most:
        return text
    return units[: 2 * (most - len(CUT))].decode("utf-16-le", "ignore") + CUT
