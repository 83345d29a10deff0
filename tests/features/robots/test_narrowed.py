"""Robots that are for some repositories of a project: they neither read, change nor detect the others."""

import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import blob_bringers, robot_permissions
from features.robots.making import ROBOTS, body, on, post, robot, send, shown
from stories.asgi import Answer
from stories.world import Person, World, image, layer

EVERYTHING = (
    "project:read",
    "repository:list",
    "repository:read",
    "repository:update",
    "repository:delete",
    "repository:pull",
    "repository:push",
    "artifact:create",
    "artifact:read",
    "artifact:list",
    "artifact:delete",
    "artifact-addition:read",
    "artifact-label:create",
    "artifact-label:delete",
    "accessory:list",
    "tag:create",
    "tag:list",
    "tag:delete",
)
PROJECT = "/api/v2.0/projects/team"


def only(namespace: str, patterns: list[str], *words: str) -> dict[str, Any]:
    return on(namespace, *words) | {"repositories": patterns}


def below(repository: str) -> str:
    return f"{PROJECT}/repositories/{repository.replace('/', '%252F')}"


@pytest.fixture
async def team(world: World) -> World:
    """A private project of two teams."""
    await world.project("team")
    await world.admin.push("team/team-a/app:v1", image("a", "base"))
    await world.admin.push("team/team-b/app:v1", image("b", "secret"))
    await world.admin.push("team/team-ab:v1", image("ab"))
    return world


@pytest.fixture
async def ci(team: World) -> Person:
    """All that can be had, for one of them."""
    return await robot(team, "ci", only("team", ["team-a/**"], *EVERYTHING))


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body.replace(b"team-b/app", b"X").replace(b"team-b/none", b"X")


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


@pytest.mark.parametrize("with_token", [False, True], ids=["by secret", "by token"])
class TestTheRegistry:
    async def who(self, ci: Person, with_token: bool) -> Person:
        if not with_token:
            return ci
        named = ("team-a/app", "team-a/new", "team-b/app", "team-b/none", "team-ab")
        return await ci.with_token(*(f"repository:team/{each}:pull,push,delete" for each in named))

    async def test_it_works_in_its_own(self, ci: Person, with_token: bool) -> None:
        it = await self.who(ci, with_token)
        assert (await it.pull("team/team-a/app:v1")).status == 200
        assert (await it.blob("team/team-a/app", Digest.of(layer("base")))).status == 200
        assert (await it.push("team/team-a/new:v1", image("mine", "base"))).status == 201
        assert (await it.pull("team/team-a/new:v1")).status == 200
        assert await it.tags("team/team-a/new") == ["v1"]
        assert (await it.mount("team/team-a/new", Digest.of(layer("a")), "team/team-a/app")).status == 201
        assert (await it.delete("team/team-a/new:v1")).status == 202

    async def test_others_are_as_absent_ones(self, team: World, ci: Person, with_token: bool) -> None:
        it = await self.who(ci, with_token)
        before = await team.stored()
        digest = image("b", "secret").digest
        calls = [
            ("GET", "manifests/v1"),
            ("HEAD", "manifests/v1"),
            ("GET", f"manifests/{digest}"),
            ("PUT", "manifests/v2"),
            ("DELETE", "manifests/v1"),
            ("DELETE", f"manifests/{digest}"),
            ("GET", f"blobs/{Digest.of(layer('secret'))}"),
            ("HEAD", f"blobs/{Digest.of(layer('secret'))}"),
            ("DELETE", f"blobs/{Digest.of(layer('secret'))}"),
            ("POST", "blobs/uploads/"),
            ("GET", "tags/list"),
            ("GET", f"referrers/{digest}"),
        ]
        for method, rest in calls:
            hidden = await it(method, f"/v2/team/team-b/app/{rest}")
            absent = await it(method, f"/v2/team/team-b/none/{rest}")
            assert hidden.status == 401, (method, rest)
            assert told(hidden) == told(absent)
        assert (await it.pull("team/team-ab:v1")).status == 401  # team-a/** is no prefix of it
        assert (await it("GET", "/v2/_catalog")).status == 401
        assert await team.stored() == before

    async def test_blobs_of_others_are_not_there(self, team: World, ci: Person, with_token: bool) -> None:
        it = await self.who(ci, with_token)
        secret, nothing = Digest.of(layer("secret")), Digest.of(layer("nobody has this"))
        for method in ("GET", "HEAD"):
            hidden = await it.blob("team/team-a/app", secret, method)
            absent = await it.blob("team/team-a/app", nothing, method)
            assert hidden.short == absent.short
            assert hidden.status == 404
        for source in ("team/team-a/app", "team/team-b/app", "team/team-b/none", None):
            for digest in (secret, nothing):
                assert (await it.mount("team/team-a/app", digest, source)).status == 202, source
        for digest in (secret, nothing):
            assert (await it("DELETE", f"/v2/team/team-a/app/blobs/{digest}")).status == 401
        hidden = await it.push_manifest("team/team-a/stolen:v1", image("b", "secret"))
        absent = await it.push_manifest("team/team-a/stolen:v1", image("c", "nothing"))
        if not with_token:  # which asked for other repositories
            assert hidden.short == absent.short == (400, "MANIFEST_BLOB_UNKNOWN")
        assert (await it.blob("team/team-a/app", secret, "HEAD")).status == 404
        assert await team.count(blob_bringers) == 0

    async def test_who_sends_the_bytes_has_them(self, team: World, ci: Person, with_token: bool) -> None:
        it = await self.who(ci, with_token)
        secret = Digest.of(layer("secret"))
        assert (await it.push_blob("team/team-a/app", layer("secret"))).status == 201
        assert (await it.blob("team/team-a/app", secret, "HEAD")).status == 200
        other = await robot(team, "other", only("team", ["team-a/**"], *EVERYTHING))
        assert (await other.blob("team/team-a/app", secret, "HEAD")).status == 404
        assert (await it.push("team/team-a/app:v2", image("secret"))).status == 201
        assert (await other.blob("team/team-a/app", secret, "HEAD")).status == 200


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


