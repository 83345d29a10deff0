"""Objects that nobody names are found, and go by way of the trash; rows without an object are only told."""

import os
import time
from pathlib import Path

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unavailable
from fairway.core.stores.disk import DiskStore
from fairway.features.gc.model import Reconciled
from fairway.features.gc.reconcile import reconcile
from fairway.features.gc.store.objects import digest_of
from fairway.features.registry import housekeeping
from fairway.frame.db.tables import blobs, trash
from stories.world import Person, World, image, layer

DAY = 86_400


async def silent(found: Reconciled) -> None:
    """Nobody listens."""


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


def orphan(world: World, name: str, age: float) -> Path:
    """An object that no row names, as a crash leaves it."""
    hex_ = Digest.of(name.encode()).hex
    file = world.settings.storage_path / f"sha256/{hex_[:2]}/{hex_}-{'0' * 32}"
    file.write_bytes(name.encode())
    os.utime(file, (time.time() - age, time.time() - age))
    return file


def make_old(world: World) -> None:
    """All that is stored is old, but for one object."""
    for name in world.files():
        os.utime(world.settings.storage_path / name, (1, 1))


async def test_what_nobody_names_is_told_and_stays(world: World, alice: Person) -> None:
    make_old(world)
    old, young = orphan(world, "old", 2 * DAY), orphan(world, "young", 0)
    before = await world.stored()
    found = await reconcile(world.db, world.parts.store, delete=False, report=silent)
    assert (found.objects, found.orphans, found.freed, found.missing) == (4, 1, 3, 0)
    assert found.orphan_keys == (str(old.relative_to(world.settings.storage_path)),)
    assert await world.stored() == before
    assert young.exists()


async def test_it_goes_by_way_of_the_trash(world: World, alice: Person) -> None:
    make_old(world)
    old, young = orphan(world, "old", 2 * DAY), orphan(world, "young", 0)
    assert (await reconcile(world.db, world.parts.store, delete=True, report=silent)).orphans == 1
    assert old.exists()
    again = await reconcile(world.db, world.parts.store, delete=True, report=silent)
    assert again.orphans == 0, "the trash names it now"
    await world.run(trash.update().values(not_before=1))
    assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
    assert (old.exists(), young.exists()) == (False, True)
    assert (await alice.blob("team/app", Digest.of(layer("base")))).body == layer("base")


async def test_a_clock_of_ours_that_is_ahead_makes_nothing_old(world: World, alice: Person) -> None:
    file = orphan(world, "young", 2 * DAY)  # by our clock; the storage has written nothing since
    for name in world.files():
        os.utime(world.settings.storage_path / name, (file.stat().st_mtime, file.stat().st_mtime))
    found = await reconcile(world.db, world.parts.store, delete=True, report=silent)
    assert found.orphans == 0


async def test_a_blob_whose_object_is_gone_is_told_and_stays(world: World, alice: Person) -> None:
    (row,) = [row for row in await world.rows(blobs) if row["digest"] == Digest.of(layer("base"))]
    (world.settings.storage_path / row["key"]).unlink()
    before = await world.stored()
    found = await reconcile(world.db, world.parts.store, delete=True, report=silent)
    assert (found.missing, found.missing_digests) == (1, (row["digest"],))
    assert await world.stored() == before


async def test_another_storage_is_not_believed(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def confirm(store: DiskStore) -> None:
        raise Unavailable("the storage is not the one that was opened")

    monkeypatch.setattr(DiskStore, "confirm", confirm)
    before = await world.stored()
    with pytest.raises(Unavailable):
        await reconcile(world.db, world.parts.store, delete=True, report=silent)
    assert await world.stored() == before


@pytest.mark.parametrize("key", ["sha256/ab/abcd-0123", "sha256:abcd-0123"])
def test_a_key_begins_with_the_digest_it_was_made_for(key: str) -> None:
    assert digest_of(key) == "sha256:abcd"
