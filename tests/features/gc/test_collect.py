"""What the collector lets go of, and what it keeps: leases, references, other projects, manifests that are blobs too."""

import pytest
from sqlalchemy import select

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unavailable
from fairway.features.artifacts.names import Periods
from fairway.features.gc.collect import collect
from fairway.features.gc.model import CollectionOff, Options, Progress, Switches
from fairway.features.registry import housekeeping
from fairway.frame.db import Database
from fairway.frame.db.tables import (
    artifacts,
    blobs,
    gc_items,
    gc_reviews,
    leases,
    project_blobs,
    trash,
)
from features.gc import yard
from stories.world import Person, World, image, index, layer

LOST, KEPT = layer("lost"), layer("base")


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    for name in ("team", "other"):
        await world.project(name, alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    assert (await alice.push_blob("team/app", LOST)).status == 201
    return alice


class TestWhatGoes:
    async def test_a_blob_that_nothing_names_goes_with_its_link_its_charge_and_its_bytes(
        self, world: World, alice: Person
    ) -> None:
        await yard.let_time_pass(world.db)
        done = await yard.run(world)
        assert (done.blobs, done.links, done.freed, done.failed) == (1, 1, len(LOST), 0)
        assert Digest.of(LOST) not in await yard.digests(world.db, blobs)
        assert Digest.of(LOST) not in await yard.digests(world.db, project_blobs)
        assert await yard.broken(world.db) == []
        assert [row["size"] for row in await world.rows(trash)] == [len(LOST)]
        assert (await alice.pull("team/app:v1")).status == 200
        assert (await alice.blob("team/app", Digest.of(KEPT))).body == KEPT
        assert len(world.files()) == 3, "bytes go later"

    async def test_the_queue_is_empty_afterwards(self, world: World, alice: Person) -> None:
        await yard.let_time_pass(world.db)
        await yard.run(world)
        assert await world.rows(gc_reviews) == []
        assert (await yard.run(world)).kept == 0

    async def test_what_a_deleted_manifest_named_goes_unless_another_one_names_it(
        self, world: World, alice: Person
    ) -> None:
        both = image("base", "code")
        assert (await alice.push("team/app:v2", both)).status == 201
        assert (await alice.delete(f"team/app@{both.digest}")).status == 202
        await yard.let_time_pass(world.db)
        await yard.run(world, now=True)
        left = await yard.digests(world.db, project_blobs)
        assert left == {image("base").digest, Digest.of(KEPT), Digest.of(b"{}")}
        assert await yard.broken(world.db) == []

    async def test_each_project_lets_go_for_itself(self, world: World, alice: Person) -> None:
        assert (await alice.push("other/app:v1", image("lost"))).status == 201
        await yard.let_time_pass(world.db)
        done = await yard.run(world)
        assert (done.links, done.blobs) == (1, 0)
        assert (await alice.blob("other/app", Digest.of(LOST))).body == LOST
        await yard.let_time_pass(world.db)
        assert (await alice.blob("team/app", Digest.of(LOST), "HEAD")).status == 404

    async def test_a_run_writes_down_what_it_took(self, world: World, alice: Person) -> None:
        await yard.let_time_pass(world.db)
        await yard.run(world, 7)
        rows = await world.rows(gc_items)
        assert [(row["run"], row["what"], row["digest"], row["size"]) for row in rows] == [
            (7, "blob", Digest.of(LOST), len(LOST)),
            (7, "link", Digest.of(LOST), len(LOST)),
        ]


class TestWhatStays:
    async def test_what_is_not_due(self, world: World, alice: Person) -> None:
        await world.run(leases.delete())
        assert (await yard.run(world)).settled == 0
        assert await yard.count(world.db, blobs) == 3

    async def test_without_grace_what_is_leased(self, world: World, alice: Person) -> None:
        assert (await yard.run(world, now=True)).settled == 0
        await world.run(leases.delete())
        assert (await yard.run(world, now=True)).blobs == 1

    async def test_a_review_waits_for_the_end_of_the_lease(self, world: World, alice: Person) -> None:
        await world.run(gc_reviews.update().values(review_at=1))
        assert (await yard.run(world)).settled == 0
        until = {row["digest"]: row["until_at"] for row in await world.rows(leases)}
        team = [row for row in await world.rows(gc_reviews) if row["project_id"]]
        assert {row["digest"]: row["review_at"] for row in team} == until

    async def test_a_blob_of_a_manifests_bytes_is_hidden_and_the_manifest_stays(
        self, world: World, alice: Person
    ) -> None:
        what = image("base")
        assert (await alice.push_blob("team/app", what.manifest.raw)).status == 201
        await yard.let_time_pass(world.db)
        done = await yard.run(world)
        assert done.blobs == 2
        assert (await alice.pull("team/app:v1")).body == what.manifest.raw
        assert (await alice.blob("team/app", what.digest)).status == 404
        assert await yard.broken(world.db) == []

    async def test_what_was_pushed_again_meanwhile(self, world: World, alice: Person) -> None:
        await yard.let_time_pass(world.db)
        assert (await alice.push_blob("team/app", LOST)).status == 201
        assert (await yard.run(world)).settled == 0
        assert (await alice.blob("team/app", Digest.of(LOST))).body == LOST


class TestUntagged:
    async def test_they_are_parked_by_one_run_and_go_with_another(self, world: World, alice: Person) -> None:
        lone, team = image("alone"), 1
        assert (await alice.push(f"team/app@{lone.digest}", lone)).status == 201
        await yard.let_time_pass(world.db)
        await yard.run(world)
        parked = {key for key, why in (await yard.waiting(world.db)).items() if why == "untagged"}
        assert {digest for _, digest in parked} == {lone.digest}
        assert (await alice.pull(f"team/app@{lone.digest}")).status == 200
        await yard.let_time_pass(world.db)
        done = await yard.run(world, delete_untagged=True)
        assert (done.manifests, done.links, done.blobs) == (1, 2, 1)
        assert await yard.waiting(world.db) == {}
        assert await yard.digests(world.db, artifacts) == {image("base").digest}
        assert await yard.broken(world.db) == []
        assert team

    async def test_a_push_takes_it_out_of_the_parking(self, world: World, alice: Person) -> None:
        lone = image("alone")
        assert (await alice.push(f"team/app@{lone.digest}", lone)).status == 201
        await yard.let_time_pass(world.db)
        await yard.run(world)
        assert (await alice.push_manifest("team/app:now", lone)).status == 201
        assert set((await yard.waiting(world.db)).values()) == {None}
        await yard.let_time_pass(world.db)
        assert (await yard.run(world, delete_untagged=True)).manifests == 0

    async def test_indexes_go_before_their_children(self, world: World, alice: Person) -> None:
        """Nested, a shared child, a diamond: what a tag reaches stays, the rest goes, from the top."""
        shared, other, own = image("shared"), image("other"), image("own")
        inner, outer = index(shared, other), index(own, index(shared, other))
        assert (await alice.push("team/app:keep", index(shared))).status == 201
        assert (await alice.push(f"team/app@{outer.digest}", outer)).status == 201
        diamond = index(index(own), index(own, other))
        assert (await alice.push(f"team/app@{diamond.digest}", diamond)).status == 201
        await yard.let_time_pass(world.db)
        dry = await yard.run(world, 1, delete_untagged=True, dry_run=True)
        real = await yard.run(world, 2, delete_untagged=True)
        assert (dry.manifests, dry.links, dry.blobs, dry.freed) == (
            real.manifests,
            real.links,
            real.blobs,
            real.freed,
        )
        assert await yard.noted(world.db, 1) == await yard.noted(world.db, 2)
        left = await yard.digests(world.db, artifacts)
        assert left == {image("base").digest, shared.digest, index(shared).digest}
        assert inner.digest not in left
        assert await yard.broken(world.db) == []
        assert await yard.waiting(world.db) == {}

    async def test_referrers_go_with_what_they_are_about(self, world: World, alice: Person) -> None:
        def about(what: Digest, name: str) -> object:
            subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": what, "size": 1}
            return image(name, subject=subject)

        signature = about(image("base").digest, "signature")
        deeper = about(signature.digest, "deeper")  # type: ignore[attr-defined]
        for each in (deeper, signature):
            assert (await alice.push(f"team/app@{each.digest}", each)).status == 201  # type: ignore[attr-defined,arg-type]
        await yard.let_time_pass(world.db)
        assert (await yard.run(world, delete_untagged=True)).manifests == 0
        assert (await alice.delete(f"team/app@{image('base').digest}")).status == 202
        await yard.let_time_pass(world.db)
        done = await yard.run(world, delete_untagged=True, now=True)
        assert done.manifests == 2
        assert await yard.digests(world.db, artifacts) == set()
        assert await yard.digests(world.db, blobs) == set()
        assert await yard.waiting(world.db) == {}
        assert await yard.broken(world.db) == []


class TestWhoMayRun:
    @pytest.mark.parametrize("switches", [Switches(False, False), Switches(True, True)])
    async def test_a_switch_stops_it_before_anything(
        self, world: World, alice: Person, switches: Switches
    ) -> None:
        await yard.let_time_pass(world.db)
        before = await world.stored()
        with pytest.raises(CollectionOff):
            await collect(
                world.db, world.parts.store, Periods(1, 1, 60), Options(1), yard.silent, switches=switches
            )
        assert await world.stored() == before

    async def test_a_writer_that_refuses_stops_it(self, world: World, alice: Person) -> None:
        class GivenUpError(Exception):
            pass

        async def write(body: object, *, soft: bool = False) -> object:
            raise GivenUpError

        await yard.let_time_pass(world.db)
        before = await world.stored()
        with pytest.raises(GivenUpError):
            await collect(
                world.db,
                world.parts.store,
                Periods(1, 1, 60),
                Options(1),
                yard.silent,
                write,  # type: ignore[arg-type]
                switches=yard.ON,
            )
        assert await world.stored() == before

    async def test_it_says_how_far_it_is(self, world: World, alice: Person) -> None:
        told: list[Progress] = []

        async def listen(progress: Progress) -> None:
            told.append(progress)

        await yard.let_time_pass(world.db)
        store = world.parts.store
        done = await collect(world.db, store, Periods(1, 1, 60), Options(1), listen, switches=yard.ON)
        assert told[-1].collected == done


@pytest.mark.parametrize("now", [False, True])
async def test_one_digest_that_fails_is_found_and_left_for_later(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch, now: bool
) -> None:
    real = yard_links().release

    async def release(conn: object, project: int, digests: list[str]) -> object:
        if Digest.of(LOST) in digests:
            raise Unavailable("no")
        return await real(conn, project, digests)  # type: ignore[arg-type]

    for name in ("a", "b", "c"):
        assert (await alice.push_blob("team/app", layer(name))).status == 201
    await yard.let_time_pass(world.db)
    monkeypatch.setattr(yard_links(), "release", release)
    done = await yard.run(world, now=now)
    assert (done.failed, done.links, done.blobs) == (1, 3, 3)
    (row,) = await world.rows(gc_reviews)
    assert (row["digest"], row["tries"]) == (Digest.of(LOST), 1)
    assert row["review_at"] > 1


def yard_links() -> object:
    from fairway.features.gc.store import links

    return links


async def test_bytes_go_when_the_trash_is_emptied(world: World, alice: Person) -> None:
    await yard.let_time_pass(world.db)
    await yard.run(world)
    await world.run(trash.update().values(not_before=1))
    assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
    assert len(world.files()) == 2


async def test_all_workers_together(db: Database, world: World, alice: Person) -> None:
    for n in range(30):
        assert (await alice.push_blob("team/app", layer(f"lost {n}"))).status == 201
    await yard.let_time_pass(world.db)
    done = await yard.run(world, workers=5)
    assert (done.links, done.blobs) == (31, 31)
    assert await world.db.scalar(select(blobs.c.id).where(blobs.c.digest == Digest.of(KEPT)))
