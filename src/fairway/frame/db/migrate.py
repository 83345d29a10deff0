"""Brings the schema to this code's revision, once, whoever starts first.

Several processes or replicas may start together: a lock (a file lock beside the SQLite file, an advisory lock on
PostgreSQL) lets one migrate while the others wait.  Each revision is one transaction, so a crash leaves a whole revision
or none.  A schema newer than the code is refused: an old replica must not write into a layout it does not know.
"""

import asyncio
import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairway.core.oci.errors import FairwayError, Unavailable
from fairway.frame.db import sqlite_path
from fairway.frame.db.migrations import HEAD

ADVISORY_LOCK = 0x6661697277617921
"""Any constant that no other program takes: "fairway!" in ASCII."""


class SchemaUnknown(FairwayError):
    """The database is not there, cannot be opened, or has another schema than this code's."""


async def require_schema(url: str) -> None:
    """Return if the database has this code's schema.  Raises SchemaUnknown, Unavailable."""
    path = sqlite_path(url)
    if path is not None:
        _require_file(path)
        revision = _sqlite_revision(path)
    else:
        import asyncpg

        try:
            raw = await asyncpg.connect(url, timeout=10)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _unreachable(error) from error
        try:
            revision = await _postgres_revision(raw)
        finally:
            await raw.close()
    _refuse_newer(revision)
    if revision != HEAD:
        raise SchemaUnknown(
            f"the database's schema is {revision or 'missing'}, this version needs {HEAD}: run `fairway migrate`, "
            "or the version of Fairway that wrote it"
        )


def _require_file(path: Path) -> None:
    """The database's file is there, and ours to read and write.  Raises SchemaUnknown."""
    try:
        path.open("r+b").close()
    except FileNotFoundError:
        raise SchemaUnknown(
            f"there is no database {path}: say with --data-dir (or FAIRWAY_DATA_DIR) where the hub keeps its data; "
            "a new hub makes it at its first start, `fairway serve`"
        ) from None
    except OSError as error:
        raise SchemaUnknown(
            f"the database {path} cannot be opened ({error.strerror}): run this as the user that the hub runs as"
        ) from error


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision > HEAD:
        raise SchemaUnknown(
            f"the database was written by a newer Fairway (its schema is {revision}, this version's is {HEAD}); "
            "use that version, or restore a backup made before it"
        )


def migrate(url: str) -> bool:
    """Upgrade the database behind `url`; True when something changed.  Raises SchemaUnknown."""
    path = sqlite_path(url)
    if path is None:
        return asyncio.run(_migrate_postgres(url))
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _file_lock(path.with_name(path.name + ".migrate-lock")):
        revision = _sqlite_revision(path)
        if revision == HEAD:
            return False  # without importing alembic: a restart should be quick
        _refuse_newer(revision)
        _migrate_sqlite(path)
        return True


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sqlite_revision(path: Path) -> str | None:
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return row[0] if row else None


def _migrate_sqlite(path: Path) -> None:
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _manual_transactions(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not commit behind DDL's back
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        _upgrade(connection)
    engine.dispose()


async def _migrate_postgres(url: str) -> bool:
    import asyncpg

    try:
        raw = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unreachable(error) from error
    try:
        await raw.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        revision = await _postgres_revision(raw)
        if revision == HEAD:
            return False
        _refuse_newer(revision)
        await _upgrade_postgres(url)
        return True
    finally:
        await raw.close()  # which also lets the advisory lock go


def _unreachable(error: BaseException) -> Unavailable:
    name = type(error).__name__
    return Unavailable(
        f"the database cannot be reached ({name}); check FAIRWAY_DATABASE_URL and that it runs", retry_after=5
    )


async def _postgres_revision(raw: Any) -> str | None:
    if await raw.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision: str | None = await raw.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def _upgrade_postgres(url: str) -> None:
    import asyncpg
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    # asyncpg reads the URL itself, as everywhere: SQLAlchemy would not understand its parameters.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade)
    await engine.dispose()


def _upgrade(connection: Any) -> None:
    # It lists its plugins at every start; that something was migrated is said by whoever called.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
        connection.commit()
    except CommandError as error:
        raise SchemaUnknown(
            f"the database was written by a newer Fairway ({error}); start that version, or restore a backup made before it"
        ) from error
