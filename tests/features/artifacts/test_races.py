"""Many callers change the same few digests at once; whatever the order, what is visible is whole and the quota is exact."""

import asyncio
import json
import random
import uuid
from contextlib import suppress

import pytest
from sqlalchemy import and_, func, insert, select

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import FairwayError, Unavailable
from fairway.core.oci.manifest import Manifest, parse_manifest
from fairway.core.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from fairway.core.oci.names import Repository, Tag
from fairway.core.stores.protocols import Stored
from fairway.features.artifacts.names import Caller, Periods, SqlNames
from fairway.frame.db import Database, ledger, now_us
from fairway.frame.db.tables import (
    artifact_links,
    artifacts,
    blobs,
    project_blobs,
    projects,
    quotas,
    repositories,
    tags,
    users,
)

PROJECT = 1
BLOBS = [f"blob {n}".encode() for n in range(5)]
REPOSITORIES = [Repository("team/a"), Repository("team/b")]
TAGS = [Tag("latest"), Tag("v1")]


def image(layers: list[bytes]) -> Manifest:
    described = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest.of(raw), "size": len(raw)}
        for raw in layers
    ]
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest.of(b"{}"), "size": 2}
    content = {"schemaVersion": 2, "mediaType": OCI_IMAGE_MANIFEST, "config": config, "layers": described}
    return parse_manifest(json.dumps(content).encode(), OCI_IMAGE_MANIFEST)


def index(of: list[Manifest]) -> Manifest:
    children = [{"mediaType": m.media_type, "digest": m.digest, "size": m.size} for m in of]
    content = {"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": children}
    return parse_manifest(json.dumps(content).encode(), OCI_IMAGE_INDEX)


IMAGES = [image(BLOBS[n : n + 3]) for n in range(3)]
INDEXES = [index(IMAGES[:2]), index(IMAGES[1:])]


async def make_project(db: Database, hard: int = ledger.UNLIMITED) -> None:
    now = {"created_at": now_us(), "updated_at": now_us()}
    await db.run(insert(users).values(id=1, username="owner", password_hash="", sysadmin=False, **now))
    await db.run(insert(projects).values(id=PROJECT, name="team", public=False, owner_id=1, **now))
    await db.run(insert(quotas).values(project_id=PROJECT, hard=hard, used=0))


async def push_blob(names: SqlNames, repo: Repository, raw: bytes) -> None:
    digest = Digest.of(raw)
    stored = Stored(f"sha256/00/{digest.hex}-{uuid.uuid4()}", len(raw))
    await names.add_blob(repo, digest, stored, upload=None, instead_of=None)


async def one_step(names: SqlNames, dice: random.Random) -> None:
    repo = dice.choice(REPOSITORIES)
    manifest = dice.choice(IMAGES + INDEXES)
    match dice.randrange(8):
        case 0 | 1:
            await push_blob(names, repo, dice.choice([*BLOBS, b"{}"]))
        case 2 | 3 | 4:
            await names.put_manifest(repo, manifest, dice.sample(TAGS, dice.randrange(3)))
        case 5:
            await names.delete_manifest(repo, manifest.digest)
        case 6:
            await names.delete_blob(repo, Digest.of(dice.choice([*BLOBS, b"{}"])))
        case 7:
            await names.delete_tag(repo, dice.choice(TAGS))


async def one_caller(db: Database, seed: int, steps: int) -> list[Exception]:
    dice = random.Random(seed)
    caller = Caller(f"user:{seed}", "somebody", may_push=True)
    names = SqlNames(db, PROJECT, caller, Periods(3600, 7200, 3600), uploads_per_caller=10)
    surprises: list[Exception] = []
    for _ in range(steps):
        try:
            with suppress(FairwayError):
                await one_step(names, dice)
        except Exception as error:
            surprises.append(error)
    return surprises


