"""What the background process does: each step takes what is due, leaves the rest, and may be repeated."""

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import Unavailable
from fairway.core.stores.memory import MemoryStore
from fairway.features.artifacts.store import blobs as blob_rows
from fairway.features.artifacts.store import uploads as upload_rows
from fairway.features.registry import housekeeping
from fairway.features.registry.housekeeping import Scrubbed
from fairway.frame.db import SECOND, ledger, now_us
from fairway.frame.db.tables import (
    blobs,
    leases,
    project_blobs,
    quota_deltas,
    quotas,
    refresh_tokens,
    trash,
    uploads,
)
from fairway.frame.db.tables.content import CORRUPT, LIVE
from stories.world import Person, World, image, layer

HOUR = 3600


@pytest.fixture
async def alice(world: World) -> Person:
    """She owns `team`."""
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


class TestUploads:
    """Uploads that nobody continues are dropped: the row first, then the bytes."""

    async def begin(self, world: World, alice: Person) -> tuple[str, Path]:
        """Where an upload goes on, and its bytes."""
        where = await alice.start_upload("team/app")
        await alice("PATCH", where, b"data")
        return where, world.settings.storage_path / "uploads" / where.rpartition("/")[2]

    async def age(self, world: World, where: str, seconds: int = 2 * HOUR) -> None:
        id = where.rpartition("/")[2]
        old = now_us() - seconds * SECOND
        await world.run(update(uploads).where(uploads.c.id == id).values(updated_at=old))
        os.utime(world.settings.storage_path / "uploads" / id, (time.time() - seconds,) * 2)

    async def expire(self, world: World) -> int:
        return await housekeeping.expire_uploads(world.db, world.parts.store, HOUR)

    async def test_only_those_nobody_continued(self, world: World, alice: Person) -> None:
        (stale, stale_file), (fresh, fresh_file) = [await self.begin(world, alice) for _ in range(2)]
        await self.age(world, stale)
        assert await self.expire(world) == 1
        assert (await alice("GET", stale)).short == (404, "BLOB_UPLOAD_UNKNOWN")
        assert not stale_file.exists()
        assert fresh_file.exists()
        assert (await alice("PUT", f"{fresh}?digest={Digest.of(b'data')}")).status == 201
        assert await self.expire(world) == 0

    async def test_one_that_was_continued_just_now_stays(self, world: World, alice: Person) -> None:
        where, file = await self.begin(world, alice)
        await self.age(world, where)
        (found,) = await upload_rows.abandoned(world.db, HOUR, 10)
        await alice("PATCH", where, b"more")
        assert not await world.db.write(lambda conn: upload_rows.forget(conn, found.id, HOUR))
        assert await self.expire(world) == 0
        assert file.read_bytes() == b"datamore"

    async def test_one_that_somebody_writes_to_stays_however_long_the_request_lasts(
        self, world: World, alice: Person
    ) -> None:
        held, idle = [await self.begin(world, alice) for _ in range(2)]
        for where, _ in (held, idle):
            await self.age(world, where)
        async with world.parts.store.uploads.hold(held[1].name):
            assert await self.expire(world) == 1
            assert (held[1].exists(), idle[1].exists()) == (True, False)
        assert (await alice("PATCH", held[0], b"more")).status == 202

    async def test_one_whose_bytes_are_young_stays(self, world: World, alice: Person) -> None:
        where, file = await self.begin(world, alice)
        await self.age(world, where)
        os.utime(file)
        assert await self.expire(world) == 0
        assert (await alice("PATCH", where, b"more")).status == 202

    async def test_any_number_of_them_in_one_turn(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "_BATCH", 2)
        begun = [await self.begin(world, alice) for _ in range(5)]
        for where, _ in begun:
            await self.age(world, where)
        async with world.parts.store.uploads.hold(begun[0][1].name):
            assert await self.expire(world) == 4

    async def test_a_row_whose_bytes_are_gone(self, world: World, alice: Person) -> None:
        where, file = await self.begin(world, alice)
        await self.age(world, where)
        file.unlink()
        assert await self.expire(world) == 1
        assert await world.count(uploads) == 0

    async def test_bytes_without_a_row(self, world: World, alice: Person) -> None:
        _, orphan = await self.begin(world, alice)
        _, young = await self.begin(world, alice)
        await world.run(uploads.delete())
        os.utime(orphan, (0, 0))
        assert await self.expire(world) == 1
        assert (orphan.exists(), young.exists()) == (False, True)

    async def test_one_whose_row_is_young_stays_whatever_the_time_of_its_file(
        self, world: World, alice: Person
    ) -> None:
        where, file = await self.begin(world, alice)
        os.utime(file, (0, 0))  # to a process whose clock is ahead, every file looks old
        assert await self.expire(world) == 0
        assert (await alice("PATCH", where, b"more")).status == 202

    async def test_they_make_room_for_others(self, world: World, alice: Person) -> None:
        for _ in range(3):
            where, _ = await self.begin(world, alice)
            await self.age(world, where)
        assert await self.expire(world) == 3
        assert world.files() == []
        assert await world.count(uploads) == 0


