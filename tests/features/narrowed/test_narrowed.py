"""Whoever is for some repositories of a project neither reads, changes nor detects the others: robots and people alike."""

import json
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.db.tables import blob_bringers
from features.accounts.test_groups import make as group
from features.narrowed.places import EVERYTHING, PROJECT, below, join, only, told, two_teams
from features.robots.making import post, robot, send
from features.roles.making import make as make_role
from stories.world import Person, World, image, layer


@pytest.fixture
async def team(world: World) -> World:
    await two_teams(world)
    return world


@pytest.fixture(params=["robot", "member", "group"])
async def ci(team: World, request: pytest.FixtureRequest) -> Person:
    """All that can be had, for one of them."""
    if request.param == "robot":
        return await robot(team, "ci", only("team", ["team-a/**"], *EVERYTHING))
    role = await make_role(team.admin, "everything", *EVERYTHING)
    ci = await team.person("ci")
    who: dict[str, Any] = {"member_user": {"user_id": ci.id}}
    if request.param == "group":
        who = {"member_group": {"id": await group(team.admin, "builders", ci)}}
    await join(team, role, ["team-a/**"], **who)
    return ci


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
