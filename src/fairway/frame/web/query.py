"""The `q` and `sort` parameters of a list, as Harbor's API reads them.  Pure.

```text
q     key=value,…        value: text | ~text (contains) | [low~high] | {a b c} (any of) | (a b c) (all of)
sort  key,-key,…         - sorts downwards
```

A leading `\\` in front of a text takes its special meaning away.  In ranges and lists a value is a time
(2006-01-02T15:04:05), else a whole number, else text, in quotes or not.  Of a key that is given twice the last one counts.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import unquote_plus

from fastapi import Depends, Query

from fairway.core.oci.errors import BadRequest
from fairway.frame.db.listing import AllOf, AnyOf, Between, Contains, Exact, Filters, Order, Term, Value

_MOST_TEXT: Final = 4096
_MOST_TERMS: Final = 20
_MOST_VALUES: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_HOW: Final = "write key=value, key=~part, key=[low~high] or key={one two}, separated by commas"


def parse_filters(q: str) -> Filters:
    """The terms by key.  Raises BadRequest for a text that is none of the forms above."""
    text = unquote_plus(q)  # clients encode it twice, and Harbor decodes it twice
    if _CONTROL.search(text) or len(text) > _MOST_TEXT:
        raise BadRequest(f"q is at most {_MOST_TEXT} printable characters")
    if not text:
        return {}
    pairs = text.split(",")
    if len(pairs) > _MOST_TERMS:
        raise BadRequest(f"q has at most {_MOST_TERMS} parts")
    found: dict[str, Term] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and key and value):
            raise BadRequest(f"q: {pair.strip()[:64]!r} is no filter; {_HOW}")
        found[key] = _term(value)
    return found


def _term(text: str) -> Term:
    first, last = text[0], text[-1]
    if first == "\\":
        return Exact(text[1:])
    if first == "~":
        return Contains(text[1:])
    if first == "[" and last == "]":
        return _between(text[1:-1])
    if first == "{" and last == "}":
        return AnyOf(_values(text[1:-1]))
    if first == "(" and last == ")":
        return AllOf(_values(text[1:-1]))
    if first in "[{(":
        raise BadRequest(f"q: {text[:64]!r} is not closed; {_HOW}")
    return Exact(text)


def _between(text: str) -> Between:
    low, tilde, high = (part.strip() for part in text.partition("~"))
    if not tilde or "~" in high or not (low or high):
        raise BadRequest(f"q: a range is [low~high], [low~] or [~high], not [{text[:64]}]")
    return Between(_value(low) if low else None, _value(high) if high else None)


def _values(text: str) -> tuple[Value, ...]:
    words = text.split()
    if not 0 < len(words) <= _MOST_VALUES:
        raise BadRequest(f"q: a list has 1 to {_MOST_VALUES} values with blanks between them")
    return tuple(map(_value, words))


def _value(text: str) -> Value:
    if _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            raise BadRequest(f"q: {text} is no time") from None
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def parse_order(sort: str) -> Order:
    """What to sort by, as (key, falls).  Raises BadRequest for an endless text."""
    if len(sort) > _MOST_TEXT:
        raise BadRequest(f"sort is at most {_MOST_TEXT} characters")
    names = [name.strip() for name in sort.split(",")]
    return [(name.removeprefix("-"), name.startswith("-")) for name in names if name.strip("-")]


async def _filters(q: Annotated[str, Query(description=f"filters: {_HOW}")] = "") -> Filters:
    return parse_filters(q)


async def _order(sort: Annotated[str, Query(description="fields to sort by; -field falls")] = "") -> Order:
    return parse_order(sort)


Filtered = Annotated[Filters, Depends(_filters)]
"""A handler's parameter for `q`; 400 for a malformed one."""

Ordered = Annotated[Order, Depends(_order)]
"""A handler's parameter for `sort`."""
