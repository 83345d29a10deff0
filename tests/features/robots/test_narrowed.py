"""Robots that are for some repositories of a project: how they come to be so, and what they give on."""

import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import robot_permissions
from features.narrowed.places import PROJECT, only, two_teams
from features.robots.making import ROBOTS, body, on, post, robot, send, shown
from stories.world import World, image, layer


@pytest.fixture
async def team(world: World) -> World:
    await two_teams(world)
    return world


class TestGiving:
    async def test_it_is_shown_and_listed_with_its_patterns_and_others_without(self, team: World) -> None:
        ci = await robot(
            team, "ci", only("team", ["team-a/web*", "team-a/**", "team-a/**"], "repository:pull")
        )
        plain = await robot(team, "plain", only("team", [], "repository:pull"))
        assert (await shown(team, ci.id))["permissions"] == [
            {
                "kind": "project",
                "namespace": "team",
                "access": [{"resource": "repository", "action": "pull", "effect": "allow"}],
                "repositories": ["team-a/**", "team-a/web*"],
            }
        ]
        assert "repositories" not in (await shown(team, plain.id))["permissions"][0]
        project = (await team.admin("GET", PROJECT)).json["project_id"]
        listed = await team.admin("GET", f"{ROBOTS}?q=Level=project,ProjectID={project}")
        assert [each["permissions"][0].get("repositories") for each in listed.json] == [
            ["team-a/**", "team-a/web*"],
            None,
        ]

    @pytest.mark.parametrize(
        ("permission", "says"),
        [
            (only("team", ["**/app"], "repository:pull"), "team-a/**"),
            (only("team", [f"a{n}" for n in range(21)], "repository:pull"), "up to 20"),
            (only("team", ["a" * 300], "repository:pull"), "no pattern"),
            (only("team", ["a"], "repository:pull", "member:list"), "member:list is about the whole project"),
            (only("team", ["a"], "robot:create"), "robot:create"),
            (only("team", ["a"], "log:list"), "log:list"),
            (only("team", ["a"], "metadata:read"), "metadata:read"),
            (only("team", ["a"], "label:list"), "label:list"),
            (only("team", ["a"], "quota:read"), "quota:read"),
            (only("team", ["a"], "project:update"), "project:update"),
            (only("*", ["a"], "repository:pull"), "one project"),
            (only("/", ["a"], "catalog:read"), "one project"),
        ],
    )
    async def test_what_cannot_be_narrowed_is_refused_and_nothing_is_kept(
        self, team: World, permission: dict[str, Any], says: str
    ) -> None:
        answer = await post(team.admin, "ci", permission)
        assert answer.status == 400
        assert says in answer.json["errors"][0]["message"]
        assert await team.count(robot_permissions) == 0

    async def test_a_change_by_who_does_not_know_the_field_does_not_open_the_rest(self, team: World) -> None:
        ci = await robot(team, "ci", only("team", ["team-a/**"], "repository:pull"))
        whole = await shown(team, ci.id)
        forgetful = json.loads(json.dumps(whole))
        del forgetful["permissions"][0]["repositories"]
        answer = await send(team.admin, "PUT", f"{ROBOTS}/{ci.id}", forgetful)
        assert answer.status == 400
        assert "send them again" in answer.json["errors"][0]["message"]
        assert (await ci.pull("team/team-b/app:v1")).status == 401
        assert (await send(team.admin, "PUT", f"{ROBOTS}/{ci.id}", whole)).status == 200
        assert (await ci.pull("team/team-b/app:v1")).status == 401
        forgetful["permissions"][0]["repositories"] = []
        assert (await send(team.admin, "PUT", f"{ROBOTS}/{ci.id}", forgetful)).status == 200
        assert (await ci.pull("team/team-b/app:v1")).status == 200

    async def test_a_robot_gives_what_it_holds_for_just_those(self, team: World) -> None:
        maker = await robot(
            team,
            "maker",
            on("team", "robot:create"),
            only("team", ["team-a/**"], "repository:pull"),
            level="system",
        )
        assert (await post(maker, "same", only("team", ["team-a/**"], "repository:pull"))).status == 201
        assert (await post(maker, "all", on("team", "repository:pull"))).status == 403
        assert (await post(maker, "every", only("team", ["**"], "repository:pull"))).status == 403
        assert (await post(maker, "other", only("team", ["team-b/**"], "repository:pull"))).status == 403
        assert (await post(maker, "push", only("team", ["team-a/**"], "repository:push"))).status == 403
        wide = await robot(team, "wide", on("team", "robot:create", "repository:pull"))
        assert (await post(wide, "less", only("team", ["team-b/**"], "repository:pull"))).status == 201

    async def test_one_that_is_read_can_be_sent_back_whatever_its_entries(self, team: World) -> None:
        mixed = await robot(
            team,
            "mixed",
            on("team", "repository:pull"),
            only("team", ["team-a/**"], "repository:push"),
            level="system",
        )
        whole = await shown(team, mixed.id)
        assert (await send(team.admin, "PUT", f"{ROBOTS}/{mixed.id}", whole)).status == 200
        assert (await shown(team, mixed.id))["permissions"] == whole["permissions"]
        assert (await mixed.push("team/team-b/app:v2", image("new"))).status == 401
        assert (await mixed.pull("team/team-b/app:v1")).status == 200

    async def test_several_entries_of_one_project_add_up_by_permission(self, team: World) -> None:
        both = await robot(
            team,
            "both",
            only("team", ["team-a/**"], "repository:pull", "repository:push"),
            only("team", ["team-b/**"], "repository:pull"),
            level="system",
        )
        assert (await both.pull("team/team-b/app:v1")).status == 200
        assert (await both.push("team/team-b/app:v2", image("new"))).status == 401
        assert (await both.push("team/team-a/app:v2", image("new"))).status == 201


