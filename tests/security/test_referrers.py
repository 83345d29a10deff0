"""Ten thousand signatures on one image: page by page, none larger than clients read, and the filter still right (T45)."""

import json
from typing import Any

import pytest
from sqlalchemy import insert, select

from fairway.core.oci.digest import Digest
from fairway.core.oci.media_types import OCI_IMAGE_MANIFEST
from fairway.frame.db.tables import artifacts
from stories.world import Person, World, image

MANY = 10_000
MIB = 2**20
SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
SUBJECT = image("base").digest


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    return alice


async def refer(world: World, count: int, annotation: str) -> None:
    """Referrers as pushes leave them; every tenth is an SBOM."""
    (subject,) = await world.db.all(select(artifacts.c.project_id, artifacts.c.repository_id))
    annotations = json.dumps({"note": annotation}, ensure_ascii=False)
    fixed = {
        "project_id": subject["project_id"],
        "repository_id": subject["repository_id"],
        "media_type": OCI_IMAGE_MANIFEST,
        "kind": "image",
        "subject": SUBJECT,
        "annotations": annotations,
        "size": len(annotations.encode()) + 500,
        "payload": b"{}",
        "pushed_at": 0,
        "created_at": 0,
    }
    rows = [
        {**fixed, "digest": Digest.of(b"%d" % n), "artifact_type": SIGNATURE if n % 10 else SBOM}
        for n in range(count)
    ]
    for at in range(0, count, 500):
        await world.run(insert(artifacts).values(rows[at : at + 500]))


async def pages(who: Person, query: str = "") -> list[list[dict[str, Any]]]:
    """All pages, as a client walks them; each is small enough."""
    found, target = [], f"/v2/team/app/referrers/{SUBJECT}{query}"
    while target:
        answer = await who("GET", target)
        assert answer.status == 200
        assert len(answer.body) < 4 * MIB
        assert int(answer["content-length"]) == len(answer.body)
        assert answer["content-type"] == "application/vnd.oci.image.index.v1+json"
        found.append(answer.json["manifests"])
        target = answer["link"].partition("<")[2].partition(">")[0] if "link" in answer else ""
    return found


@pytest.mark.slow
async def test_all_are_found_and_the_filter_is_right(world: World, alice: Person) -> None:
    await refer(world, MANY, "x" * 700)
    walked = await pages(alice)
    assert max(len(page) for page in walked) <= 1000
    digests = [each["digest"] for page in walked for each in page]
    assert len(digests) == len(set(digests)) == MANY
    sboms = [each for page in await pages(alice, f"?artifactType={SBOM}") for each in page]
    assert len(sboms) == MANY // 10
    assert {each["artifactType"] for each in sboms} == {SBOM}
    assert await pages(alice, "?artifactType=application/none") == [[]]


@pytest.mark.parametrize("letter", ["x", "é", "\u2028", "😀", '"', "\\", "\x7f"])
async def test_large_annotations_make_small_pages(world: World, alice: Person, letter: str) -> None:
    """Whatever they are written in: what takes a byte there does not take six here."""
    await refer(world, 20, letter * (MIB // len(json.dumps(letter, ensure_ascii=False).encode()[1:-1])))
    walked = await pages(alice)
    assert len(walked) > 4
    assert sum(len(page) for page in walked) == 20
    assert walked[0][0]["annotations"]["note"][:3] == letter * 3


async def test_one_that_fills_a_manifest_is_a_page_of_its_own(world: World, alice: Person) -> None:
    subject = {"mediaType": OCI_IMAGE_MANIFEST, "digest": SUBJECT, "size": image("base").manifest.size}
    largest = [image(subject=subject, annotations={"note": letter * (4 * MIB - 700)}) for letter in "ab"]
    for made in largest:
        assert (await alice.push(f"team/app@{made.digest}", made)).status == 201
    walked = await pages(alice)
    assert [len(page) for page in walked] == [1, 1]
