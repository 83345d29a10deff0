"""PostgreSQL through asyncpg: a small bounded pool, short transactions, retries on serialization failures.

READ COMMITTED with explicit row locks (in digest order) is what every statement here is written for.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeVar, cast

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.sql.base import Executable

from fairway.core.oci.errors import Unavailable
from fairway.frame.db.database import Body, Conn, ReferenceViolation, Row, TooBroad, UniqueViolation
from fairway.frame.db.statements import Compiler
from fairway.frame.db.walks import Line

T = TypeVar("T")

ATTEMPTS = 4
"""One try and at most three retries after a serialization failure or deadlock."""

_RETRY = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    ssl.SSLError,
)


class PostgresConn:
    """One asyncpg connection with the Conn face."""

    def __init__(self, raw: Any, compiler: Compiler) -> None:
        self.raw = raw
        self._compiler = compiler

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        compiled = self._compiler.compile(statement, params)
        return cast(list[Row], await self._heard(self.raw.fetch(compiled.sql, *compiled.arguments(params))))

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        compiled = self._compiler.compile(statement, params)
        return cast(
            Row | None, await self._heard(self.raw.fetchrow(compiled.sql, *compiled.arguments(params)))
        )

    async def scalar(self, statement: Executable, /, **params: Any) -> Any:
        compiled = self._compiler.compile(statement, params)
        return await self._heard(self.raw.fetchval(compiled.sql, *compiled.arguments(params)))

    async def run(self, statement: Executable, /, **params: Any) -> int:
        compiled = self._compiler.compile(statement, params)
        status: str = await self._heard(self.raw.execute(compiled.sql, *compiled.arguments(params)))
        return int(status.rpartition(" ")[2] or 0)

    async def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]], /) -> None:
        if rows:
            compiled = self._compiler.compile(statement, rows[0])
            arguments = [compiled.arguments(row) for row in rows]
            await self._heard(self.raw.executemany(compiled.sql, arguments))

    async def _heard(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except TimeoutError:
            # Not even the server's own time-out was heard of.  To ask it to cancel, and to roll back, would take as
            # long again each; closing the connection does both.
            self.raw.terminate()
            raise


async def _no_reset(_connection: Any) -> None:
    """Nothing here leaves session state behind, so a connection goes back without a round trip."""


class PostgresDatabase:
    """A bounded pool.  Use from one event loop."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool: int, statement_timeout_ms: int) -> None:
        self._url, self._size, self._statement_timeout_ms = url, pool, statement_timeout_ms
        self._wait = statement_timeout_ms / 1000
        self._walks = asyncio.Semaphore(max(pool // 2, 1))
        self._line = Line()
        self._compiler = Compiler(dialect.dialect())  # type: ignore[no-untyped-call]

    async def open(self) -> Self:
        """Connect at least once.  Raises Unavailable when the server does not answer."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._size,
                reset=_no_reset,
                command_timeout=self._wait + 1,
                timeout=10,
                max_inactive_connection_lifetime=300,
                statement_cache_size=500,
                server_settings={
                    "application_name": "fairway",
                    "statement_timeout": str(self._statement_timeout_ms),
                    "idle_in_transaction_session_timeout": "60000",
                    "timezone": "UTC",
                },
            )
        except (*_GONE, asyncpg.PostgresError) as error:
            raise Unavailable(
                f"the database cannot be reached ({type(error).__name__})", retry_after=2
            ) from error
        return self

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        async with self._pool.acquire(timeout=self._wait) as raw:
            try:
                yield raw
            except TimeoutError:
                with suppress(asyncpg.InterfaceError):  # it has been closed before
                    raw.terminate()  # BEGIN or COMMIT was not answered either
                raise

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        return await self._once("all", statement, params)  # type: ignore[no-any-return]

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        return await self._once("first", statement, params)  # type: ignore[no-any-return]

    async def scalar(self, statement: Executable, /, **params: Any) -> Any:
        return await self._once("scalar", statement, params)

    async def run(self, statement: Executable, /, **params: Any) -> int:
        return await self._once("run", statement, params)  # type: ignore[no-any-return]

    async def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]], /) -> None:
        await self.write(lambda conn: conn.many(statement, rows))

    async def _once(self, verb: str, statement: Executable, params: dict[str, Any]) -> Any:
        try:
            async with self._borrowed() as raw:
                return await getattr(PostgresConn(raw, self._compiler), verb)(statement, **params)
        except asyncpg.UniqueViolationError as error:
            raise UniqueViolation(error.constraint_name or "") from error
        except _GONE as error:
            raise await self._gone(error) from error

    async def read(self, body: Body[T]) -> T:
        try:
            async with self._borrowed() as raw, raw.transaction(isolation="repeatable_read", readonly=True):
                return await body(PostgresConn(raw, self._compiler))
        except _GONE as error:
            raise await self._gone(error) from error

    async def walk(self, body: Body[T]) -> T:
        async def planned(conn: Conn) -> T:
            # After five times the server may keep a plan that is made for no value in particular: of a text to look for
            # in a million names it makes something that takes a thousand times as long.
            await cast(PostgresConn, conn).raw.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            return await body(conn)

        try:
            with self._line.place():
                async with self._walks:  # the other connections are left to those who are quick
                    return await self.read(planned)
        except Unavailable as error:
            if isinstance(error.__cause__, asyncpg.QueryCanceledError):
                raise TooBroad from error
            raise

    async def write(self, body: Body[T], *, soft: bool = False) -> T:
        # Shielded for the same reason as on SQLite: cancellation must not leave a half-known commit.
        return await asyncio.shield(asyncio.ensure_future(self._write(body, soft)))

    async def _write(self, body: Body[T], soft: bool) -> T:
        for attempt in range(ATTEMPTS):
            try:
                async with self._borrowed() as raw, raw.transaction():
                    if soft:
                        await raw.execute("SET LOCAL synchronous_commit = off")
                    return await body(PostgresConn(raw, self._compiler))
            except _RETRY as error:
                if attempt == ATTEMPTS - 1:
                    raise await self._gone(error) from error
                await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)
            except asyncpg.UniqueViolationError as error:
                raise UniqueViolation(error.constraint_name or "") from error
            except asyncpg.ForeignKeyViolationError as error:
                raise ReferenceViolation(error.constraint_name or "") from error
            except _GONE as error:
                raise await self._gone(error) from error
        raise AssertionError("unreachable")

    async def check(self) -> None:
        try:
            async with self._borrowed() as raw:
                # Where a connection points that was made before a failover, the old primary may be a standby now.
                if await raw.fetchval("SELECT current_setting('transaction_read_only')::bool"):
                    raise asyncpg.ReadOnlySQLTransactionError("the server is read-only")
        except _GONE as error:
            raise await self._gone(error) from error

    async def _gone(self, error: BaseException) -> Unavailable:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            await self._pool.expire_connections()  # the next ones go where the name points now
        # The driver's text may name hosts and users; the class is enough for a client, the cause is in the log.
        return Unavailable(
            f"the database cannot answer now ({type(error).__name__}); try again", retry_after=2
        )

    async def close(self) -> None:
        await self._pool.close()
