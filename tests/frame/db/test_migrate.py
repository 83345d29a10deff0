"""The migrations and the tables say the same, on both engines; whoever comes first migrates, a newer schema is refused."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from fairway.core.oci.errors import Unavailable
from fairway.frame.db import migrations
from fairway.frame.db.migrate import SchemaUnknown, migrate, require_schema
from fairway.frame.db.tables import metadata
from postgres import Postgres


def differences(connection: object) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": False}
    )
    return list(compare_metadata(context, metadata))


def test_the_head_named_in_code_is_the_newest_revision() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == migrations.HEAD


def test_migrated_sqlite_has_exactly_the_tables_of_the_code(sqlite_template: Path) -> None:
    engine = create_engine(f"sqlite:///{sqlite_template}")
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


async def test_migrated_postgresql_has_exactly_the_tables_of_the_code(
    postgres: Postgres, postgres_template: str
) -> None:
    engine = create_async_engine(
        postgres.url(postgres_template).replace("postgresql", "postgresql+asyncpg", 1)
    )
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_many_starting_together_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fairway.db'}"
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(migrate, [url] * 4)) == [False, False, False, True]


def test_replicas_starting_together_migrate_postgresql_once(postgres: Postgres) -> None:
    url = postgres.create("together")
    try:
        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(migrate, [url] * 4)) == [False, False, False, True]
    finally:
        postgres.drop("together")


def test_a_newer_schema_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "fairway.db"
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaUnknown, match="newer Fairway"):
        migrate(f"sqlite:///{path}")
    with pytest.raises(SchemaUnknown, match="newer Fairway"):
        asyncio.run(require_schema(f"sqlite:///{path}"))


def test_a_file_that_is_not_there_or_not_ours_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SchemaUnknown, match=r"no database .*none\.db: say with --data-dir"):
        asyncio.run(require_schema(f"sqlite:///{tmp_path / 'none.db'}"))
    with pytest.raises(SchemaUnknown, match="run this as the user that the hub runs as"):
        asyncio.run(require_schema(f"sqlite:///{tmp_path}"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("query", ["?sslmode=disable", "?application_name=fairway&sslmode=prefer"])
def test_a_postgresql_url_may_carry_parameters_of_libpq(postgres: Postgres, query: str) -> None:
    url = postgres.create("parameters") + query
    try:
        assert migrate(url)
    finally:
        postgres.drop("parameters")


async def test_who_needs_the_schema_is_told_what_to_do_without_it(postgres: Postgres, tmp_path: Path) -> None:
    empty = postgres.create("empty")
    try:
        (tmp_path / "empty.db").touch()
        for url in (empty, f"sqlite:///{tmp_path / 'empty.db'}"):
            with pytest.raises(SchemaUnknown, match="fairway migrate"):
                await require_schema(url)
    finally:
        postgres.drop("empty")


def test_a_database_that_does_not_answer_is_told_in_words() -> None:
    with pytest.raises(Unavailable, match="FAIRWAY_DATABASE_URL"):
        migrate("postgresql://nobody@127.0.0.1:1/none")