class TestTheTrash:
    async def throw(self, world: World, alice: Person, name: str, seconds: int) -> Path:
        """Bytes that may be removed `seconds` from now."""
        await alice.push_blob("team/app", layer(name))
        (row,) = [row for row in await world.rows(blobs) if row["digest"] == Digest.of(layer(name))]
        due = now_us() + seconds * SECOND
        await world.run(insert(trash).values(key=row["key"], size=row["size"], not_before=due))
        return world.settings.storage_path / str(row["key"])

    async def test_bytes_go_when_their_time_is_over(self, world: World, alice: Person) -> None:
        due = await self.throw(world, alice, "due", -1)
        later = await self.throw(world, alice, "later", HOUR)
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
        assert (due.exists(), later.exists()) == (False, True)
        assert [row["key"] for row in await world.rows(trash)] == [
            str(later.relative_to(world.settings.storage_path))
        ]
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 0

    async def test_bytes_that_are_gone_already_are_fine(self, world: World, alice: Person) -> None:
        (await self.throw(world, alice, "due", -1)).unlink()
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
        assert await world.rows(trash) == []

    async def test_any_number_of_them_in_one_turn(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "_BATCH", 2)
        for n in range(5):
            await self.throw(world, alice, f"due {n}", -1)
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 5
        assert world.files() == []

    async def test_what_cannot_be_removed_keeps_nobody_waiting(self, world: World, alice: Person) -> None:
        stuck = await self.throw(world, alice, "stuck", -HOUR)
        due = await self.throw(world, alice, "due", -1)
        stuck.unlink()
        stuck.mkdir()
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
        assert not due.exists()
        assert [row["key"] for row in await world.rows(trash)] == [
            str(stuck.relative_to(world.settings.storage_path))
        ]
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 0, "it is tried again later"

    async def test_a_storage_that_removes_nothing_is_left_alone_until_the_next_turn(
        self, world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "_BATCH", 2)
        for number in range(3):
            stuck = await self.throw(world, alice, f"stuck {number}", -HOUR)
            stuck.unlink()
            stuck.mkdir()
        due = await self.throw(world, alice, "due", -1)
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 0
        assert due.exists(), "two failed: enough for one turn"
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
        assert not due.exists()

    async def test_one_object_of_a_thousand_that_cannot_be_removed(self, world: World) -> None:
        """G5."""

        class Stubborn(MemoryStore):
            async def remove(self, key: str) -> None:
                if key == "stuck":
                    raise Unavailable("access denied")
                await super().remove(key)

        keys = ["stuck", *(f"object {n}" for n in range(999))]
        rows = [{"key": key, "size": 1, "not_before": 1} for key in keys]
        await world.run(insert(trash).values(rows))
        assert await housekeeping.empty_trash(world.db, Stubborn()) == 999
        (row,) = await world.rows(trash)
        assert (row["key"], row["not_before"] > 1) == ("stuck", True)

    async def test_two_processes_may_empty_it_at_once(self, world: World, alice: Person) -> None:
        for n in range(5):
            await self.throw(world, alice, f"due {n}", -1)
        await asyncio.gather(*(housekeeping.empty_trash(world.db, world.parts.store) for _ in range(3)))
        assert world.files() == []
        assert await world.rows(trash) == []