class TestForeignLayers:
    async def test_a_layer_that_may_be_elsewhere_opens_nothing(self, team: World, ci: Person) -> None:
        """Whether it is here or not: with the manifest it could be read, or be copied to where all is open."""
        for data in (layer("secret"), layer("nothing")):
            foreign = {
                "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                "digest": Digest.of(data),
                "size": len(data),
                "urls": ["https://example.com/layer"],
            }
            assert (await ci.push_blob("team/team-a/app", b"{}")).status == 201
            sent = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": Digest.of(b"{}"),
                    "size": 2,
                },
                "layers": [foreign],
            }
            answer = await ci(
                "PUT",
                "/v2/team/team-a/app/manifests/foreign",
                json.dumps(sent).encode(),
                headers={"content-type": str(sent["mediaType"])},
            )
            assert answer.short == (400, "MANIFEST_BLOB_UNKNOWN")


class TestTheApi:
    async def test_lists_show_its_own(self, team: World, ci: Person) -> None:
        own = ["team/team-a/app"]
        for target in (f"{PROJECT}/repositories", "/api/v2.0/repositories"):
            answer = await ci("GET", target)
            assert [each["name"] for each in answer.json] == own
            assert answer["x-total-count"] == "1"
        for q in ("team", "app", "b", "team/team"):
            found = (await ci("GET", f"/api/v2.0/search?q={q}")).json
            assert {each["repository_name"] for each in found["repository"]} <= set(own), q
            assert all("repo_count" not in each for each in found["project"])
        assert (await ci("GET", "/api/v2.0/search?q=app")).json["repository"]
        assert [each["name"] for each in (await ci("GET", "/api/v2.0/projects")).json] == ["team"]
        assert (await ci("GET", f"{PROJECT}/summary")).json["repo_count"] == 1
        assert (await ci("GET", PROJECT)).json.get("repo_count") is None
        assert (await ci("GET", f"{PROJECT}/repositories?q=name=~b")).json == []

    async def test_what_is_about_the_whole_project_is_refused(self, ci: Person) -> None:
        for rest in ("artifacts", "logs", "members", "metadatas", "robots", "_deletable"):
            assert (await ci("GET", f"{PROJECT}/{rest}")).status == 403, rest
        assert (await post(ci, "more", only("team", ["team-a/**"], "repository:pull"))).status == 403
        assert (await ci("GET", "/api/v2.0/audit-logs")).json == []

    async def test_others_are_as_absent_ones(self, team: World, ci: Person) -> None:
        before = await team.stored()
        digest = image("b", "secret").digest
        for method, rest, content in [
            ("GET", "", None),
            ("PUT", "", {"description": "x"}),
            ("DELETE", "", None),
            ("GET", "/artifacts", None),
            ("POST", "/artifacts?from=team/team-a/app:v1", None),
            ("GET", "/artifacts/v1", None),
            ("GET", f"/artifacts/{digest}", None),
            ("DELETE", "/artifacts/v1", None),
            ("GET", "/artifacts/v1/accessories", None),
            ("GET", "/artifacts/v1/additions/build_history", None),
            ("POST", "/artifacts/v1/labels", {"id": 1}),
            ("DELETE", "/artifacts/v1/labels/1", None),
            ("GET", "/artifacts/v1/tags", None),
            ("POST", "/artifacts/v1/tags", {"name": "v9"}),
            ("DELETE", "/artifacts/v1/tags/v1", None),
        ]:
            hidden = await send(ci, method, below("team-b/app") + rest, content)
            absent = await send(ci, method, below("team-b/none") + rest, content)
            assert hidden.status == 403, (method, rest, hidden.body)
            assert told(hidden) == told(absent)
            for trick in ("team-a%252F..%252Fteam-b%252Fapp", "team-a%252F%252E%252E%252Fteam-b%252Fapp"):
                tricked = await send(ci, method, f"{PROJECT}/repositories/{trick}{rest}", content)
                assert tricked.status in (400, 403, 404, 422), (method, rest, trick)
        assert await team.stored() == before

    async def test_its_own_are_open(self, ci: Person) -> None:
        for rest in ("", "/artifacts", "/artifacts/v1", "/artifacts/v1/tags", "/artifacts/v1/accessories"):
            assert (await ci("GET", below("team-a/app") + rest)).status == 200, rest
        assert (
            await send(ci, "POST", f"{below('team-a/app')}/artifacts/v1/tags", {"name": "v9"})
        ).status == 201

    async def test_it_copies_from_where_it_may_read_to_where_it_may_write(
        self, team: World, ci: Person
    ) -> None:
        copy = f"{below('team-a/copy')}/artifacts?from=team"
        assert (await ci("POST", f"{copy}/team-a/app:v1")).status == 201
        hidden, absent = [await ci("POST", f"{copy}/{each}:v1") for each in ("team-b/app", "team-b/none")]
        assert hidden.status == 403
        assert told(hidden) == told(absent)

    async def test_a_name_with_wildcards_of_sql_is_a_name(self, team: World) -> None:
        await team.admin.push("team/x_y/app:v1", image("base"))
        await team.admin.push("team/xzy/app:v1", image("base"))
        await team.admin.push("team/x_y:v1", image("base"))
        it = await robot(team, "it", only("team", ["x_y/**", "x_y*"], "repository:list", "repository:pull"))
        names = [each["name"] for each in (await it("GET", f"{PROJECT}/repositories")).json]
        assert names == ["team/x_y", "team/x_y/app"]
        assert (await it.pull("team/xzy/app:v1")).status == 401
        every = await robot(team, "every", only("team", ["**"], "repository:list"))
        assert (await every("GET", f"{PROJECT}/repositories"))["x-total-count"] == "6"
        flat = await robot(team, "flat", only("team", ["*"], "repository:list"))
        assert [each["name"] for each in (await flat("GET", "/api/v2.0/repositories")).json] == [
            "team/team-ab",
            "team/x_y",
        ]


def test_the_body_of_a_robot_is_one_of_a_project() -> None:
    assert body("ci", only("team", ["a"], "repository:pull"))["level"] == "project"
