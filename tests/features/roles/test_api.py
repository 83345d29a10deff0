"""Roles that are made here: made, shown, given, changed and deleted; and what who has one may do."""

import pytest

from fairway.features.roles.rules import MAX_ROLES
from fairway.frame.access.catalogue import Permission
from fairway.frame.access.roles import HELD, Role
from fairway.frame.db.tables import audit_log, members, role_permissions, roles
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.roles.making import API, LOG, OWN, READS, add, ask, joined, make, role
from stories.world import Person, World, image


@pytest.fixture
async def team(world: World) -> int:
    """The administrator's, with an image in it."""
    team = await world.project("team")
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    return team


@pytest.fixture
async def bob(world: World) -> Person:
    return await world.person("bob")


class TestRoles:
    async def test_a_role_is_made_shown_changed_and_deleted(self, world: World, bob: Person) -> None:
        admin = world.admin
        number = await make(admin, "auditor", "log:list", "project:read")
        assert number == 100
        shown = (await bob("GET", f"{OWN}/{number}")).json
        assert {key: shown[key] for key in ("id", "name", "description", "built_in", "members")} == {
            "id": number,
            "name": "auditor",
            "description": "",
            "built_in": False,
            "members": 0,
        }
        pairs = [{"resource": "log", "action": "list"}, {"resource": "project", "action": "read"}]
        assert shown["permissions"] == pairs
        assert shown["creation_time"] == shown["update_time"]
        changed = role("reviewer", "log:list", description="reads the log")
        answer = await ask(admin, "PUT", f"{OWN}/{number}", changed)
        assert (answer.status, answer.body) == (200, b"")
        shown = (await bob("GET", f"{OWN}/{number}")).json
        assert (shown["name"], shown["description"]) == ("reviewer", "reads the log")
        assert shown["permissions"] == pairs[:1]
        answer = await admin("DELETE", f"{OWN}/{number}")
        assert (answer.status, answer.body) == (200, b"")
        for method in ("GET", "PUT", "DELETE"):
            answer = await ask(admin, method, f"{OWN}/{number}", changed)
            assert answer.short == (404, "NOT_FOUND")
        assert await world.rows(role_permissions) == []
        assert await make(admin, "next", "log:list") == 101, "an id is never given twice"

    async def test_the_five_are_shown_and_stay(self, world: World, bob: Person) -> None:
        admin = world.admin
        shown = {each["id"]: each for each in (await bob("GET", OWN)).json}
        assert list(shown) == [1, 4, 2, 3, 5]
        for each in Role:
            assert shown[each]["built_in"] is True
            held = {Permission(pair["resource"], pair["action"]) for pair in shown[each]["permissions"]}
            assert held == HELD[each]
            assert (await bob("GET", f"{OWN}/{int(each)}")).json == shown[each]
            for method in ("PUT", "DELETE"):
                answer = await ask(admin, method, f"{OWN}/{int(each)}", role("weaker", "log:list"))
                assert answer.short == (403, "DENIED")
        for number in (6, 99, 2**40, 2**63 - 1):
            assert (await bob("GET", f"{OWN}/{number}")).status == 404
            assert (await ask(admin, "PUT", f"{OWN}/{number}", role("x", "log:list"))).status == 404

    async def test_lists_have_pages_and_find_names(self, world: World, bob: Person) -> None:
        for name in ("c-guest", "b", "a"):
            await make(world.admin, name, "log:list")
        every = ["projectAdmin", "maintainer", "developer", "guest", "limitedGuest", "a", "b", "c-guest"]
        for size in (1, 3, 5, 8, 100):
            seen: list[str] = []
            for page in range(1, len(every) // size + 2):
                answer = await bob("GET", f"{OWN}?page={page}&page_size={size}")
                assert answer["x-total-count"] == "8"
                seen += [each["name"] for each in answer.json]
            assert seen == every
        answer = await bob("GET", f"{OWN}?name=GUEST")
        assert [each["name"] for each in answer.json] == ["guest", "limitedGuest", "c-guest"]
        assert answer["x-total-count"] == "3"
        assert (await bob("GET", f"{OWN}?name=%25")).json == []

    async def test_bad_requests_make_nothing(self, world: World) -> None:
        for body in (
            {},
            role("Guest", "log:list"),
            role("limited-guest", "log:list"),
            role("auditor"),
            role("auditor", "robot:update"),
            role("auditor", "metadata:list"),
            role("auditor", "user:create"),
            role("auditor", "project:update"),
            role("auditor", "no:such"),
        ):
            answer = await ask(world.admin, "POST", OWN, body)
            assert answer.short == (400, "BAD_REQUEST"), body
        assert (await ask(world.admin, "POST", OWN, {"permissions": [1]})).status == 422
        assert (await ask(world.admin, "POST", OWN, {"permissions": "log:list"})).status == 422
        assert await world.rows(roles) == []

    async def test_names_are_taken_once(self, world: World) -> None:
        await make(world.admin, "auditor", "log:list")
        other = await make(world.admin, "other", "log:list")
        again = await ask(world.admin, "POST", OWN, role("auditor", "log:list"))
        assert again.short == (409, "CONFLICT")
        answer = await ask(world.admin, "PUT", f"{OWN}/{other}", role("auditor", "tag:list"))
        assert answer.short == (409, "CONFLICT")
        shown = (await world.admin("GET", f"{OWN}/{other}")).json
        assert (shown["name"], shown["permissions"][0]["resource"]) == ("other", "log")

    async def test_only_so_many_can_be_made(self, world: World) -> None:
        for number in range(MAX_ROLES):
            values = {"name": f"r{number}", "created_at": 1, "updated_at": 1}
            await world.run(roles.insert().values(**values))
        answer = await ask(world.admin, "POST", OWN, role("one-more", "log:list"))
        assert answer.short == (412, "PRECONDITION")
        assert await world.count(roles) == MAX_ROLES

    async def test_the_audit_log_tells_of_it(self, world: World, team: int, bob: Person) -> None:
        number = await make(world.admin, "auditor", "project:read", "log:list")
        await joined(world.admin, bob, number)
        await ask(world.admin, "PUT", f"{OWN}/{number}", role("reader", "log:list"))
        spare = await make(world.admin, "spare", "tag:list")
        await world.admin("DELETE", f"{OWN}/{spare}")
        table = reactions(world.parts.notifications)
        while await hand_over(world.db, table):
            pass
        lines = [
            (row["username"], row["operation"], row["description"])
            for row in await world.rows(audit_log)
            if row["resource_type"] in ("role", "member")
        ]
        assert lines == [
            ("admin", "create", "create role: auditor with log:list, project:read"),
            ("admin", "create", "create member: bob as auditor of project team"),
            ("admin", "update", "update role: reader with log:list"),
            ("admin", "create", "create role: spare with tag:list"),
            ("admin", "delete", "delete role: spare with tag:list"),
        ]


class TestMembers:
    async def test_a_member_with_it_is_shown_with_its_name(
        self, world: World, team: int, bob: Person
    ) -> None:
        number = await make(world.admin, "auditor", *READS)
        at = await joined(world.admin, bob, number)
        shown = (await world.admin("GET", at)).json
        assert (shown["role_id"], shown["role_name"]) == (number, "auditor")
        listed = (await bob("GET", f"{API}/projects/team/members")).json
        assert [(each["entity_name"], each["role_name"]) for each in listed] == [
            ("admin", "projectAdmin"),
            ("bob", "auditor"),
        ]
        seen = (await bob("GET", f"{API}/projects/team")).json
        assert (seen["current_user_role_id"], seen["current_user_role_ids"]) == (number, [number])
        assert (await ask(world.admin, "PUT", at, {"role_id": 2})).status == 200
        seen = (await bob("GET", f"{API}/projects/team")).json
        assert (seen["current_user_role_id"], seen["current_user_role_ids"]) == (2, [2])
        assert (await ask(world.admin, "PUT", at, {"role_id": number})).status == 200
        assert (await world.admin("GET", at)).json["role_name"] == "auditor"
        summary = (await world.admin("GET", f"{API}/projects/team/summary")).json
        assert (summary["project_admin_count"], summary["developer_count"]) == (1, 0)

    async def test_it_opens_what_it_holds_and_nothing_else(
        self, world: World, team: int, bob: Person
    ) -> None:
        """An auditor reads everything and pulls nothing."""
        number = await make(world.admin, "auditor", *READS)
        await joined(world.admin, bob, number)
        base = f"{API}/projects/team"
        for target in (
            "",
            "/summary",
            "/members",
            "/logs",
            "/robots",
            "/repositories",
            "/repositories/app/artifacts",
        ):
            assert (await bob("GET", f"{base}{target}")).status == 200, target
        assert (await bob.pull("team/app:v1")).status == 401
        assert (await bob.push("team/app:v2", image("base"))).status == 401
        for method, target, body in (
            ("PUT", "", {"metadata": {"public": "true"}}),
            ("DELETE", "", None),
            ("POST", "/members", {"role_id": number, "member_user": {"username": "admin"}}),
            ("POST", "/robots", {"name": "x", "access": []}),
            ("DELETE", "/repositories/app", None),
            ("POST", "/repositories/app/artifacts/v1/tags", {"name": "v2"}),
        ):
            assert (await ask(bob, method, f"{base}{target}", body)).status == 403, (method, target)
        held = (await bob("GET", f"{API}/users/current/permissions?scope=/project/{team}")).json
        assert {(each["resource"].rpartition("/")[2], each["action"]) for each in held} >= set(READS[:1])
        token = await bob.ask_token("repository:team/app:pull,push,delete")
        assert (await bob.bearing(token.json["token"]).pull("team/app:v1")).status == 401

    async def test_lists_show_what_it_may_see(self, world: World, team: int, bob: Person) -> None:
        seen = f"{API}/projects?name=team"
        pusher = await make(world.admin, "pusher", "repository:push", "repository:pull")
        at = await joined(world.admin, bob, pusher)
        assert (await bob.push("team/app:v2", image("more"))).status == 201
        assert (await bob("GET", f"{API}/projects/team")).status == 403
        assert (await bob("GET", seen)).json == []
        assert (await bob("GET", f"{API}/search?q=app")).json["repository"] == []
        assert (await bob("GET", f"{API}/audit-logs")).json == []
        reader = await make(world.admin, "reader", "project:read", "repository:list", "log:list")
        assert (await ask(world.admin, "PUT", at, {"role_id": reader})).status == 200
        assert [each["name"] for each in (await bob("GET", seen)).json] == ["team"]
        found = (await bob("GET", f"{API}/search?q=app")).json["repository"]
        assert [each["repository_name"] for each in found] == ["team/app"]
        assert (await bob("GET", LOG)).status == 200

    async def test_a_change_counts_at_the_next_request(self, world: World, team: int, bob: Person) -> None:
        number = await make(world.admin, "worker", "repository:pull")
        await joined(world.admin, bob, number)
        assert (await bob.pull("team/app:v1")).status == 200
        assert (await bob("GET", LOG)).status == 403
        pusher = await bob.with_token("repository:team/app:pull,push")
        assert (await pusher.push_blob("team/app", b"x")).status == 401
        body = role("worker", "log:list", "repository:pull", "repository:push")
        assert (await ask(world.admin, "PUT", f"{OWN}/{number}", body)).status == 200
        assert (await bob("GET", LOG)).status == 200
        pusher = await bob.with_token("repository:team/app:pull,push")
        assert (await pusher.push_blob("team/app", b"x")).status == 201
        assert (await ask(world.admin, "PUT", f"{OWN}/{number}", role("worker", "log:list"))).status == 200
        assert (await bob.pull("team/app:v1")).status == 401
        assert (await pusher.push_blob("team/app", b"y")).status == 401, "a token only narrows"

    async def test_roles_add_up(self, world: World, team: int, bob: Person) -> None:
        """Own and by groups, Harbor's and ours: all that any of them holds."""
        readers = await make(world.admin, "reader", "log:list", "project:read")
        taggers = await make(world.admin, "tagger", "tag:create", "project:read")
        await joined(world.admin, bob, Role.LIMITED_GUEST)
        assert (await bob("GET", LOG)).status == 403
        for name, number in (("audit", readers), ("release", taggers), ("audit2", readers)):
            made = await ask(world.admin, "POST", f"{API}/usergroups", {"group_name": name, "group_type": 3})
            group = made["location"].rpartition("/")[2]
            answer = await ask(
                world.admin, "POST", f"/api/fairway/usergroups/{group}/members", {"user_id": bob.id}
            )
            assert answer.status == 201
            assert (await add(world.admin, number, member_group={"id": int(group)})).status == 201
        assert (await bob("GET", LOG)).status == 200
        tags = f"{API}/projects/team/repositories/app/artifacts/v1/tags"
        assert (await ask(bob, "POST", tags, {"name": "v2"})).status == 201
        assert (await bob.pull("team/app:v2")).status == 200
        assert (await bob("DELETE", f"{tags}/v2")).status == 403
        seen = (await bob("GET", f"{API}/projects/team")).json
        assert seen["current_user_role_id"] == 5, "Harbor's clients know the five"
        assert seen["current_user_role_ids"] == [5, readers, taggers]

    async def test_a_role_that_somebody_has_stays(self, world: World, team: int, bob: Person) -> None:
        number = await make(world.admin, "auditor", "log:list")
        at = await joined(world.admin, bob, number)
        answer = await world.admin("DELETE", f"{OWN}/{number}")
        assert answer.short == (412, "PRECONDITION")
        assert "1 member(s) have the role auditor, in team;" in answer.body.decode()
        assert (await world.admin("GET", f"{OWN}/{number}")).json["members"] == 1
        assert (await world.admin("GET", f"{OWN}?name=aud")).json[0]["members"] == 1
        assert (await world.admin("DELETE", at)).status == 200
        assert (await world.admin("DELETE", f"{OWN}/{number}")).status == 200
        for gone in (number, 99, 0, -1, 2**31, 2**63):
            answer = await add(world.admin, gone, member_user={"username": "bob"})
            assert answer.short == (400, "BAD_REQUEST")
        assert [row["role"] for row in await world.rows(members) if row["project_id"] == team] == [1]

    async def test_a_member_whose_role_is_lost_may_nothing_and_can_be_removed(
        self, world: World, team: int, bob: Person
    ) -> None:
        number = await make(world.admin, "auditor", *READS)
        at = await joined(world.admin, bob, number)
        await world.run(roles.delete())
        assert (await bob("GET", f"{API}/projects/team")).status == 403
        assert (await world.admin("GET", at)).json["role_id"] == number
        assert (await world.admin("DELETE", at)).status == 200