class TestQuotaDeltas:
    async def test_they_are_added_to_each_project(self, world: World, alice: Person) -> None:
        other = await world.project("other", alice)
        await alice.push("team/app:v1", image("base"))
        await alice.push_blob("other/app", bytes(100))
        await alice.blob("other/app", Digest.of(bytes(100)), "DELETE")
        assert await housekeeping.fold_quota_deltas(world.db) == 2
        used = {row["project_id"]: row["used"] for row in await world.rows(quotas)}
        assert used == {other - 1: image("base").size, other: 0}
        assert await world.rows(quota_deltas) == []

    async def test_nothing_is_lost_or_counted_twice_while_pushes_go_on(
        self, world: World, alice: Person
    ) -> None:
        async def fold() -> None:
            for _ in range(10):
                await housekeeping.fold_quota_deltas(world.db)
                await asyncio.sleep(0)

        pushes = [alice.push_blob("team/app", bytes([n]) * 100) for n in range(20)]
        await asyncio.gather(*pushes, fold(), fold())
        (project,) = [row["project_id"] for row in await world.rows(quotas)]
        assert await ledger.used(world.db, project) == 2000
        await housekeeping.fold_quota_deltas(world.db)
        assert [row["used"] for row in await world.rows(quotas)] == [2000]


class TestWhatExpires:
    async def test_leases_and_refresh_tokens_are_forgotten_when_they_are_over(
        self, world: World, alice: Person
    ) -> None:
        for name in ("over", "kept"):
            await alice.push_blob("team/app", layer(name))
            await alice.ask_token(offline_token="true", client_id=name)
        over = Digest.of(layer("over"))
        await world.run(update(leases).where(leases.c.digest == over).values(until_at=0))
        await world.run(
            update(refresh_tokens).where(refresh_tokens.c.client_id == "over").values(expires_at=0)
        )
        assert await housekeeping.forget_expired(world.db) == 2
        assert [row["digest"] for row in await world.rows(leases)] == [Digest.of(layer("kept"))]
        assert [row["client_id"] for row in await world.rows(refresh_tokens)] == ["kept"]
        assert await housekeeping.forget_expired(world.db) == 0

    async def test_many_leases_go_in_small_transactions(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "_BATCH", 2)
        rows = [{"project_id": 1, "digest": f"{n}", "until_at": n} for n in range(5)]
        await world.run(insert(leases).values(rows))
        assert await world.db.write(lambda conn: ledger.drop_expired_leases(conn, 2)) == 2
        assert [row["digest"] for row in await world.rows(leases)] == ["2", "3", "4"]
        assert await housekeeping.forget_expired(world.db) == 3
        assert await world.rows(leases) == []


