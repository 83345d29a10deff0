"""People who belong to a project for some of its repositories: how they come to, and what they hold beside it."""

from typing import Any

import pytest
from sqlalchemy import select

from fairway.core.oci.digest import Digest
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import audit_log, members
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.accounts.own_tokens import with_one
from features.accounts.test_groups import make as group
from features.narrowed.places import PROJECT, below, join, two_teams
from features.robots.making import send
from features.roles.making import make as make_role
from stories.world import Person, World, image, layer

MEMBERS = f"{PROJECT}/members"
STATISTICS = "/api/v2.0/statistics"


@pytest.fixture
async def team(world: World) -> World:
    await two_teams(world)
    return world


@pytest.fixture
async def bob(team: World) -> Person:
    """A developer of one of the teams."""
    bob = await team.person("bob")
    await join(team, Role.DEVELOPER, ["team-a/**"], member_user={"username": "bob"})
    return bob


async def the_one(team: World, name: str) -> dict[str, Any]:
    [found] = (await team.admin("GET", f"{MEMBERS}?entityname={name}")).json
    return found


class TestGiving:
    async def test_it_is_shown_changed_and_opened_again(self, team: World, bob: Person) -> None:
        shown = await the_one(team, "bob")
        assert shown["repositories"] == ["team-a/**"]
        at = f"{MEMBERS}/{shown['id']}"
        assert (await team.admin("GET", at)).json == shown
        assert "repositories" not in await the_one(team, "admin")

        # Who does not know the field leaves it as it is.
        assert (await send(team.admin, "PUT", at, {"role_id": 3})).status == 200
        assert await the_one(team, "bob") == shown | {"role_id": 3, "role_name": "guest"}
        both = {"role_id": 2, "repositories": ["team-b/**", "team-a/**", "team-b/**"]}
        assert (await send(team.admin, "PUT", at, both)).status == 200
        assert (await the_one(team, "bob"))["repositories"] == ["team-a/**", "team-b/**"]
        assert (await bob.pull("team/team-b/app:v1")).status == 200
        assert (await bob.pull("team/team-ab:v1")).status == 401
        assert (await send(team.admin, "PUT", at, {"role_id": 2, "repositories": []})).status == 200
        assert "repositories" not in await the_one(team, "bob")
        assert (await bob.pull("team/team-ab:v1")).status == 200
        assert (await bob("GET", MEMBERS)).status == 200

    @pytest.mark.parametrize(
        ("repositories", "status", "says"),
        [
            (["**/app"], 400, "team-a/**"),
            (["A"], 400, "no pattern"),
            ([""], 400, "no pattern"),
            (["a"] * 21, 422, ""),
            (["a" * 300], 422, ""),
            ("team-a/**", 422, ""),
            ([1], 422, ""),
        ],
    )
    async def test_what_is_no_pattern_is_refused_and_nothing_is_kept(
        self, team: World, bob: Person, repositories: Any, status: int, says: str
    ) -> None:
        await team.person("carol")
        before = await team.rows(members)
        asked = {"role_id": 2, "repositories": repositories}
        at = f"{MEMBERS}/{(await the_one(team, 'bob'))['id']}"
        for method, target, body in (
            ("POST", MEMBERS, asked | {"member_user": {"username": "carol"}}),
            ("PUT", at, asked),
        ):
            answer = await send(team.admin, method, target, body)
            assert answer.status == status, answer.body
            assert says in answer.json["errors"][0]["message"]
        assert await team.rows(members) == before

    async def test_a_role_without_anything_about_repositories_is_refused(
        self, team: World, bob: Person
    ) -> None:
        role = await make_role(team.admin, "people", "member:list", "label:list")
        at = f"{MEMBERS}/{(await the_one(team, 'bob'))['id']}"
        answer = await send(team.admin, "PUT", at, {"role_id": role})
        assert answer.status == 400
        assert "nothing about repositories" in answer.json["errors"][0]["message"]
        assert (await send(team.admin, "PUT", at, {"role_id": role, "repositories": []})).status == 200

    async def test_it_is_told_in_the_audit_log(self, team: World, bob: Person) -> None:
        await hand_over(team.db, reactions(team.parts.notifications))
        told = await team.db.all(select(audit_log.c.description).where(audit_log.c.resource == "bob"))
        assert [each["description"] for each in told if "member" in each["description"]] == [
            "create member: bob as developer of project team for repositories team-a/**"
        ]


