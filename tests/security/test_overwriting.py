"""Many push one tag at once, by every way a tag can be moved: it ends as one of them, and each move is told (T61).

Tags that may not be overwritten come later.  What they will stand on is here today: all ways to move a tag are one way,
which says exactly what the tag was before, so that of many first pushes exactly one was the first.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import outbox
from stories.world import Image, Person, World, image, replica

RACERS = 50


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    for blob in image("base").blobs:
        assert (await alice.push_blob("team/app", blob)).status == 201
    return alice


def different(count: int) -> list[Image]:
    return [image("base", annotations={"n": str(n)}) for n in range(count)]


async def by_digest(person: Person, made: Image, *tags: str) -> int:
    query = "&".join(f"tag={tag}" for tag in tags)
    target = f"/v2/team/app/manifests/{made.digest}?{query}"
    headers = {"content-type": made.manifest.media_type}
    return (await person("PUT", target, made.manifest.raw, headers=headers)).status


async def moves(world: World) -> list[dict[str, Any]]:
    """What was told of each push, in the order of the commits."""
    rows = [row for row in await world.rows(outbox) if row["kind"] == "artifact.pushed"]
    return [json.loads(row["payload"]) for row in rows]


async def test_of_many_first_pushes_exactly_one_is_the_first(
    world: World, alice: Person, database_url: str, tmp_path: Path
) -> None:
    """From two processes, half by tag and half by digest with the tag as a parameter."""
    async with replica(database_url, tmp_path) as other:
        there = Person(other, alice.name, alice.id, alice.authorization)

        async def push(n: int, made: Image) -> int:
            who = (alice, there)[n % 2]
            if n % 4 < 2:
                return (await who.push_manifest("team/app:v1", made)).status
            return await by_digest(who, made, "v1")

        statuses = Counter(await asyncio.gather(*(push(n, made) for n, made in enumerate(different(RACERS)))))
    assert statuses[201] + statuses[503] == RACERS
    assert statuses[201] > 1
    told = [payload for payload in await moves(world) if "v1" in payload["tags"]]
    assert len(told) >= statuses[201]
    before = [payload["tags"]["v1"]["was"] for payload in told]
    assert before.count(None) == 1, "one was the first"
    assert len(set(before)) == len(before), "and each of the others moved it away from another one"
    last = {payload["digest"] for payload in told} - set(before)
    assert (await alice.pull("team/app:v1"))["docker-content-digest"] in last
    assert len(last) == 1


async def test_a_tag_as_a_parameter_takes_what_a_tag_in_the_path_takes(world: World, alice: Person) -> None:
    first, second = different(2)
    assert (await alice.push_manifest("team/app:v1", first)).status == 201
    guest = await world.member(1, "guest", Role.GUEST)
    pulling = await alice.with_token("repository:team/app:pull")
    before = await world.stored()
    for who in (world.anybody, guest, pulling):
        assert await by_digest(who, second, "v1") == 401
        assert (await who.push_manifest("team/app:v1", second)).status == 401
    wrong = f"/v2/team/app/manifests/{Digest.of(b'else')}?tag=v1"
    headers = {"content-type": second.manifest.media_type}
    assert (await alice("PUT", wrong, second.manifest.raw, headers=headers)).short == (400, "DIGEST_INVALID")
    assert await by_digest(alice, second, "v1", "-no") == 400
    assert await world.stored() == before, "not one of several tags has moved"
    assert await by_digest(alice, second, "v1", "v2", "v1") == 201
    assert (await alice.pull("team/app:v1"))["docker-content-digest"] == second.digest
    assert (await moves(world))[-1]["tags"] == {"v1": {"was": first.digest}, "v2": {"was": None}}


async def test_pushing_the_same_again_moves_nothing(world: World, alice: Person) -> None:
    (only,) = different(1)
    statuses = await asyncio.gather(*(by_digest(alice, only, "v1") for _ in range(8)))
    assert set(statuses) == {201}
    assert [payload["tags"]["v1"]["was"] for payload in await moves(world)].count(None) == 1
    assert await alice.tags("team/app") == ["v1"]
