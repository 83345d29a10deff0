"""Groups of people: `/usergroups` as Harbor's clients use it, who is in a group, and what they may do by it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy.sql.base import Executable

from fairway.features.accounts.model import HTTP, LDAP, OIDC, Group
from fairway.features.accounts.store import groups, people
from fairway.features.projects.model import GROUP, GroupRef
from fairway.features.projects.store import members, projects
from fairway.frame.access.roles import Role
from fairway.frame.db import Conn, Database, Row, UniqueViolation
from fairway.frame.db.tables import audit_log, user_group_members, user_groups
from fairway.frame.db.tables import members as member_rows
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.projects.test_store import person, project
from frame.db.plans import plan
from stories.asgi import Answer
from stories.world import Person, World, image

API = "/api/v2.0"
OWN = "/api/fairway/usergroups"
JSON = {"content-type": "application/json"}


async def ask(who: Person, method: str, target: str, body: dict[str, Any] | None = None) -> Answer:
    return await who(method, target, b"" if body is None else json.dumps(body).encode(), headers=JSON)


async def make(admin: Person, name: str, *people: Person, kind: int = OIDC) -> int:
    """A group with these people in it."""
    made = await ask(admin, "POST", f"{API}/usergroups", {"group_name": name, "group_type": kind})
    assert (made.status, made.body) == (201, b""), made.body
    at, _, number = made["location"].rpartition("/")
    assert at == f"{API}/usergroups"
    for each in people:
        added = await ask(admin, "POST", f"{OWN}/{number}/members", {"username": each.name})
        assert added.status == 201, added.body
        assert added["location"] == f"{OWN}/{number}/members/{each.id}"
    return int(number)


async def join(who: Person, project: str, group: int, role: Role) -> str:
    """Let a group belong to a project; where the membership is."""
    body = {"role_id": int(role), "member_group": {"id": group}}
    added = await ask(who, "POST", f"{API}/projects/{project}/members", body)
    assert (added.status, added.body) == (201, b""), added.body
    return added["location"]


class TestGroups:
    async def test_a_group_is_made_found_renamed_and_deleted(self, world: World) -> None:
        admin, bob = world.admin, await world.person("bob")
        number = await make(admin, "devs")
        at = f"{API}/usergroups/{number}"
        shown = {"id": number, "group_name": "devs", "group_type": OIDC, "ldap_group_dn": ""}
        assert (await admin("GET", at)).json == shown
        body = {"group_name": "developers", "group_type": 1, "ldap_group_dn": "ignored"}
        answer = await ask(admin, "PUT", at, body)
        assert (answer.status, answer.body) == (200, b"")
        assert (await admin("GET", at)).json == {**shown, "group_name": "developers"}
        found = await bob("GET", f"{API}/usergroups/search?groupname=VELOP")
        assert found.json == [{"id": number, "group_name": "developers", "group_type": OIDC}]
        assert found["x-total-count"] == "1"
        answer = await admin("DELETE", at)
        assert (answer.status, answer.body) == (200, b"")
        for method in ("GET", "PUT", "DELETE"):
            assert (await ask(admin, method, at, {"group_name": "x"})).short == (404, "NOT_FOUND")

    async def test_lists(self, world: World) -> None:
        admin = world.admin
        dn = "CN=Devs,OU=groups,DC=example,DC=com"
        for body in (
            {"group_name": "ops", "group_type": HTTP},
            {"group_name": "devs", "group_type": OIDC},
            {"group_name": "devs", "group_type": LDAP, "ldap_group_dn": dn},
            {"group_type": LDAP, "ldap_group_dn": "cn=unnamed,dc=example"},
        ):
            assert (await ask(admin, "POST", f"{API}/usergroups", body)).status == 201
        listed = await admin("GET", f"{API}/usergroups")
        assert [each["group_name"] for each in listed.json] == [
            "cn=unnamed,dc=example",
            "devs",
            "devs",
            "ops",
        ]
        by_dn = await admin("GET", f"{API}/usergroups?ldap_group_dn={dn.upper().replace('=', '%3D')}")
        assert [each["ldap_group_dn"] for each in by_dn.json] == [dn.lower()]
        by_name = await admin("GET", f"{API}/usergroups?group_name=EV&page_size=1")
        assert ([each["group_name"] for each in by_name.json], by_name["x-total-count"]) == (["devs"], "2")
        assert 'rel="next"' in by_name["link"]
        assert (await admin("GET", f"{API}/usergroups/search")).status == 422

    async def test_what_cannot_be_made(self, world: World) -> None:
        number = await make(world.admin, "devs")
        other = await make(world.admin, "others")
        dn = {"group_name": "dirs", "group_type": LDAP, "ldap_group_dn": "cn=x,dc=y"}
        assert (await ask(world.admin, "POST", f"{API}/usergroups", dn)).status == 201
        before = await world.stored()
        for body, status in (
            ({}, 400),
            ({"group_name": "a"}, 400),
            ({"group_name": "a", "group_type": 4711}, 400),
            ({"group_name": "", "group_type": OIDC}, 400),
            ({"group_name": " a", "group_type": OIDC}, 400),
            ({"group_name": "n" * 256, "group_type": OIDC}, 400),
            ({"group_name": "a\0", "group_type": OIDC}, 400),
            ({"group_name": "a", "group_type": LDAP}, 400),
            ({"group_name": "a", "group_type": LDAP, "ldap_group_dn": "nothing"}, 400),
            ({"group_name": "a", "group_type": LDAP, "ldap_group_dn": "cn=" + "x" * 600}, 400),
            ({"group_name": "a", "group_type": OIDC, "ldap_group_dn": "cn=x"}, 400),
            ({"group_name": "a", "group_type": "x"}, 422),
            ({"group_name": "devs", "group_type": OIDC}, 409),
            ({"group_name": "another", "group_type": LDAP, "ldap_group_dn": "CN=X,DC=Y"}, 409),
        ):
            assert (await ask(world.admin, "POST", f"{API}/usergroups", body)).status == status, body
        assert (
            await ask(world.admin, "PUT", f"{API}/usergroups/{other}", {"group_name": "devs"})
        ).status == 409
        assert (await ask(world.admin, "PUT", f"{API}/usergroups/{number}", {"group_name": ""})).status == 400
        assert await world.stored() == before

    async def test_they_are_the_administrators(self, world: World) -> None:
        bob = await world.person("bob")
        number = await make(world.admin, "devs", bob)
        before = await world.stored()
        for method, target, body in (
            ("GET", f"{API}/usergroups", None),
            ("POST", f"{API}/usergroups", {"group_name": "a", "group_type": OIDC}),
            ("GET", f"{API}/usergroups/{number}", None),
            ("PUT", f"{API}/usergroups/{number}", {"group_name": "a"}),
            ("DELETE", f"{API}/usergroups/{number}", None),
            ("GET", f"{OWN}/{number}/members", None),
            ("POST", f"{OWN}/{number}/members", {"username": "admin"}),
            ("DELETE", f"{OWN}/{number}/members/{bob.id}", None),
        ):
            assert (await ask(bob, method, target, body)).short == (403, "FORBIDDEN")
            assert (await ask(world.anybody, method, target, body)).short == (401, "UNAUTHORIZED")
        assert (await world.anybody("GET", f"{API}/usergroups/search?groupname=d")).status == 401
        assert await world.stored() == before

    async def test_who_is_in_one(self, world: World) -> None:
        bob, carol = await world.person("bob"), await world.person("carol")
        number = await make(world.admin, "devs", carol, bob)
        at = f"{OWN}/{number}/members"
        listed = await world.admin("GET", at)
        assert listed.json == [
            {"user_id": bob.id, "username": "bob"},
            {"user_id": carol.id, "username": "carol"},
        ]
        assert listed["x-total-count"] == "2"
        assert [e["username"] for e in (await world.admin("GET", f"{at}?q=username%3D~AR")).json] == ["carol"]
        for body, status in (
            ({"username": "bob"}, 409),
            ({"user_id": bob.id}, 409),
            ({"username": "nobody"}, 404),
            ({"user_id": 4711}, 404),
            ({}, 400),
            ({"user_id": -1}, 400),
        ):
            assert (await ask(world.admin, "POST", at, body)).status == status, body
        answer = await world.admin("DELETE", f"{at}/{bob.id}")
        assert (answer.status, answer.body) == (200, b"")
        assert (await world.admin("DELETE", f"{at}/{bob.id}")).short == (404, "NOT_FOUND")
        for method, target in (("GET", ""), ("DELETE", f"/{carol.id}")):
            assert (await world.admin(method, f"{OWN}/4711/members{target}")).status == 404
        assert (await ask(world.admin, "POST", f"{OWN}/4711/members", {"username": "bob"})).status == 404
        assert (await world.admin("DELETE", f"{API}/users/{carol.id}")).status == 200
        assert await world.rows(user_group_members) == []

    async def test_one_of_many_at_once_makes_it(self, world: World) -> None:
        body = {"group_name": "devs", "group_type": OIDC}
        answers = await asyncio.gather(
            *(ask(world.admin, "POST", f"{API}/usergroups", body) for _ in range(6))
        )
        assert sorted(answer.status for answer in answers) == [201] + [409] * 5
        assert len(await world.rows(user_groups)) == 1


class TestInProjects:
    async def test_a_group_is_a_member_like_a_person(self, world: World) -> None:
        alice, bob = await world.person("alice"), await world.person("bob")
        await world.project("team", alice)
        devs = await make(world.admin, "devs", bob)
        at = await join(alice, "team", devs, Role.DEVELOPER)
        shown = (await alice("GET", at)).json
        assert (shown.pop("id"), shown.pop("project_id")) == (int(at.rpartition("/")[2]), 1)
        assert shown == {
            "entity_id": devs,
            "entity_name": "devs",
            "entity_type": "g",
            "role_id": 2,
            "role_name": "developer",
        }
        listed = (await alice("GET", f"{API}/projects/team/members")).json
        assert [(each["entity_name"], each["entity_type"]) for each in listed] == [
            ("alice", "u"),
            ("devs", "g"),
        ]
        found = (await alice("GET", f"{API}/projects/team/members?entityname=EV")).json
        assert [each["entity_name"] for each in found] == ["devs"]
        assert (await bob.push("team/app:v1", image("pushed"))).status == 201
        assert (await ask(alice, "PUT", at, {"role_id": 3})).status == 200
        assert (await bob.push("team/app:v2", image("refused"))).status == 401
        assert (await bob.pull("team/app:v1")).status == 200
        assert (await alice("DELETE", at)).status == 200
        assert (await bob.pull("team/app:v1")).status == 401
        assert (await bob("GET", f"{API}/projects/team")).status == 403

    async def test_a_group_is_named_in_three_ways(self, world: World) -> None:
        alice = await world.person("alice")
        await world.project("team", alice)
        dn = {"group_name": "dirs", "group_type": LDAP, "ldap_group_dn": "cn=x,dc=y"}
        assert (await ask(world.admin, "POST", f"{API}/usergroups", dn)).status == 201
        devs = await make(world.admin, "devs")
        await make(world.admin, "ops", kind=HTTP)
        members_of = f"{API}/projects/team/members"
        for group, status in (
            ({"id": devs}, 201),
            ({"group_name": "ops", "group_type": HTTP}, 201),
            ({"ldap_group_dn": "CN=x,DC=y"}, 201),
            ({"group_name": "devs", "group_type": OIDC}, 409),
            ({"id": devs, "group_name": "ignored"}, 409),
            ({"group_name": "dirs", "group_type": LDAP}, 409),
            ({"group_name": "devs", "group_type": HTTP}, 404),
            ({"ldap_group_dn": "cn=absent,dc=y"}, 404),
            ({"id": 4711}, 404),
            ({"group_name": "devs"}, 400),
            ({"group_name": "devs", "group_type": 9}, 400),
            ({"id": -1}, 400),
            ({}, 400),
        ):
            body = {"role_id": 2, "member_group": group}
            assert (await ask(alice, "POST", members_of, body)).status == status, group
        assert [row["group_id"] for row in await world.rows(member_rows)].count(None) == 1

    async def test_the_strongest_role_counts(self, world: World) -> None:
        alice = await world.person("alice")
        team = await world.project("team", alice)
        bob = await world.member(team, "bob", Role.GUEST)
        weak, strong = await make(world.admin, "weak", bob), await make(world.admin, "strong", bob)
        at = f"{API}/projects/team"
        for group, role, strongest, all_ in (
            (None, None, 3, [3]),
            (weak, Role.LIMITED_GUEST, 3, [3, 5]),
            (strong, Role.MAINTAINER, 4, [3, 4, 5]),
        ):
            if group is not None and role is not None:
                await join(alice, "team", group, role)
            shown = (await bob("GET", at)).json
            assert (shown["current_user_role_id"], shown["current_user_role_ids"]) == (strongest, all_)
            [listed] = (await bob("GET", f"{API}/projects?name=team")).json
            assert listed["current_user_role_ids"] == all_
        assert (await ask(bob, "PUT", f"{at}/metadatas/severity", {"severity": "low"})).status == 403
        assert (await bob("GET", f"{at}/metadatas/public")).status == 200
        # The order of strength is not that of the numbers.
        [own] = (await alice("GET", f"{at}/members?entityname=bob")).json
        await alice("DELETE", f"{at}/members/{own['id']}")
        assert (await bob("GET", at)).json["current_user_role_id"] == 4

    async def test_what_belongs_by_a_group_is_listed(self, world: World) -> None:
        alice, bob = await world.person("alice"), await world.person("bob")
        for name in ("mine", "limited", "hidden"):
            await world.project(name, alice)
            assert (await alice.push(f"{name}/app:v1", image(name))).status == 201
        devs = await make(world.admin, "devs", bob)
        await join(alice, "mine", devs, Role.PROJECT_ADMIN)
        await join(alice, "limited", devs, Role.LIMITED_GUEST)
        assert [each["name"] for each in (await bob("GET", f"{API}/projects")).json] == ["limited", "mine"]
        repositories = (await bob("GET", f"{API}/repositories")).json
        assert [each["name"] for each in repositories] == ["limited/app", "mine/app"]
        counted = (await bob("GET", f"{API}/statistics")).json
        assert (counted["private_project_count"], counted["private_repo_count"]) == (2, 2)
        await hand_over(world.db, reactions(world.parts.notifications))
        logged = {line["resource"] for line in (await bob("GET", f"{API}/audit-logs?page_size=100")).json}
        assert "mine/app:v1" in logged
        assert not any(each.startswith(("limited", "hidden")) for each in logged)
        token = await bob.with_token("repository:mine/app:pull,push")
        assert (await token.push_blob("mine/app", b"by token")).status == 201
        assert (await world.admin("DELETE", f"{API}/usergroups/{devs}")).status == 200
        assert (await bob("GET", f"{API}/projects")).json == []
        assert (await token.push_blob("mine/app", b"later")).status == 401
        assert all(row["group_id"] is None for row in await world.rows(member_rows))

    async def test_every_change_is_audited(self, world: World) -> None:
        alice, bob = await world.person("alice"), await world.person("bob")
        await world.project("team", alice)
        devs = await make(world.admin, "devs", bob)
        at = await join(alice, "team", devs, Role.GUEST)
        await ask(alice, "PUT", at, {"role_id": 2})
        await alice("DELETE", at)
        await world.admin("DELETE", f"{OWN}/{devs}/members/{bob.id}")
        await ask(world.admin, "PUT", f"{API}/usergroups/{devs}", {"group_name": "ops"})
        await world.admin("DELETE", f"{API}/usergroups/{devs}")
        await hand_over(world.db, reactions(world.parts.notifications))
        lines = [(row["username"], row["description"]) for row in await world.rows(audit_log)]
        assert lines == [
            ("alice", "create project: team"),
            ("admin", "create usergroup: devs"),
            ("admin", "create groupmember: bob in group devs"),
            ("alice", "create member: devs as guest of project team"),
            ("alice", "update member: devs as developer of project team"),
            ("alice", "delete member: devs as developer of project team"),
            ("admin", "delete groupmember: bob in group devs"),
            ("admin", "update usergroup: ops"),
            ("admin", "delete usergroup: ops"),
        ]


class Asked:
    """A connection that remembers what it was asked."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.asked: list[tuple[Executable, Mapping[str, Any]]] = []

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        self.asked.append((statement, params))
        return await self.conn.first(statement, **params)


