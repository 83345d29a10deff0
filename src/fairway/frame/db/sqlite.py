"""SQLite: reads on the event loop, writes on one thread with group commit, walks on a few threads of their own.

Theory of operation.  A read takes 7–20 µs, less than handing it to another thread, so it runs where it is asked.
Writes queue for the writer thread, which takes all that wait, opens one BEGIN IMMEDIATE, runs each body under its own
savepoint and commits once: a hundred pushes pay for one fsync.  A body that fails takes only its own savepoint back.
If the COMMIT itself fails, every body of the group fails and none is acknowledged.  After an I/O error nobody knows
which part of the log is on the disk, and later syncs would not tell: all of it goes into the database file before
anything more is built on it.

Other processes (further web workers, the background process) have their own writer thread; SQLite's lock lets one
group at a time through.  A process that gives way (the background's) rests for as long as its last group took, whenever
others have written since: half of the time is theirs.  Where nobody else writes it does not rest.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.sql.base import Executable

from fairway.core.oci.errors import Unavailable
from fairway.frame.db.database import Body, Row, TooBroad
from fairway.frame.db.sqlite_errors import translated
from fairway.frame.db.statements import Compiler
from fairway.frame.db.walks import Line

T = TypeVar("T")

GROUP = 64
"""Bodies committed together at most: bounds how long the first of them waits."""
CHECKPOINT_AFTER = 200
"""Bodies after which the writer moves what is in the log to the database file: some megabytes."""
CHECKPOINT_ROWS = 10_000
"""Changed rows after which it does so sooner: bodies that change many, all over a large database, fill the log fast."""
LOG_BYTES = 64 << 20
"""What the log is cut to when it begins anew, should it ever have grown beyond."""
BUSY_SECONDS = 15.0
"""How long a write waits for another process's group before it is refused with 503."""
MOST_REST = 0.25
"""Seconds that a process which gives way rests after a group at most."""
LOOK_SECONDS = 0.001
"""How often it looks meanwhile.  SQLite itself would look ever more seldom, and miss the moments that a busy process leaves."""

WALKERS = 3
"""Threads that walk through many rows for one process, beside the event loop."""
WALK_STEPS = 100_000
"""Instructions of SQLite, some milliseconds of them, after which a walk looks at the clock."""


class SqliteConn:
    """A sqlite3 connection with the Conn face.  Its coroutines never suspend."""

    def __init__(self, raw: sqlite3.Connection, compiler: Compiler) -> None:
        self.raw = raw
        self._compiler = compiler

    def _execute(self, statement: Executable, params: Mapping[str, Any]) -> sqlite3.Cursor:
        compiled = self._compiler.compile(statement, params)
        try:
            return self.raw.execute(compiled.sql, compiled.arguments(params))
        except sqlite3.Error as error:
            raise translated(error) from error

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        return cast(list[Row], self._execute(statement, params).fetchall())

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        cursor = self._execute(statement, params)
        row = cursor.fetchone()
        cursor.close()
        return cast(Row | None, row)

    async def scalar(self, statement: Executable, /, **params: Any) -> Any:
        row = cast(Any, await self.first(statement, **params))
        return None if row is None else row[0]

    async def run(self, statement: Executable, /, **params: Any) -> int:
        cursor = self._execute(statement, params)
        if cursor.description is not None:  # RETURNING: the statement is done only when its rows are read
            return len(cursor.fetchall())
        return cursor.rowcount

    async def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]], /) -> None:
        for row in rows:
            self._execute(statement, row)


def connect(path: Path, *, writer: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    raw.row_factory = sqlite3.Row
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA cache_size=-8000")
    raw.execute("PRAGMA temp_store=MEMORY")
    if writer:
        # SQLite's own checkpoint runs before COMMIT answers, and keeps to itself that the disk failed.
        raw.execute("PRAGMA wal_autocheckpoint=0")
        raw.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        raw.execute("PRAGMA busy_timeout=0")
    else:
        raw.execute("PRAGMA query_only=ON")
    return raw


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends.  Raises RuntimeError for one that does: it awaited more than its connection."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    coroutine.close()
    raise RuntimeError("a transaction's body may await nothing but its connection")


class _Work:
    """One body waiting for the writer, and who waits for it."""

    __slots__ = ("body", "future", "loop", "outcome", "soft")

    def __init__(self, body: Body[Any], soft: bool) -> None:
        self.body = body
        self.soft = soft
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.outcome: Callable[[], None] | None = None

    def succeed(self, value: Any) -> None:
        self.outcome = lambda: None if self.future.done() else self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        self.outcome = lambda: None if self.future.done() else self.future.set_exception(error)

    def tell(self) -> None:
        assert self.outcome is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self.outcome)


