"""Lists that a caller may filter and sort: the one place where their words become SQL.

A list declares its fields once, by the names its API gives them.  What a caller names beyond those is ignored, as Harbor
ignores it; every value is a bound parameter, and one that cannot be a value of its field is refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, ColumnElement, Integer, Select, and_, func, or_, select
from sqlalchemy import false as sql_false
from sqlalchemy import true as sql_true

from fairway.core.oci.errors import BadRequest
from fairway.frame.db.database import Conn
from fairway.frame.db.types import SECOND, holds

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
    """A column under its API name; `moment`: it holds microseconds, and is asked for by date and time.

    `parts`: the two columns it is put together of, with a / in between, of which the first has none.  `lower`: it has no
    capital letters.  Neither changes what is found: PostgreSQL knows how often a text is in a column as it is, and nothing
    about what is made of columns.
    """

    column: ColumnElement[Any]
    moment: bool = False
    parts: tuple[ColumnElement[Any], ColumnElement[Any]] | None = None
    lower: bool = False


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
        return _ordered(self._by(order))

    def _by(self, order: Order) -> list[tuple[ColumnElement[Any], bool]]:
        known = [(name, falls) for name, falls in order if name in self._fields] or list(self._default)
        columns = [(self._fields[name].column, falls) for name, falls in known]
        return [*columns, (self._tie, columns[0][1])]

    def part(
        self, chosen: Select[Any], order: Order, *, total: int | None, offset: int, limit: int
    ) -> Select[Any]:
        """Those of `chosen` that are on a page, in any order.

        `total`: how many there are, counted to the end and in the same snapshot.  Then not what comes before the page is
        passed over but what comes after it, where that is less.
        """
        by = self._by(order)
        if total is not None and 0 < total - offset < total / 2:
            by = [(column, not falls) for column, falls in by]
            last = min(offset + limit, total)
            offset, limit = total - last, last - offset
        return chosen.order_by(*_ordered(by)).offset(offset).limit(limit)

    async def found(
        self, conn: Conn, chosen: Select[Any], order: Order, *, most: int, offset: int, limit: int
    ) -> tuple[list[int], int]:
        """Of `chosen`, a selection of ids: those on a page, in any order, and how many there are, in one walk.

        It ends when it has seen `most`, which it keeps until then; then they are that many, and which are on the page is
        not known.
        """
        by = self._by(order)
        columns = [column.label(f"by_{n}") for n, (column, _) in enumerate(by)]
        walk = chosen.with_only_columns(*chosen.selected_columns, *columns).limit(most)
        seen = walk.cte("seen").prefix_with("MATERIALIZED")
        id, *keys = seen.c
        counted = select(func.count().label("total")).select_from(seen).subquery("counted")
        part = (
            select(id.label("id"))
            .where(select(func.count()).select_from(seen).scalar_subquery() < most)
            .order_by(*_ordered([(key, falls) for key, (_, falls) in zip(keys, by, strict=True)]))
            .offset(offset)
            .limit(limit)
            .subquery("part")
        )
        both = select(counted.c.total, part.c.id).select_from(counted.outerjoin(part, sql_true()))
        rows = await conn.all(both)
        return [row["id"] for row in rows if row["id"] is not None], rows[0]["total"]


def _ordered(by: Sequence[tuple[ColumnElement[Any], bool]]) -> list[ColumnElement[Any]]:
    return [column.desc() if falls else column.asc() for column, falls in by]


def _contains(field: Field, text: str) -> ColumnElement[bool]:
    if field.parts is not None and "/" not in text:
        return or_(*(_contains(Field(part, lower=field.lower), text) for part in field.parts))
    if field.lower:
        return field.column.contains(text.lower(), autoescape=True)
    return holds(field.column, text)


def _is(field: Field, value: Any) -> ColumnElement[bool]:
    if field.parts is None:
        same: ColumnElement[bool] = field.column == value
        return same
    first, slash, rest = str(value).partition("/")
    return and_(field.parts[0] == first, field.parts[1] == rest) if slash else sql_false()


def _is_one_of(field: Field, values: Sequence[Any]) -> ColumnElement[bool]:
    if field.parts is None:
        return field.column.in_(values)
    return or_(sql_false(), *(_is(field, value) for value in values))


def _condition(name: str, field: Field, term: Term) -> ColumnElement[bool]:
    column: ColumnElement[Any] = field.column
    condition: ColumnElement[bool]

    def bound(value: Value) -> Any:
        return _value(name, field, value)

    match term:
        case Contains(text) if not (_is_number(column) or isinstance(column.type, Boolean)):
            condition = _contains(field, text)
        case Exact(text) | Contains(text):
            condition = _is(field, bound(text))
        case Between(low, high):
            bounds = [column >= bound(low)] if low is not None else []
            condition = and_(*bounds, *([column <= bound(high)] if high is not None else []))
        case AnyOf(values):
            # One look into a small set for each row: a hundred comparisons hold everybody up in a large table.
            condition = _is_one_of(field, [bound(value) for value in values])
        case AllOf(values):
            condition = and_(sql_true(), *(_is(field, bound(value)) for value in values))
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
