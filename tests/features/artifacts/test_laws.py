"""The registry's laws about writing: everything that belongs to a change is in its transaction, or none of it is."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.core.oci.digest import Digest
from fairway.frame import events
from fairway.frame.access.roles import Role
from fairway.frame.db import SECOND, ledger, now_us
from fairway.frame.db.tables import (
    gc_reviews,
    leases,
    outbox,
    project_blobs,
    projects,
    uploads,
)
from stories.asgi import Answer
from stories.world import Person, World, image, layer

DATA = layer("data")
DIGEST = Digest.of(DATA)
BASE = Digest.of(layer("base"))
FIRST, SECOND_IMAGE = image("base"), image("base", "code")


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def team(world: World, alice: Person) -> int:
    """Her project, with everything in it that the changes below need."""
    await world.project("other", alice)
    await alice.push_blob("other/app", layer("mounted"))
    team = await world.project("team", alice)
    for name, what in (("v1", FIRST), ("v2", SECOND_IMAGE), ("old", FIRST)):
        assert (await alice.push(f"team/app:{name}", what)).status == 201
    assert (await alice.push_blob("team/app", layer("unused"))).status == 201
    return team


class LastMomentError(Exception):
    """What nobody foresaw."""


Change = Callable[[Person], Awaitable[Answer]]
CHANGES: dict[str, tuple[Change, int]] = {
    "push a blob": (lambda p: p.push_blob("team/app", DATA), 201),
    "push a blob again": (lambda p: p.push_blob("team/app", layer("base")), 201),
    "mount a blob": (lambda p: p.mount("team/app", Digest.of(layer("mounted")), "other/app"), 201),
    "push a manifest": (lambda p: p.push_manifest("team/app:v3", image("base", "unused")), 201),
    "push a manifest again": (lambda p: p.push_manifest("team/app:v1", FIRST), 201),
    "push to a new repository": (lambda p: p.push_manifest("team/new:v1", FIRST), 201),
    "move a tag": (lambda p: p.push_manifest("team/app:old", SECOND_IMAGE), 201),
    "delete a blob": (lambda p: p.blob("team/app", Digest.of(layer("unused")), "DELETE"), 202),
    "delete a manifest": (lambda p: p.delete(f"team/app@{FIRST.digest}"), 202),
    "delete a tag": (lambda p: p.delete("team/app:v1"), 202),
}


class TestWhatBelongsTogether:
    """One change, one transaction: event, link, charge, lease and review are there when the answer is."""

    async def new(self, world: World, change: Awaitable[Answer]) -> dict[str, list[dict[str, Any]]]:
        """The rows that a change added or altered."""
        before = await world.stored()
        answer = await change
        assert answer.status in (201, 202), answer.body
        after = await world.stored()
        return {
            table: [row for row in rows if row not in before[table]]
            for table, rows in after.items()
            if table != "files"
        }

    async def test_a_blob(self, world: World, alice: Person, team: int) -> None:
        new = await self.new(world, alice.push_blob("team/app", DATA))
        ((blob,), (link,)) = new["blobs"], new["project_blobs"]
        assert (blob["digest"], blob["size"]) == (DIGEST, len(DATA))
        assert (link["project_id"], link["digest"], link["blob_id"]) == (team, DIGEST, blob["id"])
        assert [delta["delta"] for delta in new["quota_deltas"]] == [len(DATA)]
        assert [(lease["project_id"], lease["digest"]) for lease in new["leases"]] == [(team, DIGEST)]
        assert {(row["project_id"], row["digest"]) for row in new["gc_reviews"]} == {
            (team, DIGEST),
            (ledger.EVERYWHERE, DIGEST),
        }
        (event,) = new["outbox"]
        assert (event["kind"], event["topic"]) == ("blob.pushed", f"project:{team}")
        payload = {"repository": "team/app", "actor": "alice", "digest": DIGEST, "size": len(DATA)}
        assert json.loads(event["payload"]) == {"project_id": team, **payload}

    async def test_a_mounted_blob(self, world: World, alice: Person, team: int) -> None:
        digest = Digest.of(layer("mounted"))
        new = await self.new(world, alice.mount("team/app", digest, "other/app"))
        assert [(row["project_id"], row["digest"]) for row in new["project_blobs"]] == [(team, digest)]
        assert [row["delta"] for row in new["quota_deltas"]] == [len(layer("mounted"))]
        assert [(row["project_id"], row["digest"]) for row in new["leases"]] == [(team, digest)]
        assert (team, digest) in {(row["project_id"], row["digest"]) for row in new["gc_reviews"]}
        (event,) = new["outbox"]
        assert json.loads(event["payload"])["mounted_from"] == "other/app"
        assert new["blobs"] == []

    async def test_a_manifest(self, world: World, alice: Person, team: int) -> None:
        made = image("base", "unused")
        new = await self.new(world, alice.push_manifest("team/app:v3", made))
        ((row,), (tag,), (link,)) = new["artifacts"], new["tags"], new["project_blobs"]
        assert (row["digest"], row["payload"]) == (made.digest, made.manifest.raw)
        assert (tag["name"], tag["artifact_id"]) == ("v3", row["id"])
        assert (link["digest"], link["size"], link["blob_id"]) == (made.digest, made.manifest.size, None)
        assert {(each["digest"], each["kind"]) for each in new["artifact_links"]} == {
            (link.digest, link.kind) for link in made.manifest.links()
        }
        assert [each["delta"] for each in new["quota_deltas"]] == [made.manifest.size]
        assert [(each["project_id"], each["digest"]) for each in new["leases"]] == [(team, made.digest)]
        assert [(each["project_id"], each["digest"]) for each in new["gc_reviews"]] == [(team, made.digest)]
        (event,) = new["outbox"]
        assert event["kind"] == "artifact.pushed"
        assert json.loads(event["payload"])["tags"] == {"v3": {"was": None}}

    async def test_a_tag_that_moves_sends_what_it_left_to_the_collector(
        self, world: World, alice: Person, team: int
    ) -> None:
        new = await self.new(world, alice.push_manifest("team/app:old", SECOND_IMAGE))
        assert {each["digest"] for each in new["gc_reviews"]} == {FIRST.digest, SECOND_IMAGE.digest}
        (event,) = new["outbox"]
        assert json.loads(event["payload"])["tags"] == {"old": {"was": FIRST.digest}}
        assert new["quota_deltas"] == []

    async def test_a_manifest_that_goes(self, world: World, alice: Person, team: int) -> None:
        new = await self.new(world, alice.delete(f"team/app@{FIRST.digest}"))
        named = {link.digest for link in FIRST.manifest.links()}
        assert {each["digest"] for each in new["gc_reviews"]} >= named
        assert [each["delta"] for each in new["quota_deltas"]] == [-FIRST.manifest.size]
        (event,) = new["outbox"]
        assert event["kind"] == "artifact.deleted"
        assert json.loads(event["payload"])["tags"] == ["old", "v1"]
        assert FIRST.digest not in {row["digest"] for row in await world.rows(project_blobs)}

    async def test_a_tag_that_goes(self, world: World, alice: Person, team: int) -> None:
        new = await self.new(world, alice.delete("team/app:v1"))
        assert [each["digest"] for each in new["gc_reviews"]] == [FIRST.digest]
        (event,) = new["outbox"]
        assert (event["kind"], json.loads(event["payload"])["tag"]) == ("tag.deleted", "v1")

    async def test_a_blob_that_goes(self, world: World, alice: Person, team: int) -> None:
        digest = Digest.of(layer("unused"))
        new = await self.new(world, alice.blob("team/app", digest, "DELETE"))
        assert [(each["project_id"], each["digest"]) for each in new["gc_reviews"]] == [
            (ledger.EVERYWHERE, digest)
        ]
        assert [each["delta"] for each in new["quota_deltas"]] == [-len(layer("unused"))]
        assert [kind["kind"] for kind in new["outbox"]] == ["blob.deleted"]
        assert digest not in {row["digest"] for row in await world.rows(project_blobs)}

    async def test_every_event_has_an_id_of_its_own(self, world: World, alice: Person, team: int) -> None:
        rows = await world.rows(outbox)
        assert len({row["event_id"] for row in rows}) == len(rows) > 0

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("after", ["the event", "the charge"])
    async def test_what_fails_at_the_end_has_not_happened(
        self,
        world: World,
        alice: Person,
        team: int,
        change: str,
        after: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        module, name = (events, "record") if after == "the event" else (ledger, "charge")
        real = getattr(module, name)

        async def broken(*arguments: Any) -> None:
            await real(*arguments)
            raise LastMomentError

        act, status = CHANGES[change]
        before = await world.stored()
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            answer = await act(alice)
        if (change, after) == ("delete a tag", "the charge"):
            return  # it charges nothing
        assert answer.short == (500, "UNKNOWN")
        after_all = await world.stored()
        # An object may stay: after an error nobody knows whether the COMMIT was heard.
        assert after_all | {"files": []} == before | {"files": []}
        assert set(after_all["files"]) >= set(before["files"])
        assert (await act(alice)).status == status


class TestLeases:
    """What a pusher was told to be there stays there for a while; who only pulls writes nothing."""

    LOOKS = (
        ("HEAD", f"/v2/team/app/blobs/{BASE}"),
        ("HEAD", f"/v2/team/app/manifests/{FIRST.digest}"),
        ("GET", f"/v2/team/app/blobs/{BASE}"),
        ("GET", f"/v2/team/app/manifests/{FIRST.digest}"),
        ("GET", "/v2/team/app/manifests/v1"),
        ("HEAD", "/v2/team/app/manifests/v1"),
        ("GET", "/v2/team/app/tags/list"),
        ("GET", f"/v2/team/app/referrers/{FIRST.digest}"),
    )

    async def until(self, world: World, digest: Digest) -> int | None:
        """When the lease on a digest ends."""
        return next((row["until_at"] for row in await world.rows(leases) if row["digest"] == digest), None)

    async def shorten(self, world: World, seconds: int) -> None:
        """Leave so many seconds of every lease."""
        await world.run(update(leases).values(until_at=now_us() + seconds * SECOND))

    @pytest.mark.parametrize("digest", [BASE, FIRST.digest], ids=["blob", "manifest"])
    async def test_a_look_by_a_pusher_renews_what_is_half_over(
        self, world: World, alice: Person, team: int, digest: Digest
    ) -> None:
        kind = "blobs" if digest == BASE else "manifests"
        half = world.settings.lease_seconds // 2
        for seconds, renewed in ((half + 60, False), (half - 60, True), (-60, True)):
            await self.shorten(world, seconds)
            before = await self.until(world, digest)
            assert before is not None
            assert (await alice("HEAD", f"/v2/team/app/{kind}/{digest}")).status == 200
            after = await self.until(world, digest)
            assert after is not None
            assert (after - before > half * SECOND) if renewed else (after == before)

    async def test_a_look_by_a_pusher_leaves_a_lease_where_there_was_none(
        self, world: World, alice: Person, team: int
    ) -> None:
        await world.run(leases.delete())
        await alice("HEAD", f"/v2/team/app/blobs/{BASE}")
        await alice("HEAD", f"/v2/team/app/manifests/{FIRST.digest}")
        assert {row["digest"] for row in await world.rows(leases)} == {BASE, FIRST.digest}

    async def test_a_token_for_pulls_in_a_pushers_hand_counts_as_a_pushers(
        self, world: World, alice: Person, team: int
    ) -> None:
        await world.run(leases.delete())
        bearer = await alice.with_token("repository:team/app:pull")
        assert (await bearer("HEAD", f"/v2/team/app/blobs/{BASE}")).status == 200
        assert [row["digest"] for row in await world.rows(leases)] == [BASE]

    async def test_looks_that_a_push_does_not_build_on_write_nothing(
        self, world: World, alice: Person, team: int
    ) -> None:
        await world.run(leases.delete())
        before = await world.stored()
        for method, target in self.LOOKS[2:]:
            assert (await alice(method, target)).status == 200
        assert await world.stored() == before

    async def test_who_only_pulls_writes_nothing(self, world: World, alice: Person, team: int) -> None:
        await world.run(update(projects).where(projects.c.id == team).values(public=True))
        guest = await world.member(team, "guest", Role.GUEST)
        await world.run(leases.delete())
        before = await world.stored()
        for who in (
            guest,
            await guest.with_token("repository:team/app:pull,push"),
            world.anybody,
            await world.anybody.with_token("repository:team/app:pull"),
        ):
            for method, target in self.LOOKS:
                assert (await who(method, target)).status == 200, (who.name, method, target)
        assert await world.stored() == before

    async def test_a_no_leaves_no_lease(self, world: World, alice: Person, team: int) -> None:
        before = await world.stored()
        nothing = Digest.of(b"nothing")
        for kind in ("blobs", "manifests"):
            assert (await alice("HEAD", f"/v2/team/app/{kind}/{nothing}")).status == 404
        assert await world.stored() == before

    async def test_pushing_again_never_shortens_a_lease(self, world: World, alice: Person, team: int) -> None:
        await self.shorten(world, 10 * world.settings.lease_seconds)
        before = await self.until(world, BASE)
        await alice.push_blob("team/app", layer("base"))
        assert await self.until(world, BASE) == before


class TestTheReviewQueue:
    async def test_every_change_pushes_the_review_on(self, world: World, alice: Person, team: int) -> None:
        await world.run(update(gc_reviews).values(review_at=0, tries=3))
        await alice.push_blob("team/app", layer("base"))
        await alice.push_manifest("team/app:v1", FIRST)
        waiting = {
            (row["project_id"], row["digest"]): row["tries"]
            for row in await world.rows(gc_reviews)
            if row["review_at"] > 0
        }
        assert waiting == {(team, BASE): 0, (ledger.EVERYWHERE, BASE): 0, (team, FIRST.digest): 0}

    async def test_it_begins_after_the_grace_period(self, world: World, alice: Person, team: int) -> None:
        now = await world.db.scalar(select(now_us()))
        await alice.push_blob("team/app", DATA)
        reviews = [row["review_at"] - now for row in await world.rows(gc_reviews) if row["digest"] == DIGEST]
        assert all(each >= world.settings.gc_grace_seconds * SECOND for each in reviews)


class TestCharging:
    """Once per project and digest, however it came and however often."""

    async def charged(self, world: World, project: int) -> int:
        return await ledger.used(world.db, project)

    async def test_two_repositories_share_one_charge_until_both_are_empty(
        self, world: World, alice: Person, team: int
    ) -> None:
        before = await self.charged(world, team)
        await alice.push("team/copy:v1", FIRST)
        assert await self.charged(world, team) == before
        assert (await alice.delete(f"team/app@{FIRST.digest}")).status == 202
        assert await self.charged(world, team) == before
        assert (await alice.delete(f"team/copy@{FIRST.digest}")).status == 202
        assert await self.charged(world, team) == before - FIRST.manifest.size

    async def test_deleting_at_once_releases_once(self, world: World, alice: Person, team: int) -> None:
        before = await self.charged(world, team)
        answers = await asyncio.gather(*(alice.delete(f"team/app@{FIRST.digest}") for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [202, 404, 404, 404, 404]
        assert await self.charged(world, team) == before - FIRST.manifest.size

    @pytest.mark.parametrize("change", CHANGES)
    async def test_the_sum_is_that_of_the_links(
        self, world: World, alice: Person, team: int, change: str
    ) -> None:
        act, status = CHANGES[change]
        for expected in (status, 404 if status == 202 else status):
            assert (await act(alice)).status == expected
            links = [row["size"] for row in await world.rows(project_blobs) if row["project_id"] == team]
            assert await self.charged(world, team) == sum(links)

    async def test_bytes_that_are_a_manifest_and_a_blob_are_charged_once_and_stay_while_either_does(
        self, world: World, alice: Person, team: int
    ) -> None:
        raw, digest = FIRST.manifest.raw, FIRST.digest
        before = await self.charged(world, team)
        assert (await alice.push_blob("team/app", raw)).status == 201
        assert await self.charged(world, team) == before
        assert (await alice.blob("team/app", digest, "DELETE")).status == 202
        assert await self.charged(world, team) == before
        await world.run(leases.delete())
        assert (await alice("HEAD", f"/v2/team/app/blobs/{digest}")).status == 404
        assert (await alice("HEAD", f"/v2/team/app/manifests/{digest}")).status == 200
        assert (await alice.delete(f"team/app@{digest}")).status == 202
        assert await self.charged(world, team) == before - len(raw)


class TestUploadRows:
    async def test_an_upload_is_found_by_id_repository_and_principal(
        self, world: World, alice: Person, team: int
    ) -> None:
        upload = await alice.start_upload("team/app")
        (row,) = await world.rows(uploads)
        assert upload.endswith(row["id"])
        assert (row["project_id"], row["repository"], row["principal"]) == (team, "app", f"user:{alice.id}")
        await alice("PATCH", upload, b"1234")
        assert [row["received"] for row in await world.rows(uploads)] == [4]

    async def test_it_is_closed_with_the_blob_that_came_of_it(
        self, world: World, alice: Person, team: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = await alice.start_upload("team/app")
        await alice("PATCH", upload, DATA)
        assert (await alice("PUT", f"{upload}?digest={DIGEST}")).status == 201
        assert await world.rows(uploads) == []
