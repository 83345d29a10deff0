"""The column types and SQL expressions on which SQLite and PostgreSQL must agree.

Times are BIGINT microseconds since the epoch, UTC, and come from the database's clock (`now_us`), never from a process.
Text that is ordered or compared is ordered by code point on both engines: the OCI tag listing is defined in ASCII order.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    and_,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import NullType

Id = BigInteger().with_variant(Integer, "sqlite")
Micros = BigInteger
Name = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

SECOND = 1_000_000
"""Microseconds in one second."""


class each_of(FunctionElement[str]):
    """The strings of a JSON array parameter, as a set to compare with: `within(column, bindparam("digests"))`.

    One parameter whatever the length, so that the statement's text, and with it the prepared statement, stays the same.
    """

    type = Text()
    inherit_cache = True
    name = "each_of"


@compiles(each_of, "postgresql")
def _each_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_array_elements_text(CAST({compiler.process(element.clauses, **kw)} AS JSON)))"


@compiles(each_of, "sqlite")
def _each_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"


class each_id(FunctionElement[int]):
    """The same for numbers: `within_ids(column, bindparam("ids"))`."""

    type = BigInteger()
    inherit_cache = True
    name = "each_id"


@compiles(each_id, "postgresql")
def _ids_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    array = compiler.process(element.clauses, **kw)
    return f"(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST({array} AS JSON)))"


@compiles(each_id, "sqlite")
def _ids_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"


class one_of(FunctionElement[Any]):
    """A column is one of a set: `one_of(column, each_of(…))`.

    PostgreSQL gets an array to look up in the column's index.  Of a set it would make a join, and as it cannot know how
    small the set is, one that reads the whole table.
    """

    type = NullType()  # a BOOLEAN would be compared with 1 on SQLite, which no index could answer
    inherit_cache = True
    name = "one_of"


@compiles(one_of, "postgresql")
def _one_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, chosen = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} = ANY (ARRAY{chosen})"


@compiles(one_of, "sqlite")
def _one_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    column, chosen = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} IN {chosen}"


def within(column: ColumnElement[str], parameter: ColumnElement[str]) -> ColumnElement[bool]:
    """`column` is one of the strings in the JSON array `parameter`."""
    return one_of(column, each_of(parameter))


def within_ids(column: ColumnElement[int], parameter: ColumnElement[str]) -> ColumnElement[bool]:
    """`column` is one of the numbers in the JSON array `parameter`."""
    return one_of(column, each_id(parameter))


class fits_one_of(FunctionElement[Any]):
    """A repository's name is one of those that patterns mean: `fits_one_of(name, patterns)`, the patterns as a row keeps them.

    What frame/access/narrowing.py says of one name, in SQL, for lists of very many.  False for no patterns.
    """

    type = NullType()
    inherit_cache = True
    name = "fits_one_of"


def _fits(name: str, each: str, position: str) -> str:
    start = f"rtrim({each}, '*')"
    begins = f"substr({name}, 1, length({start})) = {start}"
    flat = f"{position}(substr({name}, length({start}) + 1), '/') = 0"
    return (
        f"CASE WHEN {each} LIKE '%**' THEN {begins} "
        f"WHEN {each} LIKE '%*' THEN {begins} AND {flat} ELSE {name} = {each} END"
    )


@compiles(fits_one_of, "postgresql")
def _fits_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    name, patterns = (compiler.process(each, **kw) for each in element.clauses)
    return f"EXISTS (SELECT 1 FROM unnest(string_to_array({patterns}, ' ')) AS pattern (value) WHERE {_fits(name, 'pattern.value', 'strpos')})"


@compiles(fits_one_of, "sqlite")
def _fits_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    name, patterns = (compiler.process(each, **kw) for each in element.clauses)
    array = f"""'["' || replace({patterns}, ' ', '","') || '"]'"""
    return (
        f"EXISTS (SELECT 1 FROM json_each({array}) AS pattern WHERE {_fits(name, 'pattern.value', 'instr')})"
    )


def some(*conditions: ColumnElement[bool], of: Sequence[FromClause] = ()) -> ColumnElement[bool]:
    """Is there a row like this?  Means the same as EXISTS, but is asked for one row after the other, by an index.

    Of EXISTS, PostgreSQL may make a join, or a hash of the whole table behind it, when it believes that there are many
    to ask for; of a single value it never does.  `of`: the outer tables that are spoken of, when they are further out
    than the next `select`.
    """
    one: ColumnElement[int] = literal_column("1")
    chosen = select(one).where(*conditions).limit(one)
    return (chosen.correlate(*of) if of else chosen).scalar_subquery().is_not(None)


class together(FunctionElement[str]):
    """An aggregate: the texts of all rows, with a space between two; null for none.

    SQLAlchemy's own writes the separator at every execution, so that no statement with it would be compiled only once.
    """

    type = Text()
    inherit_cache = True
    name = "together"


@compiles(together, "postgresql")
def _together_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **kw)}, ' ')"


@compiles(together, "sqlite")
def _together_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **kw)}, ' ')"


class now_us(FunctionElement[int]):
    """The database's time in microseconds since the epoch; it moves on inside a transaction."""

    type = BigInteger()
    inherit_cache = True
    name = "now_us"


@compiles(now_us, "postgresql")
def _now_postgresql(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


@compiles(now_us, "sqlite")
def _now_sqlite(_element: Any, _compiler: Any, **_kw: Any) -> str:
    # SQLite 3.40 has no sub-second unixepoch(); julianday carries milliseconds.
    return "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"


class folded(FunctionElement[str]):
    """Text as `LIKE` is to see it when case does not count.

    SQLite's LIKE takes the letters of ASCII as equal, which is all that its lower() folds too: text that it would copy for
    each row first makes a walk take two and a half times as long.
    """

    type = Text()
    inherit_cache = True
    name = "folded"


@compiles(folded, "postgresql")
def _folded_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(folded, "sqlite")
def _folded_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)})"


class perhaps(FunctionElement[bool]):
    """Whether a column is LIKE a pattern as it is, where that is quicker than to fold the column first; always true where
    it is not."""

    type = Boolean()
    inherit_cache = True
    name = "perhaps"


@compiles(perhaps, "postgresql")
def _perhaps_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, pattern = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} LIKE {pattern} ESCAPE '/'"


@compiles(perhaps, "sqlite")
def _perhaps_sqlite(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "1"


_CASELESS = re.compile(r"[\x00-@\[-`{-\x7f]+")
"""What has no case in any alphabet, and nothing else becomes when it is folded."""


def holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """`column` has `text` in it, whatever the case.

    Most rows are passed over by what of the text has no case: to fold a column takes longer than to read it.
    """
    whole: ColumnElement[bool] = folded(column).contains(text.lower(), autoescape=True)
    if not text.isascii():  # letters that this engine, or this column, may not fold
        whole = or_(whole, column.contains(text, autoescape=True))
    rigid = max(_CASELESS.findall(text), key=len, default="")
    pattern = re.sub("[/%_]", r"/\g<0>", rigid)
    return and_(perhaps(column, literal(f"%{pattern}%", Text())), whole) if rigid else whole
