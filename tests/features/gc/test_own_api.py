"""`/api/fairway/gc`: having deleted manifests back, and looking for orphans."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from fairway.core.oci.digest import Digest
from fairway.features.gc.model import ORPHAN_SEARCH
from fairway.frame import events
from fairway.frame.access.catalogue import ARTIFACT_DELETE, REPOSITORY_PUSH
from fairway.frame.access.roles import HELD, Role
from fairway.frame.db.tables import audit_log, deleted_artifacts, quotas, trash
from fairway.reactions import reactions
from features.gc.test_reconcile import DAY, make_old, orphan
from stories.asgi import Answer
from stories.world import Person, World, image, layer

DELETED = "/api/fairway/gc/projects/team/deleted"
UNDO = "/api/fairway/gc/projects/team/undo"
ORPHANS = "/api/fairway/gc/orphans"
JSON = {"content-type": "application/json"}
FIRST = image("base", "code")


@pytest.fixture
async def alice(world: World) -> Person:
    """The administrator of a project with one image under two tags, which she has deleted."""
    alice = await world.person("alice")
    await world.project("team", alice)
    for tag in ("v1", "v2"):
        assert (await alice.push(f"team/deep/app:{tag}", FIRST)).status == 201
    assert (await alice.delete(f"team/deep/app@{FIRST.digest}")).status == 202
    return alice


async def undo(who: Person, *, at: str = UNDO, digest: str = FIRST.digest, **more: Any) -> Answer:
    body = {"repository": "deep/app", "digest": digest, **more}
    return await who("POST", at, json.dumps(body).encode(), headers=JSON)


class TestUndo:
    async def test_what_the_list_shows_comes_back_with_its_free_tags(
        self, world: World, alice: Person
    ) -> None:
        answer = await alice("GET", DELETED)
        assert (answer.status, answer["x-total-count"]) == (200, "1")
        [shown] = answer.json
        assert shown.pop("deletion_time") < shown.pop("undo_until")
        assert shown == {
            "repository": "deep/app",
            "digest": FIRST.digest,
            "media_type": FIRST.manifest.media_type,
            "size": FIRST.manifest.size,
            "tags": ["v1", "v2"],
            "deleted_by": "alice",
        }
        other = image("other")
        assert (await alice.push("team/deep/app:v2", other)).status == 201
        answer = await undo(alice, repository=shown["repository"], digest=shown["digest"])
        assert answer.status == 200
        assert answer.json == {
            "repository": "deep/app",
            "digest": FIRST.digest,
            "tags": ["v1"],
            "taken": ["v2"],
        }
        assert (await alice.pull("team/deep/app:v1")).body == FIRST.manifest.raw
        assert (await alice.pull("team/deep/app:v2")).body == other.manifest.raw
        assert (await alice("GET", DELETED)).json == []

    async def test_the_audit_log_says_who_did_it(self, world: World, alice: Person) -> None:
        assert (await undo(world.admin)).status == 200
        while await events.hand_over(world.db, reactions(world.parts.notifications)):
            pass
        last = (await world.rows(audit_log))[-1]
        assert (last["username"], last["operation"], last["resource_type"], last["resource"]) == (
            "admin",
            "create",
            "artifact",
            "team/deep/app:v1",
        )
        assert last["description"].startswith(f"restore artifact: team/deep/app@{FIRST.digest}")

    async def test_once_its_time_is_over_there_is_nothing(self, world: World, alice: Person) -> None:
        await world.run(update(deleted_artifacts).values(until_at=1))
        assert (await alice("GET", DELETED)).json == []
        before = await world.stored()
        assert (await undo(alice)).short == (404, "NOT_FOUND")
        assert (await undo(alice, digest=Digest.of(b"never"))).short == (404, "NOT_FOUND")
        assert (await undo(alice, repository="other")).short == (404, "NOT_FOUND")
        assert await world.stored() == before

    async def test_what_is_there_again_is_a_conflict(self, world: World, alice: Person) -> None:
        assert (await undo(alice)).status == 200
        assert (await undo(alice)).short == (409, "CONFLICT")
        assert (await alice.delete(f"team/deep/app@{FIRST.digest}")).status == 202
        assert (await alice.push("team/deep/app:v3", FIRST)).status == 201
        assert (await undo(alice)).short == (409, "CONFLICT")

    async def test_what_needs_something_that_is_gone_is_a_conflict_that_names_it(
        self, world: World, alice: Person
    ) -> None:
        code = Digest.of(layer("code"))
        assert (await alice.blob("team/deep/app", code, "DELETE")).status == 202
        answer = await undo(alice)
        assert answer.short == (409, "CONFLICT")
        assert code in answer.json["errors"][0]["message"]

    async def test_what_does_not_fit_into_the_quota_stays_away(self, world: World, alice: Person) -> None:
        await world.run(update(quotas).values(hard=0))
        assert (await undo(alice)).status == 403
        assert len((await alice("GET", DELETED)).json) == 1

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"repository": "deep/app"}, 422),
            ({"repository": "deep/app", "digest": "latest"}, 400),
            ({"repository": "../x", "digest": FIRST.digest}, 400),
            ({"repository": "", "digest": FIRST.digest}, 400),
            ({"repository": 1, "digest": FIRST.digest}, 422),
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, world: World, alice: Person, body: dict[str, Any], status: int
    ) -> None:
        answer = await alice("POST", UNDO, json.dumps(body).encode(), headers=JSON)
        assert answer.status == status

    async def test_the_list_is_paged(self, world: World, alice: Person) -> None:
        others = [image(f"other {n}") for n in range(3)]
        for other in others:
            assert (await alice.push(f"team/app@{other.digest}", other)).status == 201
            assert (await alice.delete(f"team/app@{other.digest}")).status == 202
        answer = await alice("GET", f"{DELETED}?page=2&page_size=3")
        assert (answer["x-total-count"], [each["digest"] for each in answer.json]) == ("4", [FIRST.digest])
        assert 'rel="prev"' in answer["link"]
        assert (await alice("GET", f"{DELETED}?page_size=101")).status == 422

    async def test_no_other_project_shows_or_gives_it(self, world: World, alice: Person) -> None:
        await world.project("mine", await world.person("bob"))
        assert (await world.admin("GET", DELETED.replace("team", "mine"))).json == []
        assert (await undo(world.admin, at=UNDO.replace("team", "mine"))).status == 404


class TestWhoMay:
    async def test_those_who_may_delete_may_undo(self, world: World, alice: Person) -> None:
        team = (await alice("GET", "/api/v2.0/projects/team")).json["project_id"]
        statuses = {}
        for role in Role:
            person = await world.member(team, role.name.lower().replace("_", "-"), role)
            seen = (await person("GET", DELETED)).status
            statuses[role] = (seen, (await undo(person)).status)
            if statuses[role][1] == 200:
                await alice.delete(f"team/deep/app@{FIRST.digest}")
        allowed, refused = (200, 200), (403, 403)
        assert statuses == {
            Role.PROJECT_ADMIN: allowed,
            Role.MAINTAINER: allowed,
            Role.DEVELOPER: refused,
            Role.GUEST: refused,
            Role.LIMITED_GUEST: refused,
        }

    async def test_nobody_else_may_not_even_in_a_public_project(self, world: World, alice: Person) -> None:
        carol = await world.person("carol")
        await world.project("open", alice, public=True)
        before = await world.stored()
        for name in ("team", "open", "absent"):
            at = UNDO.replace("team", name)
            for who, status in ((world.anybody, 401), (carol, 403)):
                assert (await who("GET", DELETED.replace("team", name))).status == status
                assert (await undo(who, at=at)).status == status
        assert (await world.admin("GET", DELETED.replace("team", "absent"))).status == 404
        assert await world.stored() == before

    def test_whoever_may_delete_may_push(self) -> None:
        """To undo is to make something, too: no role could do by it what it may not do."""
        for held in HELD.values():
            assert ARTIFACT_DELETE not in held or REPOSITORY_PUSH in held


class TestOrphans:
    async def start(self, world: World, **parameters: Any) -> str:
        body = {"schedule": {"type": "Manual"}, "parameters": parameters}
        answer = await world.admin("POST", f"{ORPHANS}/schedule", json.dumps(body).encode(), headers=JSON)
        assert answer.status == 201, answer.body
        return answer["location"]

    async def test_a_search_tells_what_it_found(self, world: World, alice: Person) -> None:
        make_old(world)
        old = orphan(world, "old", 2 * DAY)
        orphan(world, "young", 0)
        at = await self.start(world)
        assert at.startswith(f"{ORPHANS}/")
        await world.work()
        done = (await world.admin("GET", at)).json
        assert (done["job_name"], done["job_status"]) == (ORPHAN_SEARCH, "Success")
        assert json.loads(done["job_parameters"]) == {
            "delete": False,
            "objects": 5,
            "orphans": 1,
            "bytes": 3,
            "missing": 0,
        }
        log = (await world.admin("GET", f"{at}/log")).body.decode()
        assert f"nobody's  {old.relative_to(world.settings.storage_path)}\n" in log
        assert await world.count(trash) == 0
        at = await self.start(world, delete=True)
        await world.work()
        assert [row["size"] for row in await world.rows(trash)] == [3]

    async def test_there_is_one_at_a_time_and_only_for_administrators(
        self, world: World, alice: Person
    ) -> None:
        await self.start(world)
        body = json.dumps({"schedule": {"type": "Manual"}}).encode()
        assert (await world.admin("POST", f"{ORPHANS}/schedule", body, headers=JSON)).status == 409
        for who, status in ((alice, 403), (world.anybody, 401)):
            assert (await who("POST", f"{ORPHANS}/schedule", body, headers=JSON)).status == status
            assert (await who("GET", ORPHANS)).status == status
        wrong = json.dumps({"schedule": {"type": "Manual"}, "parameters": {"delete": "yes"}}).encode()
        assert (await world.admin("POST", f"{ORPHANS}/schedule", wrong, headers=JSON)).status == 400
