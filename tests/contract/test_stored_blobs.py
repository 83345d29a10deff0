"""What every blob store does with finished blobs: keys, reading, damage, identity."""

import asyncio
import re
from contextlib import aclosing

import pytest

from contract.blob_worlds import (
    World,
    append,
    body,
    content,
    keys,
    memory_world,
    part,
    push,
    s3_world,
    some_bytes,
)
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unavailable
from fairway.core.stores.protocols import ObjectDamaged, ObjectMissing
from fairway.core.stores.scrub import matches

MIB = 1024 * 1024


# ---------------------------------------------------------------- keys


async def test_the_same_bytes_twice_get_two_keys_that_never_meet(world: World) -> None:
    first, second = await push(world.store, b"same"), await push(world.store, b"same")
    assert first.key != second.key
    await world.store.remove(first.key)
    assert await content(world.store, second) == b"same"


async def test_many_clients_may_push_the_same_bytes_at_once(world: World) -> None:
    data = some_bytes(700_000)
    stored = await asyncio.gather(*(push(world.store, data) for _ in range(20)))
    assert len({each.key for each in stored}) == 20
    assert all([await content(world.store, each) == data for each in stored])


async def test_removing_is_final_and_may_be_repeated(world: World) -> None:
    stored = await push(world.store, b"x")
    await world.store.remove(stored.key)
    await world.store.remove(stored.key)
    with pytest.raises(ObjectMissing):
        await world.store.size(stored.key)
    with pytest.raises(ObjectMissing):
        await content(world.store, stored)


async def test_every_blob_is_listed_and_no_upload_in_progress(world: World) -> None:
    stored = [await push(world.store, some_bytes(size)) for size in (0, 1, 5000)]
    await append(world.store, await world.store.uploads.begin(), body(b"not yet"))
    found = [each async for each in world.store.objects()]
    assert {(each.key, each.size) for each in found} == {(each.key, each.size) for each in stored}
    assert all(each.modified > 1.6e9 for each in found)


async def test_listing_copes_with_blobs_that_come_and_go(world: World) -> None:
    stored = [await push(world.store, bytes([number])) for number in range(30)]
    seen = []
    async for found in world.store.objects():
        seen.append(found.key)
        for each in stored:
            await world.store.remove(each.key)
    assert set(seen) <= {each.key for each in stored}


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (0, 1), (5, 5), (999_999, 1_000_000), (262_143, 786_433), (1, 1_000_000)]
)
async def test_any_part_can_be_read(world: World, start: int, end: int) -> None:
    data = some_bytes(1_000_000)
    assert await part(world.store, await push(world.store, data), start, end) == data[start:end]


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 1), (0, 4), (4, 4)])
async def test_a_part_outside_the_blob_is_refused(world: World, start: int, end: int) -> None:
    stored = await push(world.store, b"abc")
    with pytest.raises(ValueError, match="not within"):
        await part(world.store, stored, start, end)


async def test_a_reader_may_stop_at_any_time(world: World) -> None:
    stored = await push(world.store, some_bytes(6 * MIB))
    async with aclosing(world.store.blob(stored.key, stored.size).read(0, stored.size)) as reading:
        async for _ in reading:
            break
    assert [chunk async for chunk in reading] == []


@pytest.mark.parametrize("damaged", [b"", b"shor", b"longer than before"])
async def test_a_blob_of_another_size_is_never_given_out(world: World, damaged: bytes) -> None:
    stored = await push(world.store, b"right")
    await world.overwrite(stored.key, damaged)
    with pytest.raises(ObjectDamaged):
        await content(world.store, stored)


@pytest.mark.parametrize("damaged", [b"", b"shor", b"longer than before", b"wrong"])
async def test_scrubbing_finds_all_damage(world: World, damaged: bytes) -> None:
    stored, digest = await push(world.store, b"right"), Digest.of(b"right")
    assert await matches(world.store, stored.key, stored.size, digest, rate=1e9)
    await world.overwrite(stored.key, damaged)
    assert not await matches(world.store, stored.key, stored.size, digest)
    await world.store.remove(stored.key)
    assert not await matches(world.store, stored.key, stored.size, digest)


async def test_a_store_in_order_is_ready_and_checking_leaves_no_trace(world: World) -> None:
    await world.store.check()
    assert await keys(world.store) == []
    assert await world.store.uploads.expire(older_than=0) == 0


# ---------------------------------------------------------------- identity


async def test_all_processes_see_the_same_identity_and_no_two_stores_have_one(world: World) -> None:
    assert re.fullmatch("[0-9a-f]{32}", world.store.identity)
    assert world.another_process().identity == world.store.identity
    await world.store.confirm()
    assert await keys(world.store) == []
    assert len({memory_world().store.identity, s3_world().store.identity, world.store.identity}) == 3


async def test_a_store_that_was_replaced_behind_our_back_is_noticed(world: World) -> None:
    if world.be_another_store is None:
        pytest.skip("nobody can replace it")
    await world.be_another_store()
    for look in (world.store.confirm, world.store.check):
        with pytest.raises(Unavailable):
            await look()
