"""Lists that a caller may filter and sort: the one place where their words become SQL.

A list declares its fields once, by the names its API gives them.  What a caller names beyond those is ignored, as Harbor
ignores it; every value is a bound parameter, and one that cannot be a value of its field is refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, ColumnElement, Integer, and_, or_
from sqlalchemy import true as sql_true

from fairway.core.oci.errors import BadRequest
from fairway.frame.db.types import SECOND, folded

Value = str | int | datetime
COUNTED: Final = 10_000
"""How far a list that is filtered is counted, or to the end of the page that is asked for."""
_MOST: Final = 2**63 - 1
_MOST_SMALL: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Exact:
    """Is this."""

    text: str


@dataclass(frozen=True, slots=True)
class Contains:
    """Has this in it, whatever the case."""

    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """Is not below `low` nor above `high`; None is no bound, and one of them is there."""

    low: Value | None
    high: Value | None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Is one of these."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Has each of these; only lists that can hold several values of a field know it."""

    values: tuple[Value, ...]


Term = Exact | Contains | Between | AnyOf | AllOf
Filters = Mapping[str, Term]
Order = Sequence[tuple[str, bool]]
"""Fields to sort by, most important first, each with whether it falls."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column under its API name; `moment`: it holds microseconds, and is asked for by date and time."""

    column: ColumnElement[Any]
    moment: bool = False


def walks(
    filters: Filters, order: Order = (), *, indexed: str = "", found: Collection[str] = frozenset()
) -> bool:
    """Whether a list that is asked for so may have to look at every row: for `Database.walk`, beside what is quick.

    `indexed`: the field by which an index has the list in order; `found`: those of which an index finds one value.
    """
    if any(name not in found or not _is_one_value(term) for name, term in filters.items()):
        return True
    return any(name != indexed for name, _ in order)


def _is_one_value(term: Term) -> bool:
    return isinstance(term, Exact) and term.text not in ("nil", "*")


class Listing:
    """What may be asked of one list.

    `default` is the order when nobody asks for one; `tie` makes every order total, so that pages neither repeat nor skip.
    """

    def __init__(
        self, fields: Mapping[str, Field], *, default: Sequence[tuple[str, bool]], tie: ColumnElement[Any]
    ) -> None:
        self._fields = fields
        self._default = default
        self._tie = tie

    def where(self, filters: Filters) -> list[ColumnElement[bool]]:
        """The conditions, to be ANDed.  Raises BadRequest for a value that its field cannot have."""
        return [
            _condition(name, self._fields[name], term)
            for name, term in filters.items()
            if name in self._fields
        ]

    def order(self, order: Order = ()) -> list[ColumnElement[Any]]:
        """What to sort by."""
        known = [(name, falls) for name, falls in order if name in self._fields] or list(self._default)
        columns = [(self._fields[name].column, falls) for name, falls in known]
        falls = columns[0][1]
        return [column.desc() if down else column.asc() for column, down in [*columns, (self._tie, falls)]]


def _condition(name: str, field: Field, term: Term) -> ColumnElement[bool]:
    column: ColumnElement[Any] = field.column
    condition: ColumnElement[bool]

    def bound(value: Value) -> Any:
        return _value(name, field, value)

    match term:
        case Contains(text) if not (_is_number(column) or isinstance(column.type, Boolean)):
            condition = folded(column).contains(text.lower(), autoescape=True)
            if not text.isascii():  # letters that this engine, or this column, may not fold
                condition = or_(condition, column.contains(text, autoescape=True))
        case Exact(text) | Contains(text):
            condition = column == bound(text)
        case Between(low, high):
            bounds = [column >= bound(low)] if low is not None else []
            condition = and_(*bounds, *([column <= bound(high)] if high is not None else []))
        case AnyOf(values):
            # One look into a small set for each row: a hundred comparisons hold everybody up in a large table.
            condition = column.in_([bound(value) for value in values])
        case AllOf(values):
            condition = and_(sql_true(), *(column == bound(value) for value in values))
    return condition


def _is_number(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, Integer | BigInteger)


def _value(name: str, field: Field, value: Value) -> Any:
    """A value as the driver wants it."""
    if field.moment:
        return _micros(name, value)
    kind = field.column.type
    if isinstance(kind, Boolean):
        truth = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if truth is None:
            raise BadRequest(f"q: {name} is true or false")
        return truth
    if _is_number(field.column):
        text = str(value)
        digits = text.removeprefix("-")
        least = digits.lstrip("0") or "0"
        most = _MOST if isinstance(kind, BigInteger) else _MOST_SMALL
        if not digits.isdecimal() or not text.isascii() or len(least) > 19 or int(least) > most:
            raise BadRequest(f"q: {name} is a whole number")
        return -int(least) if text.startswith("-") else int(least)
    return value.strftime("%Y-%m-%dT%H:%M:%S") if isinstance(value, datetime) else str(value)


def _micros(name: str, value: Value) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise BadRequest(f"q: {name} is a time such as 2026-01-31T08:00:00 (UTC)") from None
    if isinstance(value, int):
        raise BadRequest(f"q: {name} is a time such as 2026-01-31T08:00:00 (UTC)")
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return int(value.timestamp() * SECOND)
