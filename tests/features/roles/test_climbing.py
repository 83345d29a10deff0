"""Roles that are made here take nobody above who gives them; and processes agree about them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairway.frame.access.roles import GRANTABLE_IN_ROLES, HELD_BY_ANYONE, Role
from features.roles.making import API, LOG, OWN, add, ask, joined, make, role
from stories.world import Person, World, image, replica


@pytest.fixture
async def team(world: World) -> int:
    """The administrator's, with an image in it."""
    team = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    return team


@pytest.fixture
async def bob(world: World) -> Person:
    return await world.person("bob")


class TestClimbing:
    """Who may take members in, or make robots, gives no more than they hold themselves."""

    @pytest.fixture
    async def lead(self, world: World, team: int, bob: Person) -> Person:
        """Takes people in, changes them and puts them out; makes robots; and pulls."""
        every = [f"member:{each}" for each in ("create", "read", "update", "list", "delete")]
        number = await make(
            world.admin, "lead", *every, "robot:create", "robot:list", "repository:pull", "project:read"
        )
        await joined(world.admin, bob, number)
        return bob

    async def test_members_are_given_what_the_giver_holds(self, world: World, lead: Person) -> None:
        puller = await make(world.admin, "puller", "repository:pull")
        pusher = await make(world.admin, "pusher", "repository:pull", "repository:push")
        carol, dave = await world.person("carol"), await world.person("dave")
        for stronger in (*map(int, Role), pusher):
            answer = await add(lead, stronger, member_user={"username": "carol"})
            assert answer.short == (403, "DENIED"), stronger
        at = await joined(lead, carol, puller)
        for stronger in (*map(int, Role), pusher):
            assert (await ask(lead, "PUT", at, {"role_id": stronger})).short == (403, "DENIED")
        assert (await world.admin("GET", at)).json["role_id"] == puller
        own = await joined(lead, dave, 100)
        assert (await ask(lead, "PUT", own, {"role_id": puller})).status == 200
        assert (await lead("DELETE", own)).status == 200

    async def test_nobody_climbs_by_changing_themselves_or_a_group(self, world: World, lead: Person) -> None:
        listed = (await lead("GET", f"{API}/projects/team/members")).json
        own = next(each["id"] for each in listed if each["entity_name"] == "bob")
        for stronger in map(int, Role):
            answer = await ask(lead, "PUT", f"{API}/projects/team/members/{own}", {"role_id": stronger})
            assert answer.short == (403, "DENIED")
        group = {"group_name": "devs", "group_type": 3}
        assert (await ask(world.admin, "POST", f"{API}/usergroups", group)).status == 201
        assert (await add(lead, 2, member_group={"id": 1})).short == (403, "DENIED")

    async def test_who_holds_more_is_left_alone(self, world: World, team: int, lead: Person) -> None:
        await world.member(team, "dev", Role.DEVELOPER)
        for each in (await lead("GET", f"{API}/projects/team/members")).json:
            if each["entity_name"] == "bob":
                continue
            at = f"{API}/projects/team/members/{each['id']}"
            assert (await ask(lead, "PUT", at, {"role_id": 100})).short == (403, "DENIED")
            assert (await lead("DELETE", at)).short == (403, "DENIED")
        assert (await lead("DELETE", f"{API}/projects/team/members/4711")).status == 404

    async def test_robots_hold_no_more_than_their_maker(self, world: World, lead: Person) -> None:
        def body(*pairs: str) -> dict[str, Any]:
            access = [{"resource": r, "action": a} for r, a in (each.split(":") for each in pairs)]
            grant = {"kind": "project", "namespace": "team", "access": access}
            return {"name": "ci", "level": "project", "duration": 1, "permissions": [grant]}

        for pair in (
            "repository:push",
            "log:list",
            "scan:create",
            "member:create",
            "member:update",
            "member:delete",
            "project:delete",
        ):
            answer = await ask(lead, "POST", f"{API}/robots", body("repository:pull", pair))
            assert answer.short == (403, "DENIED"), pair
            old = {"name": "ci", "access": body(pair)["permissions"][0]["access"]}
            answer = await ask(lead, "POST", f"{API}/projects/team/robots", old)
            assert answer.short == (403, "DENIED"), pair
        made = await ask(lead, "POST", f"{API}/robots", body("repository:pull", "robot:create"))
        assert made.status == 201, made.body
        at = f"{API}/robots/{made.json['id']}"
        assert (await ask(lead, "PUT", at, body("repository:pull"))).status == 403
        assert (await ask(lead, "PATCH", at, {"secret": "Chosen-secret-1"})).status == 403

    async def test_a_project_administrator_gives_every_role(self, world: World, team: int) -> None:
        boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
        everything = await make(world.admin, "everything", *GRANTABLE_IN_ROLES)
        carol = await world.person("carol")
        at = await joined(boss, carol, everything)
        for each in (*map(int, Role), everything):
            assert (await ask(boss, "PUT", at, {"role_id": each})).status == 200
        assert (await boss("DELETE", at)).status == 200

    async def test_only_system_administrators_make_roles(self, world: World, team: int) -> None:
        boss = await world.member(team, "boss", Role.PROJECT_ADMIN)
        await make(world.admin, "auditor", "log:list")
        for who, status in ((boss, 403), (world.anybody, 401)):
            for method, target in (("POST", OWN), ("PUT", f"{OWN}/100"), ("DELETE", f"{OWN}/100")):
                body = role("wide", *HELD_BY_ANYONE)
                assert (await ask(who, method, target, body)).status == status
        assert (await world.anybody("GET", OWN)).status == 401


class TestSeveralProcesses:
    async def test_a_change_counts_everywhere_at_the_next_request(
        self, world: World, team: int, bob: Person, database_url: str, tmp_path: Path
    ) -> None:
        number = await make(world.admin, "worker", "log:list")
        await joined(world.admin, bob, number)
        async with replica(database_url, tmp_path) as other:
            there = replace(bob, world=other)
            for turn in range(4):
                held = ("log:list", "repository:pull") if turn % 2 else ("project:read",)
                body = role("worker", *held)
                assert (await ask(world.admin, "PUT", f"{OWN}/{number}", body)).status == 200
                for who in (there, bob, there):
                    assert (await who("GET", LOG)).status == (200 if turn % 2 else 403)
                    assert (await who.pull("team/app:v1")).status == (200 if turn % 2 else 401)
