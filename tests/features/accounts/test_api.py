"""`/api/v2.0/users` as Harbor's clients use it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from fairway.features.audit import store as audit
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log, members, users
from fairway.frame.events import hand_over
from stories.asgi import Answer
from stories.world import PASSWORD, Person, World

USERS = "/api/v2.0/users"
NEW = {"username": "carol", "password": "Another-1-secret", "email": "carol@example.com", "realname": "Carol"}


async def ask(person: Person, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} if body is not None else {}
    return await person(method, f"{USERS}{path}", raw, headers=headers)


@pytest.fixture
async def admin(world: World) -> Person:
    return await world.person("boss", sysadmin=True)


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


async def test_one_is_made_found_changed_and_deleted(world: World, admin: Person) -> None:
    made = await ask(admin, "POST", "", NEW)
    assert (made.status, made.body) == (201, b"")
    place = made["location"]
    id = int(place.removeprefix(f"{USERS}/"))
    found = (await ask(admin, "GET", f"/{id}")).json
    assert found.keys() == {
        *("user_id", "username", "email", "realname", "comment", "sysadmin_flag", "admin_role_in_auth"),
        *("creation_time", "update_time"),
    }
    assert (found["user_id"], found["username"], found["email"]) == (id, "carol", "carol@example.com")
    profile = {"email": "c@example.com", "realname": "C.", "comment": "left-handed"}
    assert (await ask(admin, "PUT", f"/{id}", profile)).status == 200
    found = (await ask(admin, "GET", f"/{id}")).json
    assert {name: found[name] for name in profile} == profile
    assert (await ask(admin, "DELETE", f"/{id}")).status == 200
    for method, path, body in (
        ("GET", f"/{id}", None),
        ("PUT", f"/{id}", profile),
        ("DELETE", f"/{id}", None),
        ("PUT", f"/{id}/sysadmin", {"sysadmin_flag": True}),
        ("PUT", f"/{id}/password", {"new_password": "Third-1-secret"}),
    ):
        assert (await ask(admin, method, path, body)).status == 404
    again = await ask(admin, "POST", "", NEW)
    assert again.status == 201  # the name is free
    assert again["location"] != place  # the id is not


async def test_who_is_deleted_is_out_at_once_and_of_every_project(
    world: World, admin: Person, alice: Person
) -> None:
    await world.project("team", alice)
    assert (await ask(alice, "GET", "/current")).status == 200
    assert (await ask(admin, "DELETE", f"/{alice.id}")).status == 200
    assert (await ask(alice, "GET", "/current")).status == 401
    assert await world.rows(members) == []
    answer = await admin("GET", "/api/v2.0/projects/team")
    assert answer.json["owner_name"] == f"alice#{alice.id}"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"username": ""}, 400),
        ({"username": "a,b"}, 400),
        ({"username": "a\nb"}, 400),
        ({"password": "short1A"}, 400),
        ({"password": "all-lower-case-1"}, 400),
        ({"password": "Harbor12345"}, 400),
        ({"email": "nobody"}, 400),
        ({"comment": "x" * 31}, 400),
        ({"realname": "x" * 256}, 400),
        ({"username": "alice"}, 409),
        ({"username": 7}, 422),
    ],
)
async def test_what_cannot_be_made_is_refused(
    world: World, admin: Person, alice: Person, wrong: dict[str, Any], status: int
) -> None:
    before = len(await world.rows(users))
    answer = await ask(admin, "POST", "", {**NEW, **wrong})
    assert answer.status == status, answer.body
    assert len(await world.rows(users)) == before
    assert NEW["password"] not in answer.body.decode()


async def test_fields_that_are_not_for_clients_are_ignored(world: World, admin: Person) -> None:
    body = {**NEW, "sysadmin_flag": True, "user_id": 1, "enabled": False, "password_hash": "x"}
    place = (await ask(admin, "POST", "", body))["location"]
    found = (await admin("GET", place)).json
    assert (found["sysadmin_flag"], found["user_id"] != 1) == (False, True)


async def test_a_list_has_pages_filters_and_an_order(world: World, admin: Person, alice: Person) -> None:
    for name in ("bob", "bea"):
        assert (await ask(admin, "POST", "", {**NEW, "username": name})).status == 201

    async def names(query: str) -> list[str]:
        answer = await ask(admin, "GET", query)
        assert answer.status == 200, answer.body
        return [each["username"] for each in answer.json]

    everybody = await names("")
    assert everybody == sorted(everybody)
    assert {"alice", "bea", "bob", "boss"} <= set(everybody)
    assert await names("?q=username=~B&sort=-username") == ["boss", "bob", "bea"]
    assert await names("?q=sysadmin_flag=true,username=boss") == ["boss"]
    page = await ask(admin, "GET", "?q=username=~b&page=2&page_size=1")
    assert [each["username"] for each in page.json] == ["bob"]
    assert page["x-total-count"] == "3"
    assert 'rel="prev"' in page["link"]
    assert (await ask(admin, "GET", "?q=username")).status == 400
    assert (await ask(admin, "GET", "?page_size=101")).status == 422
    found = await ask(alice, "GET", "/search?username=be")
    assert [each["username"] for each in found.json] == ["bea"]
    assert found.json[0].keys() == {"user_id", "username"}
    assert found["x-total-count"] == "1"
    assert (await ask(alice, "GET", "/search")).status == 422


async def test_people_see_and_change_themselves_and_nobody_else(
    world: World, admin: Person, alice: Person
) -> None:
    bob = await world.person("bob")
    anonymous = world.anybody
    assert (await ask(alice, "GET", "/current")).json["username"] == "alice"
    assert (await ask(alice, "GET", f"/{alice.id}")).status == 200
    assert (await ask(alice, "PUT", f"/{alice.id}", {"email": "a@example.com"})).status == 200
    own = {"old_password": PASSWORD, "new_password": "Another-1-secret"}
    flag = {"sysadmin_flag": True}
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", NEW),
        ("GET", f"/{bob.id}", None),
        ("GET", f"/0{alice.id}", None),
        ("PUT", f"/{bob.id}", {"email": "x@example.com"}),
        ("PUT", f"/{bob.id}/password", own),
        ("PUT", f"/{alice.id}/sysadmin", flag),
        ("DELETE", f"/{bob.id}", None),
        ("DELETE", f"/{alice.id}", None),
    ):
        assert (await ask(alice, method, path, body)).status == 403, (method, path)
        assert (await ask(anonymous, method, path, body)).status == 401, (method, path)
    for path in ("/current", "/search?username=a", "/current/permissions"):
        assert (await ask(anonymous, "GET", path)).status == 401


async def test_a_password_is_changed_by_who_knows_the_old_one(
    world: World, admin: Person, alice: Person
) -> None:
    path, new = f"/{alice.id}/password", "Another-1-secret"
    wrong = await ask(alice, "PUT", path, {"old_password": "Wrong-1-secret", "new_password": new})
    assert wrong.status == 403
    same = await ask(alice, "PUT", path, {"old_password": PASSWORD, "new_password": PASSWORD})
    assert same.status == 400
    assert "the old one" in same.body.decode()
    weak = await ask(alice, "PUT", path, {"old_password": PASSWORD, "new_password": "weak"})
    assert weak.status == 400
    assert (await ask(alice, "PUT", path, {"old_password": PASSWORD, "new_password": new})).status == 200
    assert (await ask(alice, "GET", "/current")).status == 401
    changed = alice.saying(new)
    assert (await ask(changed, "GET", "/current")).status == 200
    # An administrator sets another's without knowing it, but shows their own for their own.
    assert (await ask(admin, "PUT", path, {"new_password": "Third-1-secret"})).status == 200
    assert (await ask(changed, "GET", "/current")).status == 401
    assert (await ask(admin, "PUT", f"/{admin.id}/password", {"new_password": new})).status == 403


async def test_administrators_come_and_go_but_one_stays(world: World, admin: Person, alice: Person) -> None:
    await world.run(users.update().where(users.c.username == "admin").values(sysadmin=False))
    down = {"sysadmin_flag": False}
    refused = await ask(admin, "PUT", f"/{admin.id}/sysadmin", down)
    assert refused.status == 403
    assert "make another one" in refused.body.decode()
    assert (await ask(admin, "DELETE", f"/{admin.id}")).status == 403
    assert (await ask(admin, "PUT", f"/{alice.id}/sysadmin", {"sysadmin_flag": True})).status == 200
    assert (await ask(alice, "GET", "")).status == 200
    assert (await ask(alice, "PUT", f"/{admin.id}/sysadmin", down)).status == 200
    assert (await ask(admin, "GET", "")).status == 403
    permissions = (await ask(alice, "GET", "/current/permissions")).json
    assert {"resource": "user", "action": "create"} in permissions
    assert (await ask(admin, "GET", "/current/permissions")).json == []


async def test_what_one_may_do_in_a_project_is_asked_for_by_its_scope(world: World, admin: Person) -> None:
    project = await world.project("team")
    guest = await world.member(project, "gerda", Role.GUEST)
    closed = await world.project("closed")
    asked = f"/current/permissions?scope=/project/{project}"
    held = (await ask(guest, "GET", f"{asked}&relative=true")).json
    assert {"resource": "repository", "action": "pull"} in held
    assert {"resource": ".", "action": "read"} in held
    assert {"resource": "repository", "action": "push"} not in held
    whole = (await ask(guest, "GET", asked)).json
    assert {"resource": f"/project/{project}", "action": "read"} in whole
    assert {"resource": f"/project/{project}/repository", "action": "pull"} in whole
    assert len(whole) == len(held)
    assert {"resource": "member", "action": "create"} in (
        await ask(admin, "GET", f"{asked}&relative=true")
    ).json
    for scope in (f"/project/{closed}", "/project/999", "/project/team", "/project/0", "/system", "nonsense"):
        assert (await ask(guest, "GET", f"/current/permissions?scope={scope}")).json == [], scope


async def test_the_first_account_stays(world: World, admin: Person) -> None:
    [first] = [row["id"] for row in await world.rows(users) if row["username"] == "admin"]
    assert (await ask(admin, "DELETE", f"/{first}")).status == 403


async def test_all_that_changes_is_audited_without_secrets(
    world: World, admin: Person, alice: Person
) -> None:
    place = (await ask(admin, "POST", "", NEW))["location"]
    id = place.rpartition("/")[2]
    await ask(admin, "PUT", f"/{id}", {"email": "x@example.com"})
    await ask(admin, "PUT", f"/{id}/password", {"new_password": "Third-1-secret"})
    await ask(admin, "PUT", f"/{id}/sysadmin", {"sysadmin_flag": True})
    await ask(admin, "DELETE", f"/{id}")
    await hand_over(
        world.db, {kind: [audit.write] for kind in ("user.created", "user.updated", "user.deleted")}
    )
    rows = await world.db.all(
        select(audit_log).where(audit_log.c.resource_type == "user").order_by(audit_log.c.id)
    )
    assert [(row["username"], row["operation"], row["resource"]) for row in rows] == [
        ("boss", operation, "carol") for operation in ("create", "update", "update", "update", "delete")
    ]
    assert "secret" not in str([tuple(row) for row in rows])