async def test_rights_are_read_in_one_statement_by_indexes(db: Database) -> None:
    alice, bob = await person(db, "alice"), await person(db, "bob")
    team = await project(db, "team", alice)
    for n in range(20):
        made = await db.write(lambda conn, n=n: groups.create(conn, f"g{n}", OIDC, "", "alice"))
        if n % 2:
            await db.write(lambda conn, g=made: groups.add_member(conn, Group(g, "g", OIDC), bob.id, "alice"))
        role = list(Role)[1 + n % 4]
        await db.write(lambda conn, g=made, r=role: members.add_group(conn, team, GroupRef(id=g), r, alice))
    conn: Any = Asked(db)
    for ref in (team, "team"):
        facts = await projects.facts(conn, bob, ref)
        assert facts is not None
        assert facts.role is Role.GUEST
    assert len(conn.asked) == 2
    for statement, params in conn.asked:
        how = await plan(db, statement, **params)
        for table in ("projects", "members", "by_group", "user_group_members"):
            assert f"SCAN {table}" not in how, how
            assert f"Seq Scan on {table}" not in how, how


async def test_the_store_knows_what_is_not_there(db: Database) -> None:
    alice = await person(db, "alice")
    made = await db.write(lambda conn: groups.create(conn, "devs", OIDC, "", "alice"))
    with pytest.raises(UniqueViolation):
        await db.write(lambda conn: groups.create(conn, "devs", OIDC, "", "alice"))
    other = await db.write(lambda conn: groups.create(conn, "devs", HTTP, "", "alice"))
    assert await groups.by_id(db, made) == Group(made, "devs", OIDC)
    assert await groups.by_id(db, other + 1) is None
    assert not await db.write(lambda conn: groups.rename(conn, other + 1, "x", "alice"))
    assert not await db.write(lambda conn: groups.remove(conn, other + 1, "alice"))
    group = Group(made, "devs", OIDC)
    assert await db.write(lambda conn: groups.add_member(conn, group, alice.id, "alice")) == alice.id
    with pytest.raises(UniqueViolation):
        await db.write(lambda conn: groups.add_member(conn, group, "alice", "alice"))
    await db.write(lambda conn: people.close(conn, alice.id))
    assert await groups.members(db, made, {}, offset=0, limit=10) == ([], 0)
    assert await db.write(lambda conn: groups.add_member(conn, group, alice.id, "alice")) is None
    team = await project(db, "team", await person(db, "bob"))
    kept = await db.write(lambda conn: members.add_group(conn, team, GroupRef(id=made), Role.GUEST, alice))
    assert kept is not None
    found = await members.by_id(db, team, kept)
    assert found is not None
    assert (found.kind, found.entity, found.name) == (GROUP, made, "devs")
