"""What Prometheus hears of the collector."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from fairway.core.oci.errors import Unavailable
from fairway.core.stores.disk import DiskStore
from fairway.core.stores.protocols import BlobStore
from fairway.features.gc import measures as gc
from fairway.features.gc.jobs import GcArguments
from fairway.features.gc.model import GARBAGE_COLLECTION
from fairway.features.gc.store.standing import waiting
from fairway.features.registry import housekeeping
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import executions, gc_reviews, trash
from fairway.frame.jobs import queue
from fairway.frame.metrics import metrics
from features.gc import yard
from stories.world import Person, World, image, layer

LOST = b"a blob of no image"


def said(name: str) -> float:
    found = metrics().registry.get_sample_value(name)
    assert found is not None, name
    return found


@pytest.fixture
def since() -> Callable[[str], float]:
    """By how much a counter has grown in this test."""
    gc.measures()
    names = ("freed_bytes", "freed_blobs", "deleted_manifests", "released_links", "trash_failures")
    before = {name: said(f"fairway_gc_{name}_total") for name in names}
    return lambda name: said(f"fairway_gc_{name}_total") - before[name]


@pytest.fixture
async def alice(world: World) -> Person:
    """Somebody with an image that is needed, an untagged one, and a blob that nothing needs."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    lone = image("base", "alone")
    assert (await alice.push(f"team/app@{lone.digest}", lone)).status == 201
    assert (await alice.push_blob("team/app", LOST)).status == 201
    await yard.let_time_pass(world.db)
    return alice


async def collect(world: World, **asked: bool) -> None:
    job = world.parts.jobs[GARBAGE_COLLECTION]
    arguments = GcArguments(**asked)
    await world.db.write(
        lambda conn: queue.enqueue(conn, job, arguments, parameters={"dry_run": arguments.dry_run})
    )
    await world.work()


async def test_what_runs_free_is_counted_and_what_they_would_is_not(
    world: World, alice: Person, since: Callable[[str], float]
) -> None:
    await collect(world, dry_run=True, delete_untagged=True)
    assert [since(name) for name in ("freed_bytes", "freed_blobs", "deleted_manifests")] == [0, 0, 0]
    await gc.measures().look(world.db)
    assert said("fairway_gc_last_success_timestamp_seconds") == 0
    assert said("fairway_gc_reviews_due") > 0
    assert said("fairway_gc_oldest_due_seconds") > 86_400
    await collect(world, delete_untagged=True)
    assert since("freed_bytes") == len(LOST) + len(layer("alone"))
    assert (since("freed_blobs"), since("deleted_manifests"), since("released_links")) == (2, 1, 3)
    await gc.measures().look(world.db)
    [*_, last] = await world.rows(executions)
    assert said("fairway_gc_last_success_timestamp_seconds") == last["ended_at"] / SECOND
    assert said("fairway_gc_trash_objects") == 2
    assert said("fairway_gc_trash_bytes") == len(LOST) + len(layer("alone"))
    assert said("fairway_gc_trash_oldest_due_seconds") == 0, "its time has not come"
    assert (said("fairway_gc_reviews_due"), said("fairway_gc_oldest_due_seconds")) == (0, 0)


async def test_nothing_is_counted_beyond_a_bound(world: World) -> None:
    now = int(await world.db.scalar(select(now_us())))
    reviews = [
        {"project_id": 1, "digest": f"sha256:{n}", "reason": "test", "review_at": now - (90 - n) * SECOND}
        for n in range(5)
    ]
    later = {"project_id": 2, "digest": "sha256:5", "reason": "test", "review_at": now + 3600 * SECOND}
    await world.run(gc_reviews.insert().values([*reviews, later]))
    parked = {**later, "digest": "sha256:6", "review_at": 1, "waits_for": "untagged"}
    await world.run(gc_reviews.insert().values(parked))
    keys = [{"key": f"k{n}", "size": 10, "not_before": now - (40 - n) * SECOND} for n in range(4)]
    await world.run(trash.insert().values(keys))
    everything, some = await waiting(world.db, 100), await waiting(world.db, 3)
    assert (everything["due"], everything["trash"], everything["trash_bytes"]) == (5, 4, 40)
    assert (some["due"], some["trash"], some["trash_bytes"]) == (3, 3, 30)
    for found in (everything, some):
        assert 90 <= found["due_seconds"] < 80 + 3600
        assert 40 <= found["trash_seconds"] < 40 + 3600


async def test_what_cannot_be_removed_is_counted(
    world: World, since: Callable[[str], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_store: BlobStore, _key: str) -> None:
        raise Unavailable("the disk is read-only")

    monkeypatch.setattr(DiskStore, "remove", fail)
    await world.run(trash.insert().values([{"key": f"k{n}", "size": 1, "not_before": 1} for n in range(3)]))
    assert await housekeeping.empty_trash(world.db, world.parts.store) == 0
    assert since("trash_failures") == 3
