"""`/search`: what is found by a part of a name, for whom, and how."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.sql.base import Executable

from fairway.features.artifacts.store import search
from fairway.features.projects.api import search as api
from fairway.frame.access.principals import ANONYMOUS, Principal, User
from fairway.frame.access.roles import Role
from fairway.frame.db import Conn, Database, Row
from fairway.frame.db.tables import repositories
from features.projects.test_store import add_repository, join, person, project
from frame.db.plans import plan
from stories.world import Person, World, image

SEARCH = "/api/v2.0/search?q="


async def found(who: Person, q: str) -> tuple[list[str], list[str]]:
    answer = await who("GET", SEARCH + q)
    assert answer.status == 200, answer.body
    assert answer.json.keys() == {"project", "repository"}
    return (
        [each["name"] for each in answer.json["project"]],
        [each["repository_name"] for each in answer.json["repository"]],
    )


async def test_everybody_finds_what_they_may_see(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.project("web-team", alice)
    await world.project("web-shown", alice, public=True)
    hidden = await world.project("web-hidden")
    for name in ("web-team/app", "web-team/deep/er/app", "web-shown/nginx"):
        assert (await alice.push(f"{name}:v1", image(name))).status == 201
    assert (await world.admin.push("web-hidden/app:v1", image("hidden"))).status == 201
    own = ["web-team/app", "web-team/deep/er/app"]
    assert await found(world.anybody, "web") == (["web-shown"], ["web-shown/nginx"])
    assert await found(bob, "WEB") == (["web-shown"], ["web-shown/nginx"])
    assert await found(alice, "web") == (["web-shown", "web-team"], ["web-shown/nginx", *own])
    assert (await found(world.admin, "web"))[1] == ["web-hidden/app", "web-shown/nginx", *own]
    guest = await world.member(hidden, "guest", Role.LIMITED_GUEST)
    assert await found(guest, "hid") == (["web-hidden"], ["web-hidden/app"])
    for q, expected in (
        ("app", own),
        ("team%2F", own),
        ("team%2Fdeep", ["web-team/deep/er/app"]),
        ("eep%2Fer%2F", ["web-team/deep/er/app"]),
        ("web-team%2Fapp", ["web-team/app"]),
        ("team%2Fer", []),
        ("%2F", ["web-shown/nginx", *own]),
        ("", ["web-shown/nginx", *own]),
        ("%25", []),
        ("_", []),
        ("'%3B--", []),
        ("hidden", []),
    ):
        assert (await found(alice, q))[1] == expected, q


async def test_what_is_told_of_them(world: World) -> None:
    alice = await world.person("alice")
    team = await world.project("team", alice)
    for name in ("v1", "v2"):
        assert (await alice.push(f"team/app:{name}", image(name))).status == 201
    await alice.pull("team/app:v1")
    await world.parts.hub.pulls.flush()
    answer = (await alice("GET", SEARCH + "team")).json
    assert answer["project"] == [(await alice("GET", "/api/v2.0/projects/team")).json]
    assert answer["repository"] == [
        {
            "project_id": team,
            "project_name": "team",
            "project_public": False,
            "repository_name": "team/app",
            "pull_count": 1,
            "artifact_count": 2,
        }
    ]
    assert (await alice("GET", "/api/v2.0/search")).status == 422
    for q in ("a" * 256, "%00", "%0A"):
        assert (await alice("GET", SEARCH + q)).status == 422


async def test_an_answer_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST", 2)
    for name in ("p1", "p2", "p3"):
        made = await world.project(name)
        await add_repository(world.db, made, "app")
    assert await found(world.admin, "p") == (["p1", "p2"], ["p1/app", "p2/app"])
    monkeypatch.setattr(search, "CANDIDATES", 1)
    assert len((await found(world.admin, "app"))[1]) == 1


class Asked:
    """A connection that remembers what it was asked."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.asked: list[tuple[Executable, Mapping[str, Any]]] = []

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        self.asked.append((statement, params))
        return await self.conn.all(statement, **params)


async def test_names_are_read_from_an_index_and_only_what_is_found_from_the_table(db: Database) -> None:
    alice = await person(db, "alice")
    bob = await person(db, "bob")
    for n in range(5):
        made = await project(db, f"p{n}", alice, public=n == 1)
        rows = [{"project_id": made, "name": f"r{m}", "created_at": 0, "updated_at": 0} for m in range(100)]
        await db.write(lambda conn, rows=rows: conn.run(insert(repositories).values(rows)))
        if n == 2:
            await join(db, made, bob, Role.GUEST)
    root = User(alice.id, "alice", sysadmin=True)
    expected: list[tuple[Principal, str, int]] = [
        (root, "r77", 5),
        (bob, "r77", 2),
        (ANONYMOUS, "r77", 1),
        (root, "p2/r7", 11),
        (bob, "p3/r7", 0),
        (root, "no such", 0),
    ]
    for who, text, many in expected:
        conn: Any = Asked(db)
        rows = await search.repositories_named(conn, who, text, 50)
        assert len(rows) == many, (who, text)
        assert len(conn.asked) == (" " not in text)
        if db.dialect == "sqlite":
            for statement, params in conn.asked:
                how = await plan(db, statement, **params)
                assert (
                    "SCAN repositories USING COVERING INDEX" in how
                    or "SEARCH repositories USING COVERING" in how
                ), how
