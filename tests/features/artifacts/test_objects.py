"""One digest, one object: what is pushed twice is kept once, and what was damaged is replaced by the next push."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fairway.core.oci.digest import Digest
from fairway.frame.db import SECOND, now_us
from fairway.frame.db.tables import artifacts, blobs, project_blobs, trash
from fairway.frame.db.tables.content import CORRUPT, LIVE
from stories.world import Person, World, image, layer

DATA = layer("data")
DIGEST = Digest.of(DATA)


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns two projects."""
    alice = await world.person("alice")
    for name in ("team", "other"):
        await world.project(name, alice)
    return alice


async def the_row(world: World) -> dict[str, Any]:
    (row,) = await world.rows(blobs)
    return row


async def file_of(world: World) -> Path:
    return world.settings.storage_path / str((await the_row(world))["key"])


class TestOneObject:
    async def test_a_second_push_needs_no_second_object(self, world: World, alice: Person) -> None:
        for repo in ("team/app", "team/app", "other/app"):
            assert (await alice.push_blob(repo, DATA)).status == 201
        assert world.files() == [(await the_row(world))["key"]]
        links = await world.rows(project_blobs)
        assert {link["blob_id"] for link in links} == {(await the_row(world))["id"]}
        assert len(links) == 2

    async def test_it_is_hashed_all_the_same(self, world: World, alice: Person) -> None:
        await alice.push_blob("team/app", DATA)
        before = await world.stored()
        for repo in ("team/app", "other/app"):
            assert (await alice.push_blob(repo, b"other bytes", DIGEST)).short == (400, "DIGEST_INVALID")
        assert await world.stored() == before

    async def test_a_key_is_never_used_twice(self, world: World, alice: Person) -> None:
        keys = set()
        for _ in range(3):
            await alice.push_blob("team/app", DATA)
            keys.add((await the_row(world))["key"])
            await alice.blob("team/app", DIGEST, "DELETE")
            await world.run(blobs.delete())
        assert len(keys) == 3
        assert set(world.files()) == keys  # nobody removed what the collector was not asked about

    async def test_two_algorithms_are_two_blobs(self, world: World, alice: Person) -> None:
        long = Digest.of(DATA, "sha512")
        for digest in (DIGEST, long):
            assert (await alice.push_blob("team/app", DATA, digest)).status == 201
            assert (await alice.blob("team/app", digest))["docker-content-digest"] == digest
        assert [key.partition("/")[0] for key in world.files()] == ["sha256", "sha512"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lose(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, lose])
class TestADamagedObject:
    async def test_it_is_not_shown_any_more(
        self, world: World, alice: Person, damage: Callable[[Path], None]
    ) -> None:
        await alice.push("team/app:v1", image("base"))
        await alice.push("other/app:v1", image("base"))
        base = Digest.of(layer("base"))
        (row,) = [row for row in await world.rows(blobs) if row["digest"] == base]
        damage(world.settings.storage_path / row["key"])
        assert (await alice.blob("team/app", base)).short == (404, "BLOB_UNKNOWN")
        (row,) = [row for row in await world.rows(blobs) if row["digest"] == base]
        assert row["state"] == CORRUPT
        assert (await alice.blob("other/app", base, "HEAD")).status == 404
        assert (await alice.mount("other/new", base, "team/app")).status == 202
        again = await alice.push_manifest("team/app:v2", image("base"))
        assert again.short == (400, "MANIFEST_BLOB_UNKNOWN")

    async def test_the_next_push_repairs_it_for_everybody(
        self, world: World, alice: Person, damage: Callable[[Path], None]
    ) -> None:
        for repo in ("team/app", "other/app"):
            await alice.push_blob(repo, DATA)
        old = (await the_row(world))["key"]
        damage(await file_of(world))
        assert (await alice.blob("team/app", DIGEST)).status == 404
        assert (await alice.push_blob("other/app", DATA)).status == 201
        row = await the_row(world)
        assert (row["state"], row["key"] != old) == (LIVE, True)
        for repo in ("team/app", "other/app"):
            assert (await alice.blob(repo, DIGEST)).body == DATA
        (thrown,) = await world.rows(trash)
        assert thrown["key"] == old
        now = await world.db.scalar(select(now_us()))
        assert now < thrown["not_before"] <= now + world.settings.trash_seconds * SECOND

    async def test_a_push_that_finds_it_first_repairs_it_too(
        self, world: World, alice: Person, damage: Callable[[Path], None]
    ) -> None:
        await alice.push_blob("team/app", DATA)
        old = await the_row(world)
        damage(await file_of(world))
        assert (await alice.push_blob("team/app", DATA)).status == 201
        assert (await alice.blob("team/app", DIGEST)).body == DATA
        assert (await the_row(world))["key"] != old["key"]
        assert [row["key"] for row in await world.rows(trash)] == [old["key"]]

    async def test_repairing_is_not_charged_again(
        self, world: World, alice: Person, damage: Callable[[Path], None]
    ) -> None:
        await alice.push_blob("team/app", DATA)
        before = await world.stored()
        damage(await file_of(world))
        await alice.push_blob("team/app", DATA)
        after = await world.stored()
        for table in ("project_blobs", "quotas", "quota_deltas"):
            assert after[table] == before[table]


class TestADamagedManifest:
    async def test_it_is_never_passed_on_and_the_next_push_repairs_it(
        self, world: World, alice: Person
    ) -> None:
        wanted = image("base")
        await alice.push("team/app:v1", wanted)
        await world.run(artifacts.update().values(payload=wanted.manifest.raw[:-1] + b" "))
        for ref in (":v1", f"@{wanted.digest}"):
            answer = await alice.pull(f"team/app{ref}")
            assert answer.status >= 400
            assert b"layers" not in answer.body
        assert (await alice.push_manifest("team/app:v1", wanted)).status == 201
        assert (await alice.pull("team/app:v1")).body == wanted.manifest.raw