class TestTokensMadeBefore:
    async def test_a_token_from_before_the_narrowing_is_narrowed(self, team: World) -> None:
        ci = await robot(team, "ci", on("team", "repository:pull"))
        older = await ci.with_token("repository:team/team-a/app:pull", "repository:team/team-b/app:pull")
        assert (await older.pull("team/team-b/app:v1")).status == 200
        whole = await shown(team, ci.id)
        whole["permissions"][0]["repositories"] = ["team-a/**"]
        assert (await send(team.admin, "PUT", f"{ROBOTS}/{ci.id}", whole)).status == 200
        assert (await older.pull("team/team-b/app:v1")).status == 401
        assert (await older.pull("team/team-a/app:v1")).status == 200
        assert (await older.blob("team/team-a/app", Digest.of(layer("secret")))).status == 404

    @pytest.mark.parametrize("patterns", [["team-a/**"], []], ids=["some", "all"])
    async def test_a_token_from_before_pulling_was_taken_away_opens_nothing(
        self, team: World, patterns: list[str]
    ) -> None:
        held = only("team", patterns, "repository:pull")
        ci = await robot(team, "ci", held, on("*", "tag:list"), level="system")
        older = await ci.with_token("repository:team/team-a/app:pull")
        assert (await older.pull("team/team-a/app:v1")).status == 200
        whole = await shown(team, ci.id)
        whole["permissions"] = [each for each in whole["permissions"] if each["namespace"] == "*"]
        assert (await send(team.admin, "PUT", f"{ROBOTS}/{ci.id}", whole)).status == 200
        assert (await older.pull("team/team-a/app:v1")).status == 401
        for name in ("secret", "base"):
            assert (await older.blob("team/team-a/app", Digest.of(layer(name)))).status == 401

    async def test_in_a_public_project_it_goes_on_as_everybody(self, team: World) -> None:
        ci = await robot(team, "ci", only("team", ["team-a/**"], "repository:pull"))
        older = await ci.with_token("repository:team/team-b/app:pull", "repository:team/team-a/app:pull")
        assert (await send(team.admin, "PUT", PROJECT, {"metadata": {"public": "true"}})).status == 200
        assert (await older.blob("team/team-a/app", Digest.of(layer("secret")))).status == 200


def test_the_body_of_a_robot_is_one_of_a_project() -> None:
    assert body("ci", only("team", ["a"], "repository:pull"))["level"] == "project"