class TestHolding:
    async def test_the_rest_of_the_role_is_not_held(self, team: World, bob: Person) -> None:
        for rest in ("members", "metadatas", "robots", "logs", "artifacts", "_deletable"):
            assert (await bob("GET", f"{PROJECT}/{rest}")).status == 403, rest
        shown = (await bob("GET", PROJECT)).json
        assert shown["current_user_role_id"] == 0
        assert shown["current_user_repositories"] == ["team-a/**"]
        assert "repo_count" not in shown
        assert (await bob("GET", f"{PROJECT}/summary")).json == {"repo_count": 1}

    async def test_an_administrator_of_some_repositories_gives_nothing_on(self, team: World) -> None:
        ann = await team.person("ann")
        await join(team, Role.PROJECT_ADMIN, ["**"], member_user={"username": "ann"})
        await team.person("carol")
        carol = {"role_id": 5, "member_user": {"username": "carol"}}
        assert (await send(ann, "POST", MEMBERS, carol)).status == 403
        assert (await send(ann, "PUT", PROJECT, {"metadata": {"public": "true"}})).status == 403
        assert (await ann("DELETE", f"{PROJECT}?force=true")).status == 403
        assert (await ann("DELETE", below("team-b/app"))).status == 200

    async def test_what_a_group_gives_adds_up(self, team: World, bob: Person) -> None:
        readers = await group(team.admin, "readers", bob)
        await join(team, Role.LIMITED_GUEST, ["team-b/**"], member_group={"id": readers})
        assert (await bob.pull("team/team-b/app:v1")).status == 200
        assert (await bob.push("team/team-b/app:v2", image("new"))).status == 401
        assert (await bob.push("team/team-a/app:v2", image("new"))).status == 201
        names = [each["name"] for each in (await bob("GET", "/api/v2.0/repositories")).json]
        assert names == ["team/team-a/app", "team/team-b/app"]
        assert (await bob("GET", PROJECT)).json["current_user_repositories"] == ["team-a/**", "team-b/**"]

        everybody = await group(team.admin, "everybody", bob)
        whole = {"role_id": 5, "member_group": {"id": everybody}}
        assert (await send(team.admin, "POST", MEMBERS, whole)).status == 201
        assert (await bob.pull("team/team-ab:v1")).status == 200
        assert (await bob.blob("team/team-a/app", Digest.of(layer("secret")))).status == 200
        assert (await bob.push("team/team-b/app:v2", image("new"))).status == 401
        assert (await bob("GET", "/api/v2.0/repositories"))["x-total-count"] == "3"
        shown = (await bob("GET", PROJECT)).json
        assert (shown["current_user_role_id"], shown["repo_count"]) == (5, 3)

    async def test_roles_of_ones_own_are_held_each_for_its_own_repositories(self, team: World) -> None:
        """By two groups at once, so that what the one role holds is not taken for the other's."""
        eve = await team.person("eve")
        pulls = await make_role(team.admin, "pulls", "project:read", "repository:pull")
        pushes = await make_role(
            team.admin, "pushes", "project:read", "repository:pull", "repository:push", "artifact:create"
        )
        for name, role, only in (("ones", pulls, ["team-a/**"]), ("others", pushes, ["team-b/**"])):
            number = await group(team.admin, name, eve)
            await join(team, role, only, member_group={"id": number})
        assert (await eve.pull("team/team-a/app:v1")).status == 200
        assert (await eve.push("team/team-a/app:v2", image("new"))).status == 401
        assert (await eve.push("team/team-b/app:v2", image("new"))).status == 201
        assert (await eve("GET", "/api/v2.0/repositories")).json == []  # no role holds repository:list

    async def test_a_personal_token_covers_no_more(self, team: World, bob: Person) -> None:
        it = await with_one(bob, access=["pull"])
        assert (await it.pull("team/team-a/app:v1")).status == 200
        assert (await it.pull("team/team-b/app:v1")).status == 401
        assert (await it.blob("team/team-a/app", Digest.of(layer("secret")))).status == 404

    async def test_statistics_count_what_is_seen(self, team: World, bob: Person) -> None:
        told = (await bob("GET", STATISTICS)).json
        assert (told["private_project_count"], told["private_repo_count"]) == (1, 1)

    async def test_whoever_can_list_but_not_pull_learns_nothing_of_layers(self, team: World) -> None:
        """A mount that names no source looks where they may pull from, not where they may list."""
        await team.project("own", eve := await team.person("eve"))
        lists = await make_role(team.admin, "lists", "project:read", "repository:list", "artifact:list")
        joined = {"role_id": lists, "member_user": {"username": "eve"}}
        assert (await send(team.admin, "POST", MEMBERS, joined)).status == 201
        secret = Digest.of(layer("secret"))
        assert (await eve.mount("own/app", secret, "team/team-b/app")).status == 202
        assert (await eve.mount("own/app", secret)).status == 202
