"""Rows that are there when the schema changes are there afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from fairway.frame.db import migrations
from postgres import Postgres

FOLDER = str(Path(migrations.__file__).parent)
USER = """INSERT INTO users (id, username, password_hash, sysadmin, created_at, updated_at)
    VALUES (:id, :name, '', false, 1, 1)"""
PROJECT = """INSERT INTO projects (id, name, public, owner_id, created_at, updated_at)
    VALUES (:id, :name, false, :id, 1, 1)"""
MEMBERS = [(1, 1, 1, 5), (1, 2, 3, 4), (2, 2, 1, 6)]
"""Project, user, role, moment."""


def move(connection: Connection, how: Callable[..., None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", FOLDER)
    config.attributes["connection"] = connection
    how(config, revision)
    connection.commit()


def rows(connection: Connection, columns: str) -> list[tuple[Any, ...]]:
    found = connection.execute(text(f"SELECT {columns} FROM members ORDER BY created_at"))
    return [tuple(row) for row in found]


def members_get_ids(connection: Connection) -> None:
    before = ScriptDirectory(FOLDER).get_revision("0005").down_revision
    assert isinstance(before, str)
    move(connection, command.upgrade, before)
    for id in (1, 2):
        connection.execute(text(USER), {"id": id, "name": f"n{id}"})
        connection.execute(text(PROJECT), {"id": id, "name": f"n{id}"})
    for project, user, role, at in MEMBERS:
        connection.execute(
            text("INSERT INTO members (project_id, user_id, role, created_at) VALUES (:p, :u, :r, :a)"),
            {"p": project, "u": user, "r": role, "a": at},
        )
    move(connection, command.upgrade, "0005")
    by_age = sorted(MEMBERS, key=lambda member: member[3])
    assert rows(connection, "id, project_id, user_id, role, created_at") == [
        (n, *member) for n, member in enumerate(by_age, start=1)
    ]
    connection.execute(
        text("INSERT INTO members (project_id, user_id, role, created_at) VALUES (2, 1, 5, 7)")
    )
    assert rows(connection, "id")[-1] == (4,)
    move(connection, command.downgrade, before)
    assert rows(connection, "project_id, user_id, role, created_at") == [*by_age, (2, 1, 5, 7)]
    move(connection, command.upgrade, "0005")
    assert len(rows(connection, "id")) == 4


def test_members_get_ids_in_sqlite(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'fairway.db'}")
    with engine.connect() as connection:
        members_get_ids(connection)
    engine.dispose()


async def test_members_get_ids_in_postgresql(postgres: Postgres) -> None:
    url = postgres.create("members")
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg", 1))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(members_get_ids)
    finally:
        await engine.dispose()
        postgres.drop("members")


GROUP = """INSERT INTO user_groups (id, group_name, group_type, created_at, updated_at) VALUES (1, 'devs', 3, 1, 1)"""
JOINED = """INSERT INTO members (project_id, group_id, role, created_at) VALUES (1, 1, 3, 9)"""


def groups_become_members(connection: Connection) -> None:
    before = ScriptDirectory(FOLDER).get_revision("0010").down_revision
    assert isinstance(before, str)
    move(connection, command.upgrade, before)
    for id in (1, 2):
        connection.execute(text(USER), {"id": id, "name": f"n{id}"})
        connection.execute(text(PROJECT), {"id": id, "name": f"n{id}"})
    for project, user, role, at in MEMBERS:
        connection.execute(
            text("INSERT INTO members (project_id, user_id, role, created_at) VALUES (:p, :u, :r, :a)"),
            {"p": project, "u": user, "r": role, "a": at},
        )
    connection.execute(text("DELETE FROM members WHERE id = 2"))
    kept = rows(connection, "id, project_id, user_id, role, created_at")
    move(connection, command.upgrade, "0010")
    assert rows(connection, "id, project_id, user_id, role, created_at") == kept
    connection.execute(text(GROUP))
    connection.execute(text(JOINED))
    assert rows(connection, "id, user_id, group_id")[-1] == (4, None, 1)
    move(connection, command.downgrade, before)
    assert rows(connection, "id, project_id, user_id, role, created_at") == kept
    move(connection, command.upgrade, "0010")
    assert rows(connection, "id, project_id, user_id, role, created_at") == kept


def test_groups_become_members_in_sqlite(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'fairway.db'}")
    with engine.connect() as connection:
        groups_become_members(connection)
    engine.dispose()


async def test_groups_become_members_in_postgresql(postgres: Postgres) -> None:
    url = postgres.create("groups")
    engine = create_async_engine(url.replace("postgresql", "postgresql+asyncpg", 1))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(groups_become_members)
    finally:
        await engine.dispose()
        postgres.drop("groups")
