"""A deleted manifest can be had back with its tags, as long as it is kept; what it needs stays for it."""

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import QuotaExceeded
from fairway.core.oci.names import Repository
from fairway.features.artifacts import charges
from fairway.features.artifacts.model import Periods
from fairway.features.gc.model import NothingToUndo, Restored, UndoRefused
from fairway.features.gc.undo import undo, undoable
from fairway.features.projects.store import projects
from fairway.frame.db import SECOND, ledger
from fairway.frame.db.tables import (
    artifacts,
    blobs,
    deleted_artifacts,
    deleted_links,
    outbox,
    quotas,
    repositories,
)
from fairway.frame.db.tables import projects as project_rows
from features.gc import yard
from stories.world import Image, Person, World, image, index, layer

APP = Repository("team/app")
FIRST = image("base", "code")


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    for tag in ("v1", "v2"):
        assert (await alice.push(f"team/app:{tag}", FIRST)).status == 201
    return alice


async def project_of(world: World) -> int:
    return int(await world.db.scalar(select(project_rows.c.id).where(project_rows.c.name == "team")))


async def have_back(world: World, what: Image = FIRST) -> Restored:
    project = await project_of(world)
    return await undo(world.db, project, APP, what.digest, Periods(3600, 7200, 3600, 86_400), by="alice")


async def delete(alice: Person, what: Image = FIRST) -> None:
    assert (await alice.delete(f"team/app@{what.digest}")).status == 202


async def test_all_of_it_comes_back(world: World, alice: Person) -> None:
    project = await project_of(world)
    before = {row["digest"]: row for row in await world.rows(artifacts)}
    used = await ledger.used(world.db, project)
    await delete(alice)
    assert await ledger.used(world.db, project) == used - FIRST.manifest.size
    assert await have_back(world) == Restored(("v1", "v2"), ())
    after = {row["digest"]: row for row in await world.rows(artifacts)}
    changing = {"id"}
    assert {k: v for k, v in after[FIRST.digest].items() if k not in changing} == {
        k: v for k, v in before[FIRST.digest].items() if k not in changing
    }
    assert await ledger.used(world.db, project) == used
    assert (await alice.pull("team/app:v2")).body == FIRST.manifest.raw
    assert await world.rows(deleted_artifacts) == []
    assert (await world.rows(outbox))[-1]["kind"] == "artifact.restored"
    assert await yard.broken(world.db) == []


async def test_a_tag_that_belongs_to_another_stays_there(world: World, alice: Person) -> None:
    await delete(alice)
    assert (await alice.push("team/app:v1", image("new"))).status == 201
    assert await have_back(world) == Restored(("v2",), ("v1",))
    assert (await alice.pull("team/app:v1")).body == image("new").manifest.raw


async def test_the_collector_keeps_what_it_needs_until_its_time_is_over(world: World, alice: Person) -> None:
    await delete(alice)
    await yard.let_time_pass(world.db)
    assert (await yard.run(world, delete_untagged=True)).blobs == 0
    assert (await have_back(world)).tags == ("v1", "v2")
    await delete(alice)
    await world.run(update(deleted_artifacts).values(until_at=1))
    await world.run(update(deleted_links).values(until_at=1))
    await yard.let_time_pass(world.db)
    dry = await yard.run(world, 1, dry_run=True)
    real = await yard.run(world, 2)
    assert (
        (dry.blobs, dry.links, dry.freed) == (real.blobs, real.links, real.freed) == (3, 3, 2 + 2 * 170 - 40)
    )
    assert await yard.noted(world.db, 1) == await yard.noted(world.db, 2)
    assert await yard.digests(world.db, blobs) == set()
    assert await world.rows(deleted_artifacts) == []
    with pytest.raises(NothingToUndo):
        await have_back(world)


async def test_now_means_now(world: World, alice: Person) -> None:
    await delete(alice)
    await yard.let_time_pass(world.db)
    dry, real = await yard.run(world, 1, now=True, dry_run=True), await yard.run(world, 2, now=True)
    assert dry.blobs == real.blobs == 3
    with pytest.raises(NothingToUndo):
        await have_back(world)


async def test_children_and_signatures_wait_for_an_index_that_may_come_back(
    world: World, alice: Person
) -> None:
    child = image("child")
    both = index(child)
    assert (await alice.push("team/app:multi", both)).status == 201
    subject = {"mediaType": both.manifest.media_type, "digest": both.digest, "size": both.manifest.size}
    signature = image("signature", subject=subject)
    assert (await alice.push(f"team/app@{signature.digest}", signature)).status == 201
    await delete(alice, both)
    await yard.let_time_pass(world.db)
    assert (await yard.run(world, delete_untagged=True)).manifests == 0
    assert (await have_back(world, both)).tags == ("multi",)
    assert await yard.broken(world.db) == []


