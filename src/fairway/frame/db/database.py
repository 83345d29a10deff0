"""What a feature's store.py sees of a database: a connection to ask, and transactions to write in.

A transaction's body is an async function that awaits nothing but its connection, and may be run again:

```python
async def body(conn: Conn) -> int:
    return await conn.run(RENAME, id=7, name="new")


await db.write(body)
```

On SQLite the body is driven on the writer thread and must never suspend; on PostgreSQL it may be retried after a
serialization failure.  Both rules keep "no transaction is open while bytes flow" true by construction.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy.sql.base import Executable

from fairway.core.oci.errors import BadRequest, FairwayError

T = TypeVar("T")
Row = Mapping[str, Any]


class UniqueViolation(FairwayError):
    """A row with this key exists already.  Features turn it into their own words."""

    code = "CONFLICT"


class ReferenceViolation(FairwayError):
    """A row that another one needs is gone, such as the project of a push.  Features turn it into their own words."""

    code = "CONFLICT"


class TooBroad(BadRequest):
    """A list's filter that looks at more rows than there is time for.  To ask again would not help."""

    def __init__(self) -> None:
        super().__init__(
            "this looks at more than there is time for; narrow it: filter by another field too, or look into one project"
        )


class Conn(Protocol):
    """One connection, inside or outside a transaction.  Parameters are named as in the statement."""

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        """Every row."""

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        """The first row, or None."""

    async def scalar(self, statement: Executable, /, **params: Any) -> Any:
        """The first column of the first row, or None."""

    async def run(self, statement: Executable, /, **params: Any) -> int:
        """Execute; the number of rows it changed."""

    async def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]], /) -> None:
        """Execute once per row of parameters, in one round trip.  Only inside `write`."""


Body = Callable[[Conn], Awaitable[T]]


class Database(Conn, Protocol):
    """A pool or file.  Called directly, each statement is its own read; see `read` and `write` for more.

    Made, it has no file, thread or connection yet, and a process that forks may pass it on; whoever uses it opens it.
    """

    dialect: str
    """`sqlite` or `postgresql`."""

    async def open(self) -> Self:
        """Connect; the schema must be there already.  Once, before anything else.  Raises Unavailable."""

    async def read(self, body: Body[T]) -> T:
        """Run `body` on one connection whose statements see one snapshot.  Raises Unavailable."""

    async def walk(self, body: Body[T]) -> T:
        """The same for what may look at very many rows, such as a list that somebody filters: nobody else waits for it.

        Raises TooBroad when it takes too long, and Unavailable.
        """

    async def write(self, body: Body[T], *, soft: bool = False) -> T:
        """Run `body` in a transaction and commit it durably; `soft` commits may be lost in a power cut, never torn.

        Raises what `body` raises (nothing is then written), UniqueViolation, ReferenceViolation, or Unavailable.
        """

    async def check(self) -> None:
        """Return when it answers and can be written to.  Raises Unavailable."""

    async def close(self) -> None:
        """Finish what is queued and let go of every connection."""
