"""Every step of a push between every two steps of the collector (G2): whoever was told "it is there" finds it there.

A refusal is allowed, if it is one that makes clients push the content again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from fairway.core.content.copy import copy
from fairway.core.content.local import Local
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUnknown, ManifestBlobUnknown, ManifestUnknown
from fairway.core.oci.names import Reference, Repository, Tag
from fairway.core.stores.disk import DiskStore
from fairway.core.wire.status import status_of
from fairway.features.artifacts.model import Caller, Periods
from fairway.features.gc.collect import collect
from fairway.features.gc.model import Options
from fairway.features.projects.store import projects
from fairway.features.registry import housekeeping
from fairway.frame.db.tables import gc_reviews, leases, trash
from features.gc import yard
from features.gc.pause import Pause
from stories.asgi import Answer
from stories.world import Image, Person, World, image, index, layer

POINTS = [
    ("gc.selected", 1),
    ("gc.selected", 2),
    ("gc.project_locked", 1),
    ("gc.project_locked", 2),
    ("gc.project_decided", 1),
    ("gc.project_decided", 2),
    ("gc.blob_locked", 1),
    ("gc.after_commit", 1),
    ("gc.after_commit", 2),
    ("gc.after_commit", 3),
]


@dataclass(frozen=True)
class Cell:
    """A project with garbage of its own: a blob, and an image without a tag; and another project beside it."""

    alice: Person
    name: str

    @property
    def app(self) -> str:
        return f"team{self.name}/app"

    @property
    def other(self) -> str:
        return f"other{self.name}/app"

    @property
    def lost(self) -> bytes:
        return layer(f"lost {self.name}")

    @property
    def digest(self) -> Digest:
        return Digest.of(self.lost)

    @property
    def of_lost(self) -> Image:
        return image(f"lost {self.name}")

    @property
    def lone(self) -> Image:
        return image(f"alone {self.name}")

    async def place(self, repo: Repository) -> Local:
        """Its project, as somebody sees it who may push there."""
        facts = await projects.facts(self.alice.world.db, self.alice.user, repo.project)
        assert facts is not None
        caller = Caller(f"user:{self.alice.id}", self.alice.name, may_push=True)
        return self.alice.world.parts.hub.local(facts.id, caller)

    async def copy(self, source: str, target: str, ref: Reference) -> Answer:
        """From one project to the other, inside the hub; the answer that a client would get of it."""
        repo, into = Repository(source), Repository(target)
        try:
            await copy(await self.place(repo), await self.place(into), repo, ref, into=into)
        except (BlobUnknown, ManifestUnknown, ManifestBlobUnknown) as error:
            return Answer(status_of(error))
        return Answer(201)

    async def whole(self, repo: str, what: Image) -> bool:
        """An image can be pulled by digest with all its blobs."""
        answer = await self.alice.pull(f"{repo}@{what.digest}")
        blobs = [(await self.alice.blob(repo, Digest.of(raw))).body == raw for raw in what.blobs]
        return answer.status == 200 and all(blobs)


def refused(answer: Answer) -> bool:
    return answer.short in {
        (404, "MANIFEST_BLOB_UNKNOWN"),
        (400, "MANIFEST_BLOB_UNKNOWN"),
        (404, "BLOB_UNKNOWN"),
    }


async def head(cell: Cell) -> Answer:
    return await cell.alice.blob(cell.app, cell.digest, "HEAD")


async def head_holds(cell: Cell, answer: Answer) -> bool:
    if answer.status == 404:
        return True
    pushed = await cell.alice.push_manifest(f"{cell.app}:now", cell.of_lost)
    return answer.status == 200 and pushed.status == 201 and await cell.whole(cell.app, cell.of_lost)


async def mount(cell: Cell) -> Answer:
    return await cell.alice.mount(cell.other, cell.digest, cell.app)


async def mount_holds(cell: Cell, answer: Answer) -> bool:
    if answer.status == 202:
        return True
    return answer.status == 201 and (await cell.alice.blob(cell.other, cell.digest)).body == cell.lost


async def upload(cell: Cell) -> Answer:
    return await cell.alice.push_blob(cell.app, cell.lost)


async def upload_holds(cell: Cell, answer: Answer) -> bool:
    pushed = await cell.alice.push_manifest(f"{cell.app}:now", cell.of_lost)
    return answer.status == pushed.status == 201 and await cell.whole(cell.app, cell.of_lost)


async def put_manifest(cell: Cell) -> Answer:
    return await cell.alice.push_manifest(f"{cell.app}:now", cell.of_lost)


async def manifest_holds(cell: Cell, answer: Answer) -> bool:
    return refused(answer) or (answer.status == 201 and await cell.whole(cell.app, cell.of_lost))


async def tag(cell: Cell) -> Answer:
    return await cell.alice.push_manifest(f"{cell.app}:now", cell.lone)


async def tag_holds(cell: Cell, answer: Answer) -> bool:
    return refused(answer) or (answer.status == 201 and await cell.whole(cell.app, cell.lone))


async def put_index(cell: Cell) -> Answer:
    return await cell.alice.push_manifest(f"{cell.app}:now", index(cell.lone))


async def index_holds(cell: Cell, answer: Answer) -> bool:
    return refused(answer) or (answer.status == 201 and await cell.whole(cell.app, cell.lone))


async def copy_garbage(cell: Cell) -> Answer:
    """What is copied has no tag, and is being collected where it is."""
    return await cell.copy(cell.app, cell.other, cell.lone.digest)


async def garbage_copy_holds(cell: Cell, answer: Answer) -> bool:
    return answer.status == 404 or (answer.status == 201 and await cell.whole(cell.other, cell.lone))


async def keep_elsewhere(cell: Cell) -> None:
    """The other project has an image with the layer that the first does not need."""
    assert (await cell.alice.push(f"{cell.other}:kept", cell.of_lost)).status == 201


async def copy_onto_garbage(cell: Cell) -> Answer:
    """What is copied stays; where it is copied to, its layer is there already, and is being collected."""
    return await cell.copy(cell.other, cell.app, Tag("kept"))


async def copy_onto_garbage_holds(cell: Cell, answer: Answer) -> bool:
    return answer.status == 201 and await cell.whole(cell.app, cell.of_lost)


async def copy_by_mounts(cell: Cell) -> Answer:
    """As clients copy: they mount each blob, upload what cannot be mounted, and push the manifest."""
    for digest in cell.lone.manifest.required_blobs():
        mounted = await cell.alice.mount(cell.other, digest, cell.app)
        if mounted.status != 201:
            found = await cell.alice.blob(cell.app, digest)
            if found.status != 200:
                return found
            await cell.alice.push_blob(cell.other, found.body)
    return await cell.alice.push_manifest(f"{cell.other}:copied", cell.lone)


async def copy_by_mounts_holds(cell: Cell, answer: Answer) -> bool:
    return refused(answer) or (answer.status == 201 and await cell.whole(cell.other, cell.lone))


Act = Callable[[Cell], Awaitable[Answer]]
Holds = Callable[[Cell, Answer], Awaitable[bool]]
ACTIONS: dict[str, tuple[Act, Holds]] = {
    "HEAD": (head, head_holds),
    "mount": (mount, mount_holds),
    "upload": (upload, upload_holds),
    "manifest PUT": (put_manifest, manifest_holds),
    "tag": (tag, tag_holds),
    "index PUT": (put_index, index_holds),
    "copy": (copy_garbage, garbage_copy_holds),
    "copy onto garbage": (copy_onto_garbage, copy_onto_garbage_holds),
    "copy by mounts": (copy_by_mounts, copy_by_mounts_holds),
}
PREPARED = {"copy onto garbage": keep_elsewhere}
FOUND = {"upload", "tag", "copy onto garbage", "copy by mounts"}
"""What is done by these is never refused: it brings what is gone, or finds layers that go by the next walk only."""


def run(world: World, pause: Pause | None = None) -> asyncio.Task[Any]:
    return asyncio.create_task(
        collect(
            world.db,
            world.parts.store,
            Periods(3600, 7200, 3600),
            Options(1, delete_untagged=True),
            yard.silent,
            pause.write if pause else None,
            switches=yard.ON,
        )
    )


async def all_due(world: World) -> None:
    await world.run(update(gc_reviews).values(review_at=1))


async def make(world: World, alice: Person, name: str, action: str = "") -> Cell:
    cell = Cell(alice, name)
    for project in (f"team{name}", f"other{name}"):
        await world.project(project, alice)
    for raw in (cell.lost, b"{}"):
        assert (await alice.push_blob(cell.app, raw)).status == 201
    assert (await alice.push(f"{cell.app}:keep", image("base"))).status == 201
    assert (await alice.push(f"{cell.app}@{cell.lone.digest}", cell.lone)).status == 201
    if action in PREPARED:
        await PREPARED[action](cell)
    await all_due(world)
    await world.run(leases.delete())
    return cell


@pytest.mark.parametrize("action", ACTIONS)
async def test_what_was_promised_is_kept(world: World, action: str) -> None:
    act, holds = ACTIONS[action]
    alice = await world.person("alice")
    answers = set()
    for point, passes in POINTS:
        cell = await make(world, alice, f"{point[3:].replace('_', '')}{passes}", action)
        with pytest.MonkeyPatch.context() as patch:
            pause = Pause(world.db, point, passes, patch)
            answer = await pause.meanwhile(run(world, pause), act(cell))
        answers.add(answer.status)
        assert pause.reached.is_set(), (point, passes)
        await all_due(world)  # only leases and references are left to keep it
        await run(world)
        assert await holds(cell, answer), (point, passes, answer.short)
        assert await cell.whole(cell.app, image("base"))
        assert await yard.broken(world.db) == [], (point, passes)
    assert len(answers) == (1 if action in FOUND else 2), "it was there, and it was gone"


@pytest.mark.parametrize(("point", "passes"), POINTS)
async def test_being_cancelled_leaves_everything_whole(world: World, point: str, passes: int) -> None:
    alice = await world.person("alice")
    cell = await make(world, alice, "x")
    with pytest.MonkeyPatch.context() as patch:
        pause = Pause(world.db, point, passes, patch)
        collecting = run(world, pause)
        await pause.reached.wait()
        collecting.cancel()
        pause.resume()
        await asyncio.gather(collecting, return_exceptions=True)
        await pause.ended()
    assert await yard.broken(world.db) == []
    await run(world)
    assert await yard.waiting(world.db) == {}
    assert await cell.whole(cell.app, image("base"))
    assert (await alice.blob(cell.app, cell.digest)).status == 404
    assert (await alice.pull(f"{cell.app}@{cell.lone.digest}")).status == 404
    assert await yard.broken(world.db) == []


async def test_bytes_that_are_being_removed_and_a_new_push_of_them_never_meet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G3."""
    alice = await world.person("alice")
    cell = await make(world, alice, "x")
    await run(world)
    await world.run(trash.update().values(not_before=1))
    real, pushed = DiskStore.remove, []

    async def remove(store: DiskStore, key: str) -> None:
        if not pushed:
            pushed.append(await cell.alice.push_blob(cell.app, cell.lost))
        await real(store, key)

    monkeypatch.setattr(DiskStore, "remove", remove)
    assert await housekeeping.empty_trash(world.db, world.parts.store) == 2
    assert pushed[0].status == 201
    assert (await alice.blob(cell.app, cell.digest)).body == cell.lost


async def test_two_collectors_at_once_do_it_once(world: World) -> None:
    """G6."""
    alice = await world.person("alice")
    cell = await make(world, alice, "x")
    for number in range(20):
        assert (await alice.push_blob(cell.app, layer(f"more {number}"))).status == 201
    await all_due(world)
    await world.run(leases.delete())
    done = await asyncio.gather(*(run(world) for _ in range(4)))
    await run(world)
    assert sum(each.blobs for each in done) <= 22
    assert await yard.waiting(world.db) == {}
    assert await yard.count(world.db, trash) == 22
    assert await yard.broken(world.db) == []
