"""Quotas: a project that is full takes nothing more, however many push at once, and gives back what is deleted."""

import asyncio

import pytest
from sqlalchemy import update

from fairway.core.oci.digest import Digest
from fairway.features.artifacts import charges
from fairway.features.registry.housekeeping import fold_quota_deltas
from fairway.frame.db import ledger
from fairway.frame.db.tables import quota_deltas, quotas, uploads
from stories.world import Person, World, image, layer

LIMIT = 1000


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


@pytest.fixture
async def small(world: World, alice: Person) -> int:
    """Her project with room for a thousand bytes, which has just been told that this is not enough: so that no later
    refusal is recorded, and leaves nothing at all."""
    project = await world.project("small", alice, limit=LIMIT)
    assert (await alice.push_blob("small/app", bytes(LIMIT + 1))).status == 403
    await charges.all_told(world.db)
    return project


async def used(world: World, project: int) -> int:
    return await ledger.used(world.db, project)


async def test_all_bytes_of_a_project_count_once(world: World, alice: Person, small: int) -> None:
    await alice.push("small/app:v1", image("base"))
    assert await used(world, small) == image("base").size
    await alice.push("small/app:v2", image("base"))
    await alice.push("small/copy:v1", image("base"))
    assert await used(world, small) == image("base").size


async def test_a_mounted_blob_counts_too(world: World, alice: Person, small: int) -> None:
    await world.project("other", alice)
    await alice.push_blob("other/app", bytes(400))
    assert (await alice.mount("small/app", Digest.of(bytes(400)), "other/app")).status == 201
    assert await used(world, small) == 400


async def test_the_last_byte_fits(world: World, alice: Person, small: int) -> None:
    assert (await alice.push_blob("small/app", bytes(LIMIT))).status == 201
    assert await used(world, small) == LIMIT
    assert (await alice.push_blob("small/app", bytes(LIMIT))).status == 201  # it is there already


async def test_a_push_over_the_limit_is_denied_and_leaves_nothing(
    world: World, alice: Person, small: int
) -> None:
    assert (await alice.push_blob("small/app", bytes(600))).status == 201
    before = await world.stored()
    refused = await alice.push_blob("small/app", bytes(401))
    assert refused.short == (403, "DENIED")
    assert "1000 bytes" in refused.json["errors"][0]["message"]
    assert await world.stored() == before


async def test_an_upload_in_pieces_over_the_limit_leaves_nothing(
    world: World, alice: Person, small: int
) -> None:
    before = await world.stored()
    upload = await alice.start_upload("small/app")
    await alice("PATCH", upload, bytes(LIMIT + 1))
    refused = await alice("PUT", f"{upload}?digest={Digest.of(bytes(LIMIT + 1))}")
    assert refused.short == (403, "DENIED")
    assert (await alice("GET", upload)).short == (404, "BLOB_UPLOAD_UNKNOWN")
    assert await world.count(uploads) == 0
    assert await world.stored() == before


async def test_a_mount_over_the_limit_is_denied(world: World, alice: Person, small: int) -> None:
    await world.project("other", alice)
    await alice.push_blob("other/app", bytes(LIMIT + 1))
    before = await world.stored()
    answer = await alice.mount("small/app", Digest.of(bytes(LIMIT + 1)), "other/app")
    assert answer.short == (403, "DENIED")
    assert await world.stored() == before


async def test_a_manifest_over_the_limit_is_denied_and_moves_no_tag(
    world: World, alice: Person, small: int
) -> None:
    await alice.push("small/app:v1", image())
    big = image(annotations={"text": "x" * LIMIT})
    before = await world.stored()
    assert (await alice.push("small/app:v1", big)).short == (403, "DENIED")
    assert (await alice.pull("small/app:v1")).body == image().manifest.raw
    after = await world.stored()
    for table in ("artifacts", "artifact_links", "project_blobs", "quotas", "quota_deltas", "tags"):
        assert after[table] == before[table]


async def test_pushes_at_once_never_pass_the_limit(world: World, alice: Person, small: int) -> None:
    blobs = [bytes([n]) * 300 for n in range(8)]
    answers = await asyncio.gather(*(alice.push_blob("small/app", blob) for blob in blobs))
    accepted = [blob for blob, answer in zip(blobs, answers, strict=True) if answer.status == 201]
    assert len(accepted) == LIMIT // 300
    assert {answer.short for answer in answers if answer.status != 201} == {(403, "DENIED")}
    assert await used(world, small) == 300 * len(accepted)
    assert len(world.files()) == len(accepted)
    for blob in accepted:
        assert (await alice.blob("small/app", Digest.of(blob))).body == blob


async def test_the_same_blob_pushed_at_once_is_charged_once(world: World, alice: Person, small: int) -> None:
    answers = await asyncio.gather(*(alice.push_blob(f"small/app{n}", bytes(400)) for n in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert await used(world, small) == 400
    assert len(world.files()) == 1


async def test_what_is_deleted_makes_room(world: World, alice: Person, small: int) -> None:
    await alice.push("small/app:v1", image("base"))
    await alice.delete(f"small/app@{image('base').digest}")
    for blob in image("base").blobs:
        assert (await alice.blob("small/app", Digest.of(blob), "DELETE")).status == 202
    assert await used(world, small) == 0
    assert (await alice.push_blob("small/app", bytes(LIMIT))).status == 201


async def test_a_project_that_is_over_its_limit_may_still_delete(
    world: World, alice: Person, small: int
) -> None:
    await alice.push_blob("small/app", bytes(800))
    await world.run(update(quotas).where(quotas.c.project_id == small).values(hard=100))
    assert (await alice.push_blob("small/app", layer("more"))).short == (403, "DENIED")
    assert (await alice.blob("small/app", Digest.of(bytes(800)), "DELETE")).status == 202
    assert await used(world, small) == 0


async def test_without_a_limit_nobody_waits_for_the_projects_row(world: World, alice: Person) -> None:
    project = await world.project("large", alice)
    await alice.push("large/app:v1", image("base"))
    assert [row["used"] for row in await world.rows(quotas)] == [0]
    assert await used(world, project) == image("base").size
    assert await fold_quota_deltas(world.db) == 1
    assert [row["used"] for row in await world.rows(quotas)] == [image("base").size]
    assert await world.rows(quota_deltas) == []
    assert await fold_quota_deltas(world.db) == 0
    assert await used(world, project) == image("base").size
