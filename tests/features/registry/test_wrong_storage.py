"""A volume that is not mounted, or the wrong folder: nobody serves from it, and nobody takes its blobs for damaged."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairway.boot import build, open_store, store_of
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError, Unavailable
from fairway.core.stores.protocols import WrongStore
from fairway.features.registry import housekeeping
from fairway.frame.db import Database
from fairway.frame.db.tables import blobs, trash
from fairway.frame.db.tables.content import LIVE
from fairway.frame.settings import Settings
from stories.world import Person, World, layer

DATA = layer("base")
DIGEST = Digest.of(DATA)


@pytest.fixture
async def alice(world: World) -> Person:
    """She has pushed a blob."""
    alice = await world.person("alice")
    await world.project("team", alice)
    await alice.push_blob("team/app", DATA)
    return alice


@contextmanager
def unmounted(world: World) -> Iterator[None]:
    """The storage is an empty folder, as a mount point is; afterwards the volume is back."""
    root = world.settings.storage_path.resolve()
    away = root.with_name(f"{root.name}-away")
    root.rename(away)
    root.mkdir(mode=0o750)
    yield
    shutil.rmtree(root)
    away.rename(root)


class TestWhileRunning:
    async def test_a_pull_is_refused_for_now_and_nothing_is_marked(self, world: World, alice: Person) -> None:
        before = await world.stored()
        with unmounted(world):
            assert (await alice.blob("team/app", DIGEST)).short == (503, "UNAVAILABLE")
        assert await world.stored() == before
        assert (await alice.blob("team/app", DIGEST)).body == DATA

    async def test_a_push_replaces_nothing(self, world: World, alice: Person) -> None:
        before = await world.stored()
        with unmounted(world):
            assert (await alice.push_blob("team/app", DATA)).status == 503
        assert (await world.stored())["blobs"] == before["blobs"]

    async def test_the_scrub_stops(self, world: World, alice: Person) -> None:
        with unmounted(world), pytest.raises(Unavailable, match="mounted"):
            await housekeeping.scrub_once(world.db, world.parts.store, limit=10, rate=None)
        assert [(row["state"], row["checked_at"]) for row in await world.rows(blobs)] == [(LIVE, 0)]

    async def test_the_trash_keeps_what_could_not_be_removed(self, world: World, alice: Person) -> None:
        (row,) = await world.rows(blobs)
        await world.run(trash.insert().values(key=row["key"], size=row["size"], not_before=0))
        with unmounted(world), pytest.raises(Unavailable):
            await housekeeping.empty_trash(world.db, world.parts.store)
        assert await world.count(trash) == 1
        assert await housekeeping.empty_trash(world.db, world.parts.store) == 1
        assert world.files() == []

    async def test_it_is_not_ready(self, world: World, alice: Person) -> None:
        assert (await world.admin("GET", "/readyz")).status == 200
        with unmounted(world), pytest.raises(Unavailable):
            await world.parts.store.check()


def at(database_url: str, folder: Path) -> Settings:
    return Settings(data_dir=folder, database_url=database_url)


async def start(database_url: str, folder: Path) -> str:
    async with build(at(database_url, folder)) as parts:
        return parts.store.identity


class TestAtTheStart:
    async def test_the_database_knows_its_store_from_the_first_start_on(
        self, database_url: str, tmp_path: Path
    ) -> None:
        first = await start(database_url, tmp_path / "a")
        assert await start(database_url, tmp_path / "a") == first
        (tmp_path / "a").rename(tmp_path / "moved")
        assert await start(database_url, tmp_path / "moved") == first

    async def test_a_replica_with_a_folder_of_its_own_is_refused_and_makes_no_store(
        self, database_url: str, tmp_path: Path
    ) -> None:
        await start(database_url, tmp_path / "a")
        with pytest.raises(WrongStore, match=str(tmp_path / "b" / "storage")):
            await start(database_url, tmp_path / "b")
        assert not (tmp_path / "b" / "storage").exists()

    async def test_an_empty_database_takes_the_store_it_finds(
        self, database_url: str, sqlite_template: Path, tmp_path: Path
    ) -> None:
        shutil.copy(sqlite_template, tmp_path / "other.db")
        first = await start(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "a")
        assert await start(database_url, tmp_path / "a") == first

    async def test_of_two_first_starts_with_two_folders_one_is_refused(
        self, db: Database, database_url: str, tmp_path: Path
    ) -> None:
        async def opened(folder: str) -> str | FairwayError:
            store = store_of(at(database_url, tmp_path / folder))
            try:
                await open_store(store, db)
            except WrongStore as error:
                return error
            store.close()
            return store.identity

        outcomes = await asyncio.gather(opened("a"), opened("b"))
        assert {type(outcome) for outcome in outcomes} == {str, WrongStore}