class _Writer(threading.Thread):
    """The only thread of this process that writes."""

    def __init__(self, path: Path, compiler: Compiler, *, gives_way: bool) -> None:
        super().__init__(name="sqlite-writer", daemon=True)
        self.inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._raw = connect(path, writer=True)
        self._conn = SqliteConn(self._raw, compiler)
        self._closing = False
        self._soft = False
        self._log_in_doubt = False
        self._since_checkpoint = 0
        self._rows_at_checkpoint = 0
        self._gives_way = gives_way
        self._version = 0
        self._began = self._ended = 0.0

    def run(self) -> None:
        while not self._closing:
            group: list[_Work] = []
            self._take(group, self.inbox.get())
            if group:
                self._commit(group)
                self._checkpoint(len(group))
                self._ended = time.monotonic()
        self._raw.close()

    def _take(self, group: list[_Work], work: _Work | None) -> None:
        if work is None:
            self._closing = True
        else:
            group.append(work)

    def _gather(self, group: list[_Work]) -> None:
        """Add what waits."""
        with contextlib.suppress(queue.Empty):
            while len(group) < GROUP and not self._closing:
                self._take(group, self.inbox.get_nowait())

    def _checkpoint(self, bodies: int) -> None:
        self._since_checkpoint += bodies
        rows = self._raw.total_changes
        if self._since_checkpoint < CHECKPOINT_AFTER and rows - self._rows_at_checkpoint < CHECKPOINT_ROWS:
            return
        self._since_checkpoint, self._rows_at_checkpoint = 0, rows
        try:
            self._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:  # told to whoever writes next, if the new log cannot be begun either
            self._heard(error)

    def _heard(self, error: BaseException | None) -> None:
        """Of an I/O error the kernel tells once: what is in the log may not be on the disk."""
        while error is not None:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR"):
                self._log_in_doubt = True
            error = error.__cause__

    def _commit(self, group: list[_Work]) -> None:
        try:
            if self._log_in_doubt:
                self._begin_new_log()
            self._begin(group)
            for work in group:
                self._run_one(work, alone=len(group) == 1)
            if self._raw.in_transaction:
                self._raw.execute("COMMIT")
        except BaseException as error:  # the writer must outlive anything, and everybody must hear
            if self._raw.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._raw.execute("ROLLBACK")
            self._heard(error)
            told = translated(error) if isinstance(error, sqlite3.Error) else error
            for work in group:
                work.fail(told)
        for work in group:
            work.tell()

    def _begin(self, group: list[_Work]) -> None:
        """Begin a transaction; who comes while another process has the lock joins the group."""
        if self._gives_way:
            self._rest()
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            self._gather(group)
            self._durability(soft=all(work.soft for work in group))
            try:
                self._raw.execute("BEGIN IMMEDIATE")
                self._began = time.monotonic()
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_SECONDS)

    def _rest(self) -> None:
        """Leave the lock and the disk to others for as long as we had them, if there are any."""
        # Another one each time that another connection has committed.
        [version] = self._raw.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            rest = self._ended + min(self._ended - self._began, MOST_REST) - time.monotonic()
            if rest > 0:
                time.sleep(rest)

    def _begin_new_log(self) -> None:
        self._raw.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
        try:
            self._truncate()
        finally:
            self._raw.execute("PRAGMA busy_timeout=0")

    def _truncate(self) -> None:
        [busy, *_] = self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Unavailable("the database is recovering from an I/O error; try again", retry_after=2)
        self._log_in_doubt = False

    def _durability(self, *, soft: bool) -> None:
        if soft != self._soft:
            self._raw.execute("PRAGMA synchronous=NORMAL" if soft else "PRAGMA synchronous=FULL")
            self._soft = soft

    def _run_one(self, work: _Work, *, alone: bool) -> None:
        if alone:
            try:
                work.succeed(drive(cast(Coroutine[Any, Any, Any], work.body(self._conn))))
            except Exception as error:
                self._heard(error)
                work.fail(error)
                if self._raw.in_transaction:
                    self._raw.execute("ROLLBACK")
            return
        self._raw.execute("SAVEPOINT one")
        try:
            work.succeed(drive(cast(Coroutine[Any, Any, Any], work.body(self._conn))))
        except Exception as error:
            if not self._raw.in_transaction:
                raise  # SQLite gave up the whole transaction (disk full, I/O error)
            self._heard(error)
            work.fail(error)
            self._raw.execute("ROLLBACK TO one")
        self._raw.execute("RELEASE one")


