"""Anything may happen in any order: the collector takes exactly what nothing needs, and a dry run says so before."""

import random
import uuid
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import insert, select

from contract.registry_worlds import image, index
from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError
from fairway.core.oci.manifest import Manifest
from fairway.core.oci.names import Repository, Tag
from fairway.core.stores.memory import MemoryStore
from fairway.core.stores.protocols import Stored
from fairway.features.artifacts.model import Caller, Periods
from fairway.features.artifacts.names import SqlNames
from fairway.features.gc.collect import collect
from fairway.features.gc.model import NothingToUndo, Options
from fairway.features.gc.undo import undo
from fairway.frame.db import Database, ledger, now_us
from fairway.frame.db.tables import (
    artifacts,
    blobs,
    project_blobs,
    projects,
    quotas,
    repositories,
    tags,
    users,
)
from features.gc import yard
from features.gc.truth import Truth

PERIODS = Periods(3600, 0, 3600, 3600)
LAYERS = [f"layer {n}".encode() for n in range(4)]
TAGS = ["latest", "v1", "v2"]
REPOSITORIES = ["a", "b"]
STEPS = 60


def about(subject: Manifest, *layers: bytes) -> Manifest:
    return image(
        *layers,
        subject={"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
    )


IMAGES = [image(*LAYERS[n : n + 2]) for n in range(3)]
INDEXES = [index(*IMAGES[:2]), index(*IMAGES[1:])]
NESTED = [index(*INDEXES), index(INDEXES[0], IMAGES[2])]
SIGNATURES = [about(IMAGES[0], LAYERS[3]), about(INDEXES[0], LAYERS[0])]
SIGNATURES.append(about(SIGNATURES[0], LAYERS[1]))
MANIFESTS = [*IMAGES, *INDEXES, *NESTED, *SIGNATURES]
BYTES = [b"{}", *LAYERS, IMAGES[0].raw, SIGNATURES[0].raw]


class Both:
    """A database and the truth about it: each step is done to both, and they must agree whether it can be done."""

    def __init__(self, db: Database, dice: random.Random) -> None:
        self.db = db
        self.dice = dice
        self.truth = Truth()
        self.run = 0

    def names(self, project: int) -> SqlNames:
        return SqlNames(self.db, project, Caller("user:1", "x", True), PERIODS, uploads_per_caller=9)

    async def done(self, action: Any) -> bool:
        try:
            await action
        except (FairwayError, NothingToUndo):
            return False
        return True

    async def push_blob(self, project: int, repo: Repository, raw: bytes) -> None:
        digest = Digest.of(raw)
        stored = Stored(f"sha256/{digest.hex[:2]}/{digest.hex}-{uuid.uuid4().hex}", len(raw))
        await self.names(project).add_blob(repo, digest, stored, upload=None, instead_of=None)
        self.truth.push_blob(project, digest)

    async def push(self, project: int, repo: Repository, manifest: Manifest, on: list[str]) -> None:
        expected = self.truth.may_push(project, repo.rest, manifest)
        done = await self.done(self.names(project).put_manifest(repo, manifest, [Tag(tag) for tag in on]))
        assert done == expected
        if done:
            self.truth.push(project, repo.rest, manifest, on)

    async def push_all(self, project: int, repo: Repository, manifest: Manifest, on: list[str]) -> None:
        """With all it needs."""
        for link in manifest.links():
            if link.kind in {"config", "layer"}:
                raw = next(each for each in BYTES if Digest.of(each) == link.digest)
                await self.push_blob(project, repo, raw)
            if link.kind == "child":
                child = next(each for each in MANIFESTS if each.digest == link.digest)
                await self.push_all(project, repo, child, [])
        await self.push(project, repo, manifest, on)

    async def delete_blob(self, project: int, repo: Repository, digest: Digest) -> None:
        expected = self.truth.deletable_blob(project, digest)
        assert await self.done(self.names(project).delete_blob(repo, digest)) == expected
        if expected:
            self.truth.readable.discard((project, digest))

    async def undo(self, project: int, repo: Repository, manifest: Manifest) -> None:
        place = (project, repo.rest, manifest.digest)
        expected = self.truth.undoable(place)
        done = await self.done(undo(self.db, project, repo, manifest.digest, PERIODS, by="x"))
        assert done == expected
        if done:
            self.truth.undo(place)

    async def step(self) -> None:
        dice, truth = self.dice, self.truth
        project, rest = dice.choice([1, 2]), dice.choice(REPOSITORIES)
        repo = Repository(f"p{project}/{rest}")
        manifest, raw, tag = dice.choice(MANIFESTS), dice.choice(BYTES), dice.choice(TAGS)
        place = (project, rest, manifest.digest)
        names = self.names(project)
        match dice.randrange(12):
            case 0:
                await self.push_blob(project, repo, raw)
            case 1:
                await self.push(project, repo, manifest, dice.sample(TAGS, dice.randrange(3)))
            case 2 | 3 | 4:
                await self.push_all(project, repo, manifest, dice.sample(TAGS, dice.randrange(2)))
            case 5 | 6:
                expected = place in truth.live and not truth.parents(place)
                assert await self.done(names.delete_manifest(repo, manifest.digest)) == expected
                if expected:
                    truth.delete(place)
            case 7:
                if await self.done(names.delete_tag(repo, Tag(tag))):
                    truth.untag(project, rest, tag)
            case 8:
                await self.delete_blob(project, repo, Digest.of(raw))
            case 9:
                with suppress(FairwayError):
                    await names.blob(repo, Digest.of(raw))
                    truth.leased.add((project, Digest.of(raw)))
            case 10:
                await self.undo(project, repo, manifest)
            case 11:
                await yard.let_time_pass(self.db)
                truth.leased.clear()

    async def collect(self, *, untagged: bool, now: bool) -> None:
        """A dry run, the real one, and a look at what is left."""
        done = []
        for dry in (True, False):
            self.run += 1
            options = Options(self.run, untagged, dry, self.dice.randint(1, 3), now)
            done.append(
                await collect(self.db, MemoryStore(), PERIODS, options, yard.silent, switches=yard.ON)
            )
        self.truth.collect(untagged=untagged, now=now)
        assert await yard.noted(self.db, self.run - 1) == await yard.noted(self.db, self.run)
        assert (done[0].freed, done[0].settled) == (done[1].freed, done[1].settled)
        assert done[1].failed == done[1].skipped == 0

    async def compare(self) -> None:
        assert await yard.broken(self.db) == []
        named: dict[int, list[str]] = {}
        for row in await self.db.all(select(tags.c.artifact_id, tags.c.name)):
            named.setdefault(row["artifact_id"], []).append(row["name"])
        rows = await self.db.all(
            select(artifacts.c.id, artifacts.c.project_id, repositories.c.name, artifacts.c.digest).join(
                repositories, repositories.c.id == artifacts.c.repository_id
            )
        )
        found = {
            (row["project_id"], row["name"], row["digest"], tuple(sorted(named.get(row["id"], []))))
            for row in rows
        }
        assert found == self.truth.artifacts()
        links = await self.db.all(select(project_blobs.c.project_id, project_blobs.c.digest))
        assert {(row["project_id"], row["digest"]) for row in links} == self.truth.links()
        assert await yard.digests(self.db, blobs) == self.truth.blobs()


async def two_projects(db: Database) -> None:
    now = {"created_at": now_us(), "updated_at": now_us()}
    await db.run(insert(users).values(id=1, username="owner", password_hash="", sysadmin=False, **now))
    for project in (1, 2):
        await db.run(insert(projects).values(id=project, name=f"p{project}", public=False, owner_id=1, **now))
        await db.run(insert(quotas).values(project_id=project, hard=ledger.UNLIMITED, used=0))


@pytest.mark.parametrize("seed", range(6))
async def test_exactly_what_nothing_needs_goes(db: Database, seed: int) -> None:
    await two_projects(db)
    dice = random.Random(seed)
    both = Both(db, dice)
    for _ in range(6):
        for _ in range(dice.randrange(STEPS // 2)):
            await both.step()
        await both.collect(untagged=dice.random() < 0.5, now=dice.random() < 0.4)
        await both.compare()
    await yard.let_time_pass(db)
    both.truth.leased.clear()
    await both.collect(untagged=True, now=True)
    await both.compare()
    assert await yard.waiting(db) == {}