async def missing_parts(db: Database) -> list[object]:
    """Links of visible manifests that lead nowhere."""
    linked = artifact_links.join(artifacts, artifacts.c.id == artifact_links.c.artifact_id)
    to_blobs = linked.outerjoin(
        project_blobs,
        and_(
            project_blobs.c.project_id == artifacts.c.project_id,
            project_blobs.c.digest == artifact_links.c.digest,
            project_blobs.c.blob_id.is_not(None),
        ),
    )
    without_blob = (
        select(artifact_links.c.digest)
        .select_from(to_blobs)
        .where(artifact_links.c.kind.in_(["config", "layer"]), project_blobs.c.digest.is_(None))
    )
    child = artifacts.alias()
    to_children = linked.outerjoin(
        child,
        and_(child.c.repository_id == artifacts.c.repository_id, child.c.digest == artifact_links.c.digest),
    )
    without_child = (
        select(artifact_links.c.digest)
        .select_from(to_children)
        .where(artifact_links.c.kind == "child", child.c.id.is_(None))
    )
    itself = artifacts.outerjoin(
        project_blobs,
        and_(
            project_blobs.c.project_id == artifacts.c.project_id,
            project_blobs.c.digest == artifacts.c.digest,
        ),
    )
    unlinked = select(artifacts.c.digest).select_from(itself).where(project_blobs.c.digest.is_(None))
    return [*await db.all(without_blob), *await db.all(without_child), *await db.all(unlinked)]


async def wrongly_listed(db: Database) -> list[object]:
    """Artifacts that lists show and should not, or should and do not: told from the rows in plain words."""
    rows = {row["id"]: row for row in await db.all(select(artifacts))}
    tagged = {row["artifact_id"] for row in await db.all(select(tags))}
    links = await db.all(select(artifact_links).where(artifact_links.c.kind == "child"))
    named = {(rows[link["artifact_id"]]["repository_id"], link["digest"]) for link in links}
    return [
        row["digest"]
        for id, row in rows.items()
        if bool(row["listed"]) != (id in tagged or (row["repository_id"], row["digest"]) not in named)
    ]


@pytest.mark.parametrize("hard", [ledger.UNLIMITED, 2500])
async def test_what_is_visible_is_whole_and_the_quota_is_exact(db: Database, hard: int) -> None:
    await make_project(db, hard)
    seed = random.randrange(10**6)
    surprises = await asyncio.gather(*(one_caller(db, seed + n, 60) for n in range(8)))
    assert [each for some in surprises for each in some] == [], f"seed {seed}"
    assert await missing_parts(db) == [], f"seed {seed}"
    assert await wrongly_listed(db) == [], f"seed {seed}"
    charged = await db.scalar(select(func.coalesce(func.sum(project_blobs.c.size), 0)))
    assert await ledger.used(db, PROJECT) == int(charged), f"seed {seed}"
    await db.write(ledger.fold_deltas)
    assert await db.scalar(select(quotas.c.used)) == int(charged), f"seed {seed}"
    assert hard < 0 or int(charged) <= hard


async def test_racing_first_pushes_of_one_tag_leave_one_and_tell_the_other(db: Database) -> None:
    await make_project(db)
    names = SqlNames(db, PROJECT, Caller("user:1", "x", True), Periods(1, 1, 60), uploads_per_caller=1)
    repo = REPOSITORIES[0]
    for raw in [*BLOBS, b"{}"]:
        await push_blob(names, repo, raw)
    await asyncio.gather(*(names.put_manifest(repo, m, [TAGS[0]]) for m in IMAGES for _ in range(4)))
    assert await db.scalar(select(func.count()).select_from(tags)) == 1
    assert await db.scalar(select(func.count()).select_from(repositories)) == 1
    found = await names.manifest(repo, TAGS[0])
    assert found.digest in {m.digest for m in IMAGES}


async def test_many_pushes_of_one_new_blob_make_one_row_and_one_charge(db: Database) -> None:
    await make_project(db)
    names = SqlNames(db, PROJECT, Caller("user:1", "x", True), Periods(1, 1, 60), uploads_per_caller=1)
    with suppress(Unavailable):
        await asyncio.gather(*(push_blob(names, REPOSITORIES[0], b"the same") for _ in range(30)))
    assert await db.scalar(select(func.count()).select_from(blobs)) == 1
    assert await ledger.used(db, PROJECT) == len(b"the same")
