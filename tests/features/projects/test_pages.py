"""A page of a list takes as many statements whatever is on it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairway.features.projects.model import Change
from fairway.features.projects.store import members, projects
from fairway.features.quotas import store as quotas
from fairway.frame.access.principals import User
from fairway.frame.access.roles import Role
from fairway.frame.db import Database
from features.projects.test_store import add_repository, person, project


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self.db, name)


List = Callable[[Any, User, int], Awaitable[tuple[list[Any], int]]]
LISTS: dict[str, List] = {
    "projects": lambda conn, who, limit: projects.listed(conn, who, {}, offset=0, limit=limit),
    "members": lambda conn, who, limit: members.listed(conn, 1, offset=0, limit=limit),
    "quotas": lambda conn, who, limit: quotas.listed(conn, {}, offset=0, limit=limit),
}


@pytest.mark.parametrize("what", LISTS)
async def test_a_page_takes_as_many_statements_whatever_is_on_it(db: Database, what: str) -> None:
    admin = await person(db, "admin", sysadmin=True)
    wanted = Change(settings={"severity": "low"})
    for n in range(8):
        made = await project(db, f"p{n}", admin)
        await add_repository(db, made, "app")
        await db.write(lambda conn, p=made: projects.change(conn, p, wanted, admin))
        joins = await person(db, f"u{n}")
        await db.write(lambda conn, u=joins.id: members.add(conn, 1, u, Role.GUEST, admin))
    taken = []
    for limit in (1, 8):
        counting = Counting(db)
        found, _ = await LISTS[what](counting, admin, limit)
        assert len(found) == limit
        taken.append(counting.asked)
    assert taken[0] == taken[1] <= 4