async def test_what_needs_something_that_is_gone_does_not_come_back(world: World, alice: Person) -> None:
    await delete(alice)
    assert (await alice.blob("team/app", Digest.of(layer("code")), "DELETE")).status == 202
    with pytest.raises(UndoRefused, match=str(Digest.of(layer("code")))):
        await have_back(world)
    assert await yard.broken(world.db) == []


async def test_what_was_pushed_again_is_there_already(world: World, alice: Person) -> None:
    await delete(alice)
    assert (await alice.push("team/app:v3", FIRST)).status == 201
    with pytest.raises(UndoRefused, match="pushed again"):
        await have_back(world)


async def test_it_is_charged_for(world: World, alice: Person) -> None:
    project = await project_of(world)
    await delete(alice)
    await world.db.write(ledger.fold_deltas)
    used = await ledger.used(world.db, project)
    await world.run(update(quotas).where(quotas.c.project_id == project).values(hard=used + 1))
    for turn in range(2):  # the first is recorded, too
        before = await world.stored()
        with pytest.raises(QuotaExceeded):
            await have_back(world)
        await charges.all_told(world.db)
        assert (await world.stored() == before) == bool(turn)
    told = json.loads((await world.rows(outbox))[-1]["payload"])
    assert (told["repository"], told["digest"], told["requested"] > 1) == ("team/app", FIRST.digest, True)


async def test_a_list_of_what_can_be_had_back(world: World, alice: Person) -> None:
    others = [image(f"other {n}") for n in range(3)]
    for other in others:
        assert (await alice.push("team/app:x", other)).status == 201
    for other in others:
        await delete(alice, other)
    project = await project_of(world)
    first, total = await undoable(world.db, project, offset=0, limit=2)
    rest, same = await undoable(world.db, project, offset=2, limit=2)
    assert total == same == 3
    assert [each.digest for each in [*first, *rest]] == [each.digest for each in reversed(others)]
    assert (first[0].tags, first[0].repository, first[0].deleted_by) == (("x",), "app", "alice")
    assert round((first[0].until_at - first[0].deleted_at) / SECOND) == 86_400


async def test_the_list_has_each_once_and_nothing_that_is_there(world: World, alice: Person) -> None:
    project = await project_of(world)

    async def listed() -> tuple[list[tuple[str, ...]], int]:
        found, total = await undoable(world.db, project, offset=0, limit=10)
        return [each.tags for each in found], total

    await delete(alice)
    assert await listed() == ([("v1", "v2")], 1)
    assert (await alice.push("team/app:v3", FIRST)).status == 201
    assert await listed() == ([], 0)
    await delete(alice)
    assert await listed() == ([("v3",)], 1)
    await have_back(world)
    with pytest.raises(UndoRefused, match="nothing is to be undone"):
        await have_back(world)


async def test_a_project_that_goes_takes_them_along(world: World, alice: Person) -> None:
    await delete(alice)
    project = await project_of(world)
    await world.run(repositories.delete())

    async def empty(conn: Any) -> bool:
        return await projects.empty(conn, project, grace_seconds=0, limit=1)

    while await world.db.write(empty):
        pass
    assert await world.rows(deleted_artifacts) == []
    assert await world.rows(deleted_links) == []
    await world.db.write(lambda conn: projects.remove(conn, project, alice.user, grace_seconds=0))
    with pytest.raises(NothingToUndo):
        await undo(world.db, project, APP, FIRST.digest, Periods(1, 1, 60, 1), by="x")


async def test_switched_off_it_is_gone_at_once(world: World, alice: Person) -> None:
    object.__setattr__(world.parts.hub.periods, "undo", 0)
    await delete(alice)
    assert await world.rows(deleted_artifacts) == []


async def test_an_index_says_which_child_is_to_be_had_back_first(world: World, alice: Person) -> None:
    child = image("child")
    parent = index(child)
    for each in (child, parent):
        assert (await alice.push(f"team/app@{each.digest}", each)).status == 201
    await delete(alice, parent)
    await delete(alice, child)
    with pytest.raises(UndoRefused, match=f"fairway gc undo team/app@{child.digest}"):
        await have_back(world, parent)
    await have_back(world, child)
    await have_back(world, parent)
    assert (await alice.pull(f"team/app@{parent.digest}")).status == 200