class TestScrubbing:
    """Blobs are hashed again, those checked longest ago first; a damaged one is not shown until it is pushed again."""

    async def scrub(self, world: World, limit: int = 10) -> Scrubbed:
        return await housekeeping.scrub_once(world.db, world.parts.store, limit=limit, rate=None)

    async def flip_a_bit(self, world: World, digest: Digest) -> None:
        (row,) = [row for row in await world.rows(blobs) if row["digest"] == digest]
        path = world.settings.storage_path / str(row["key"])
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.write_bytes(data)

    async def test_all_is_well(self, world: World, alice: Person) -> None:
        await alice.push("team/app:v1", image("base", "code"))
        assert await self.scrub(world) == Scrubbed(3)
        assert {row["state"] for row in await world.rows(blobs)} == {LIVE}
        assert 0 not in {row["checked_at"] for row in await world.rows(blobs)}

    async def test_everybody_has_a_turn(self, world: World, alice: Person) -> None:
        for n in range(4):
            await alice.push_blob("team/app", layer(str(n)))
        await self.scrub(world, limit=3)
        unchecked = [row["digest"] for row in await world.rows(blobs) if row["checked_at"] == 0]
        assert len(unchecked) == 1
        checked = next(row["id"] for row in await world.rows(blobs) if row["digest"] not in unchecked)
        await world.run(update(blobs).where(blobs.c.id == checked).values(checked_at=1))
        assert await self.scrub(world, limit=2) == Scrubbed(2)
        assert min(row["checked_at"] for row in await world.rows(blobs)) > 1

    async def test_a_flipped_bit_is_found_and_the_next_push_repairs_it(
        self, world: World, alice: Person
    ) -> None:
        await alice.push("team/app:v1", image("base"))
        base = Digest.of(layer("base"))
        await self.flip_a_bit(world, base)
        assert (await alice.blob("team/app", base, "HEAD")).status == 200  # nobody can know yet
        assert await self.scrub(world) == Scrubbed(2, damaged=1)
        assert (await alice.blob("team/app", base)).short == (404, "BLOB_UNKNOWN")
        (row,) = [row for row in await world.rows(blobs) if row["digest"] == base]
        assert row["state"] == CORRUPT
        assert base in {link["digest"] for link in await world.rows(project_blobs)}
        assert await self.scrub(world) == Scrubbed(2, damaged=1)  # still
        await alice.push_blob("team/app", layer("base"))
        assert (await alice.blob("team/app", base)).body == layer("base")
        assert await self.scrub(world) == Scrubbed(2)

    async def test_a_lost_object_is_damaged_too(self, world: World, alice: Person) -> None:
        await alice.push_blob("team/app", layer("base"))
        (file,) = world.files()
        (world.settings.storage_path / file).unlink()
        assert await self.scrub(world) == Scrubbed(1, damaged=1)

    async def test_a_blob_thought_damaged_is_offered_again_when_its_bytes_are_right(
        self, world: World, alice: Person
    ) -> None:
        await alice.push_blob("team/app", layer("base"))
        base = Digest.of(layer("base"))
        await self.flip_a_bit(world, base)
        assert await self.scrub(world) == Scrubbed(1, damaged=1)
        await self.flip_a_bit(world, base)  # back
        assert await self.scrub(world) == Scrubbed(1)
        assert (await alice.blob("team/app", base)).body == layer("base")

    async def test_a_bad_sector_is_counted_named_and_passed(
        self,
        world: World,
        alice: Person,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in ("good", "bad", "fine"):
            await alice.push_blob("team/app", layer(name))
        bad = Digest.of(layer("bad"))
        read = os.pread

        def pread(fd: int, length: int, start: int) -> bytes:
            if bad.hex in Path(f"/proc/self/fd/{fd}").readlink().name:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(fd, length, start)

        monkeypatch.setattr(os, "pread", pread)
        assert await self.scrub(world) == Scrubbed(3, unreadable=1)
        assert bad in capsys.readouterr().out
        assert {row["state"] for row in await world.rows(blobs)} == {LIVE}
        assert 0 not in {row["checked_at"] for row in await world.rows(blobs)}

    async def test_the_order_is_that_of_an_index(self, world: World) -> None:
        explain = "EXPLAIN QUERY PLAN " if world.db.dialect == "sqlite" else "EXPLAIN "
        rows = await world.db.all(text(f"{explain}{blob_rows._UNCHECKED}"), limit=50)
        plan = " ".join(str(tuple(row)) for row in rows)
        assert "ix_blobs_checked_at" in plan
