"""What every request of a robot asks, and its lists, are answered by indexes however many robots there are."""

import json
from typing import Any

import pytest

from fairway.features.robots import store
from fairway.frame.db import Database
from frame.db.plans import plan

ASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "by id": (store._BY_ID, {"id": 7}),
    "by name, of the system level": (store._OF_SYSTEM, {"name": "ci"}),
    "by name, of a project": (store._OF_PROJECT, {"project": "team", "name": "ci"}),
    "what it holds": (store._GRANTS, {"robot": 7}),
    "what many hold": (store._ACCESS, {"robots": json.dumps([7, 8])}),
    "what it held, to be revoked": (store._REVOKE, {"robot": 7}),
    "a page of a project's": (
        store._ROBOT.where(store.robots.c.project_id == 5).order_by(*store._LISTING.order()).limit(10),
        {},
    ),
    "a page of the system level's": (
        store._ROBOT.where(store.robots.c.project_id.is_(None)).order_by(*store._LISTING.order()).limit(10),
        {},
    ),
}


@pytest.mark.parametrize("what", ASKED)
async def test_no_table_is_walked_through(db: Database, what: str) -> None:
    statement, given = ASKED[what]
    found = await plan(db, statement, **given)
    for table in ("robots", "robot_permissions", "projects"):
        walks = (f"SCAN {table}'", f"SCAN {table})", f"Seq Scan on {table} ")
        assert not any(walk in found for walk in walks), found
    assert "SEARCH" in found or "Index" in found, found


async def test_robots_are_sorted_by_the_index_they_are_found_by(db: Database) -> None:
    for what in ("a page of a project's", "a page of the system level's"):
        statement, given = ASKED[what]
        found = await plan(db, statement, **given)
        assert "USE TEMP B-TREE FOR ORDER BY" not in found, found
