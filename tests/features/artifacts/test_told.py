"""What events say of content, so that whoever is told later looks nothing up: it may be gone by then."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from fairway.frame.db.tables import audit_log, outbox, projects, repositories
from fairway.frame.events import hand_over
from fairway.reactions import reactions
from features.artifacts import kinds
from stories.world import Image, Person, World, image, index

BASE = image("base")
NOTARY = "application/vnd.cncf.notary.signature"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice, public=True)
    return alice


async def told(world: World, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["payload"]) for row in await world.rows(outbox) if row["kind"] == kind]


def signature(of: Image, artifact_type: str) -> Image:
    subject = {"mediaType": of.manifest.media_type, "digest": of.digest, "size": of.manifest.size}
    return image("signature", subject=subject, artifactType=artifact_type)


async def test_a_repository_is_told_once_when_it_is_made(world: World, alice: Person) -> None:
    for blob in BASE.blobs:
        await alice.push_blob("team/app", blob)
    assert await told(world, "repository.created") == []
    pushes = (alice.push_manifest(f"team/app:v{n}", BASE) for n in range(16))
    assert {answer.status for answer in await asyncio.gather(*pushes)} == {201}
    [row] = await world.rows(repositories)
    assert await told(world, "repository.created") == [
        {
            "project_id": row["project_id"],
            "repository": "team/app",
            "actor": "alice",
            "repository_created_at": row["created_at"],
            "public": True,
        }
    ]
    kinds_in_order = [each["kind"] for each in await world.rows(outbox)]
    assert kinds_in_order.index("repository.created") < kinds_in_order.index("artifact.pushed")


async def test_what_goes_is_told_with_what_it_was(world: World, alice: Person) -> None:
    for tag in ("v1", "v2", "v3"):
        await alice.push(f"team/app:{tag}", BASE)
    [row] = await world.rows(repositories)
    of = {
        "project_id": row["project_id"],
        "repository": "team/app",
        "actor": "alice",
        "repository_created_at": row["created_at"],
        "public": True,
    }
    assert (await alice.delete("team/app:v3")).status == 202
    assert await told(world, "tag.deleted") == [{**of, "tag": "v3", "digest": BASE.digest}]
    assert (await alice("DELETE", "/api/v2.0/projects/team/repositories/app")).status == 200
    assert await told(world, "artifact.deleted") == [
        {
            **of,
            "digest": BASE.digest,
            "tags": ["v1", "v2"],
            "media_type": BASE.manifest.media_type,
            "artifact_type": BASE.manifest.artifact_type,
            "size": BASE.manifest.size,
        }
    ]
    assert await told(world, "repository.deleted") == [of]
    [first, *_] = await told(world, "artifact.pushed")
    assert (first["repository_created_at"], first["public"]) == (row["created_at"], True)


async def test_a_signature_is_told_when_it_comes_and_not_when_it_comes_again(
    world: World, alice: Person
) -> None:
    await alice.push("team/app:v1", BASE)
    made = signature(BASE, NOTARY)
    for _ in range(2):
        assert (await alice.push(f"team/app@{made.digest}", made)).status == 201
    [facts] = await told(world, "signature.added")
    assert (facts["digest"], facts["signature"], facts["kind"]) == (
        BASE.digest,
        made.digest,
        "signature.notation",
    )
    assert (facts["repository"], facts["actor"]) == ("team/app", "alice")
    [row] = await world.rows(repositories)
    assert (facts["repository_created_at"], facts["public"]) == (row["created_at"], True)
    other = signature(BASE, "application/spdx+json")
    assert (await alice.push(f"team/app@{other.digest}", other)).status == 201
    assert len(await told(world, "signature.added")) == 1


async def test_a_signature_of_older_cosign_is_one_when_it_has_its_tag(world: World, alice: Person) -> None:
    made = kinds.artifact(kinds.config("application/json", {}), kinds.blob(b"payload", COSIGN))
    assert (await alice.push(f"team/app@{made.digest}", made)).status == 201
    assert await told(world, "signature.added") == []
    tag = f"sha256-{BASE.digest.hex}.sig"
    for _ in range(2):
        assert (await alice.push(f"team/app:{tag}", made)).status == 201
    [facts] = await told(world, "signature.added")
    assert (facts["digest"], facts["signature"], facts["kind"]) == (
        BASE.digest,
        made.digest,
        "signature.cosign",
    )


async def test_a_copy_makes_a_repository_too(world: World, alice: Person) -> None:
    await alice.push("team/app:v1", BASE)
    at = "/api/v2.0/projects/team/repositories/copy/artifacts?from=team/app:v1"
    assert (await alice("POST", at)).status == 201
    made = [facts["repository"] for facts in await told(world, "repository.created")]
    assert made == ["team/app", "team/copy"]


async def test_a_push_that_is_refused_makes_none(world: World, alice: Person) -> None:
    assert (await alice.push_manifest("team/app:v1", BASE)).status == 400
    assert await told(world, "repository.created") == []


async def test_a_tag_that_is_given_is_told_with_its_repository(world: World, alice: Person) -> None:
    await alice.push("team/app:v1", BASE)
    at = f"/api/v2.0/projects/team/repositories/app/artifacts/{BASE.digest}/tags"
    headers = {"content-type": "application/json"}
    assert (await alice("POST", at, b'{"name": "v2"}', headers=headers)).status == 201
    [facts] = await told(world, "tag.created")
    [row] = await world.rows(repositories)
    assert (facts["tag"], facts["digest"]) == ("v2", BASE.digest)
    assert (facts["repository_created_at"], facts["public"]) == (row["created_at"], True)


async def test_a_project_is_told_as_it_was_then(world: World, alice: Person) -> None:
    await alice.push("team/app:v1", BASE)
    await world.run(update(projects).where(projects.c.name == "team").values(public=False))
    await alice.push("team/app:v2", BASE)
    await alice.delete(f"team/app@{BASE.digest}")
    await world.run(update(projects).where(projects.c.name == "team").values(public=True))
    assert [facts["public"] for facts in await told(world, "artifact.pushed")] == [True, False]
    assert [facts["public"] for facts in await told(world, "artifact.deleted")] == [False]


async def test_what_harbor_does_not_audit_leaves_no_line(world: World, alice: Person) -> None:
    table = reactions(world.parts.notifications)
    for kind in (
        "quota.warning",
        "quota.exceeded",
        "artifact.pulled",
        "repository.created",
        "signature.added",
    ):
        assert table[kind] == []
    await alice.push("team/app:v1", BASE)
    made = signature(BASE, NOTARY)
    await alice.push(f"team/app@{made.digest}", made)
    assert await told(world, "signature.added") != []
    await hand_over(world.db, table)
    assert await world.rows(outbox) == []
    lines = {(row["resource_type"], row["operation"]) for row in await world.rows(audit_log)}
    assert lines == {("project", "create"), ("artifact", "create")}


async def test_an_index_is_told_like_an_image(world: World, alice: Person) -> None:
    both = index(BASE, image("other"))
    assert (await alice.push("team/app:both", both)).status == 201
    pushed = (await told(world, "artifact.pushed"))[-1]
    assert (pushed["digest"], pushed["media_type"]) == (both.digest, both.manifest.media_type)
    assert (list(pushed["tags"]), pushed["public"]) == (["both"], True)
