"""Who belongs to a project: `/projects/{project}/members` as Harbor's clients use it."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from fairway.features.accounts.store import people
from fairway.features.projects.model import Member
from fairway.features.projects.store import members
from fairway.frame.access.roles import Role
from fairway.frame.db import Database, UniqueViolation
from fairway.frame.db.tables import outbox
from features.projects.test_store import person, project
from stories.asgi import Answer
from stories.world import Person, World

JSON = {"content-type": "application/json"}
TEAM = "/api/v2.0/projects/team/members"


async def ask(who: Person, method: str, target: str, body: dict[str, Any] | None = None) -> Answer:
    return await who(method, target, b"" if body is None else json.dumps(body).encode(), headers=JSON)


def named(name: str, role: int = 2) -> dict[str, Any]:
    return {"role_id": role, "member_user": {"username": name}}


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


async def test_a_member_is_added_shown_changed_and_removed(world: World, alice: Person) -> None:
    bob = await world.person("bob")
    assert (await bob("GET", "/api/v2.0/projects/team")).status == 403
    made = await ask(alice, "POST", TEAM, named("bob"))
    assert (made.status, made.body) == (201, b"")
    at = made["location"]
    assert at.startswith(f"{TEAM}/")
    shown = (await alice("GET", at)).json
    assert shown == {
        "id": int(at.rpartition("/")[2]),
        "project_id": (await alice("GET", "/api/v2.0/projects/team")).json["project_id"],
        "entity_id": bob.id,
        "entity_name": "bob",
        "entity_type": "u",
        "role_id": 2,
        "role_name": "developer",
    }
    assert (await bob("GET", "/api/v2.0/projects/team")).json["current_user_role_id"] == 2
    changed = await ask(alice, "PUT", at, {"role_id": 5})
    assert (changed.status, changed.body) == (200, b"")
    assert (await alice("GET", at)).json["role_name"] == "limitedGuest"
    removed = await alice("DELETE", at)
    assert (removed.status, removed.body) == (200, b"")
    assert (await bob("GET", "/api/v2.0/projects/team")).status == 403
    for method, body in (("GET", None), ("PUT", {"role_id": 1}), ("DELETE", None)):
        assert (await ask(alice, method, at, body)).short == (404, "NOT_FOUND")


async def test_what_cannot_be_added(world: World, alice: Person) -> None:
    bob = await world.person("bob")
    gone = await world.person("gone")
    await world.db.write(lambda conn: people.close(conn, gone.id))
    before = await world.rows(members.members)
    for body, status in (
        ({"role_id": 7, "member_user": {"username": "bob"}}, 400),
        ({"role_id": 0, "member_user": {"username": "bob"}}, 400),
        ({"member_user": {"username": "bob"}}, 400),
        ({"role_id": 2}, 400),
        ({"role_id": 2, "member_user": {}}, 400),
        ({"role_id": 2, "member_user": {"username": "b\0b"}}, 400),
        ({"role_id": 2, "member_user": {"user_id": -1}}, 400),
        ({"role_id": 2, "member_user": {"user_id": 10**400}}, 400),
        ({"role_id": 2, "member_group": {"group_name": "them"}}, 400),
        ({"role_id": "two", "member_user": {"username": "bob"}}, 422),
        (named("nobody"), 404),
        (named("gone"), 404),
        (named(f"gone#{gone.id}"), 404),
        ({"role_id": 2, "member_user": {"user_id": gone.id}}, 404),
        ({"role_id": 2, "member_user": {"user_id": 4711}}, 404),
        (named("alice"), 409),
        ({"role_id": 2, "member_user": {"user_id": alice.id}}, 409),
    ):
        assert (await ask(alice, "POST", TEAM, body)).status == status, body
    assert await world.rows(members.members) == before
    assert (await ask(alice, "POST", TEAM, {"role_id": 3, "member_user": {"user_id": bob.id}})).status == 201


async def test_a_list_is_by_name_filtered_and_paged(world: World, alice: Person) -> None:
    for name in ("bob", "carol", "bo_b"):
        await world.person(name)
        assert (await ask(alice, "POST", TEAM, named(name))).status == 201
    for query, names, total in (
        ("", ["alice", "bo_b", "bob", "carol"], 4),
        ("?entityname=BO", ["bo_b", "bob"], 2),
        ("?entityname=_", ["bo_b"], 1),
        ("?entityname=%25", [], 0),
        ("?page=2&page_size=3", ["carol"], 4),
        ("?page=9", [], 4),
    ):
        answer = await alice("GET", TEAM + query)
        assert [each["entity_name"] for each in answer.json] == names, query
        assert answer["x-total-count"] == str(total)
    assert 'rel="next"' in (await alice("GET", f"{TEAM}?page_size=3"))["link"]
    assert (await alice("GET", f"{TEAM}?entityname=%00")).status == 422


async def test_a_member_of_one_project_is_nobody_in_another(world: World, alice: Person) -> None:
    bob = await world.person("bob")
    await world.project("other", bob)
    [own] = (await alice("GET", TEAM)).json
    through = f"/api/v2.0/projects/other/members/{own['id']}"
    for method, body in (("GET", None), ("PUT", {"role_id": 5}), ("DELETE", None)):
        assert (await ask(bob, method, through, body)).status == 404
    assert (await alice("GET", TEAM)).json == [own]
    assert (await ask(alice, "PUT", f"{TEAM}/{own['id']}", {"role_id": 9})).status == 400


async def test_the_last_administrator_may_go_and_another_may_come(world: World, alice: Person) -> None:
    [own] = (await alice("GET", TEAM)).json
    assert (await alice("DELETE", f"{TEAM}/{own['id']}")).status == 200
    assert (await ask(alice, "POST", TEAM, named("alice", 1))).status == 403
    assert (await ask(world.admin, "POST", TEAM, named("alice", 1))).status == 201


async def test_each_change_is_recorded(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    team = await project(db, "team", alice)
    made = await db.write(lambda conn: members.add(conn, team, "bob", Role.GUEST, alice))
    assert made is not None
    assert await members.by_id(db, team, made) == Member(made, team, bob.id, "bob", Role.GUEST)
    await db.write(lambda conn: members.set_role(conn, team, made, Role.MAINTAINER, alice))
    await db.write(lambda conn: members.remove(conn, team, made, alice))
    rows = await db.all(select(outbox).order_by(outbox.c.id))
    told = [(row["kind"], json.loads(row["payload"])) for row in rows if row["kind"].startswith("member.")]
    assert [(kind, facts["role"]) for kind, facts in told] == [
        ("member.created", "guest"),
        ("member.updated", "maintainer"),
        ("member.deleted", "maintainer"),
    ]
    assert {(facts["project"], facts["name"], facts["by"]) for _, facts in told} == {("team", "bob", "alice")}


async def test_somebody_belongs_to_a_project_once_also_in_a_race(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    team = await project(db, "team", alice)
    adding = [db.write(lambda conn: members.add(conn, team, bob.id, Role.GUEST, alice)) for _ in range(6)]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, UniqueViolation) for outcome in outcomes) == 5
    assert await members.by_role(db, team) == {Role.PROJECT_ADMIN: 1, Role.GUEST: 1}