class _Walkers:
    """Reads that may take long, on threads and connections of their own; SQLite lets go of the interpreter meanwhile."""

    def __init__(self, path: Path, compiler: Compiler, seconds: float) -> None:
        self._path, self._compiler, self._seconds = path, compiler, seconds
        # They begin when there is something to do.
        self._threads = ThreadPoolExecutor(WALKERS, "sqlite-walker")
        self._mine = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._line = Line()
        self._closing = False

    async def walk(self, body: Body[T]) -> T:
        closed = Unavailable("the database is closed", retry_after=2)
        if self._closing:
            raise closed
        try:
            with self._line.place():
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._walk, body)
        except TooBroad:
            if self._closing:
                raise closed from None
            raise

    def _walk(self, body: Body[T]) -> T:
        try:
            if not hasattr(self._mine, "raw"):
                self._mine.raw = connect(self._path, writer=False)
                self._opened.append(self._mine.raw)
            return self._drive(self._mine.raw, body)
        except sqlite3.Error as error:  # no file can be opened any more, or while rows were fetched
            raise translated(error) from error

    def _drive(self, raw: sqlite3.Connection, body: Body[T]) -> T:
        deadline = time.monotonic() + self._seconds
        raw.set_progress_handler(lambda: self._closing or time.monotonic() > deadline, WALK_STEPS)
        try:
            raw.execute("BEGIN")
            return drive(cast(Coroutine[Any, Any, T], body(SqliteConn(raw, self._compiler))))
        finally:
            raw.set_progress_handler(None, 0)
            if raw.in_transaction:
                raw.execute("COMMIT")

    async def close(self) -> None:
        self._closing = True
        await asyncio.to_thread(self._threads.shutdown)
        for raw in self._opened:
            raw.close()


class SqliteDatabase:
    """One file.  Use from one event loop."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, gives_way: bool = False, walk_seconds: float = 5.0) -> None:
        self._path, self._gives_way, self._walk_seconds = path, gives_way, walk_seconds
        self._closed = False

    async def open(self) -> Self:
        compiler = Compiler(dialect.dialect())
        self._writer = _Writer(self._path, compiler, gives_way=self._gives_way)
        self._writer.start()
        self._raw = connect(self._path, writer=False)
        self._reader = SqliteConn(self._raw, compiler)
        self._walkers = _Walkers(self._path, compiler, self._walk_seconds)
        self.walk = self._walkers.walk
        self.all, self.first, self.scalar = self._reader.all, self._reader.first, self._reader.scalar
        return self

    async def run(self, statement: Executable, /, **params: Any) -> int:
        return await self.write(lambda conn: conn.run(statement, **params))

    async def many(self, statement: Executable, rows: Sequence[Mapping[str, Any]], /) -> None:
        await self.write(lambda conn: conn.many(statement, rows))

    async def read(self, body: Body[T]) -> T:
        self._raw.execute("BEGIN")
        try:
            return drive(cast(Coroutine[Any, Any, T], body(self._reader)))
        finally:
            if self._raw.in_transaction:
                self._raw.execute("COMMIT")

    async def write(self, body: Body[T], *, soft: bool = False) -> T:
        if self._closed:
            raise Unavailable("the database is closed", retry_after=2)
        work = _Work(body, soft)
        self._writer.inbox.put(work)
        # Shielded: a caller that is cancelled (client gone) must not be taken for one whose write was undone.
        return cast(T, await asyncio.shield(work.future))

    async def check(self) -> None:
        try:
            self._raw.execute("SELECT 1").fetchone()
        except sqlite3.Error as error:
            raise translated(error) from error

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._walkers.close()
            self._writer.inbox.put(None)
            await asyncio.to_thread(self._writer.join)
            self._raw.close()
