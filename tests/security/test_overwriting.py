"""Many push one tag at once, by every way a tag can be moved: it ends as one of them, and each move is told (T61).

All ways to move a tag are one way, which says exactly what the tag was before, so that of many first pushes exactly one was
the first.  On that stand immutable tags, which nothing moves or removes.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fairway.core.oci.digest import Digest
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, outbox, tags
from features.immutability.rules import API, RULES, ask, make
from stories.asgi import Answer
from stories.world import Image, Person, World, image, index, replica

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


# ------------------------------------------------------------------------------------ immutable tags

APP = f"{API}/projects/team/repositories/app/artifacts"


async def where(world: World) -> dict[str, str]:
    """What every tag names."""
    digests = {row["id"]: row["digest"] for row in await world.rows(artifacts)}
    return {row["name"]: digests[row["artifact_id"]] for row in await world.rows(tags)}


def refused(answer: Answer, number: int) -> bool:
    """412, and the message names the rule and says what to do."""
    [error] = answer.json["errors"]
    assert (answer.status, error["code"]) == (412, "PRECONDITION"), answer.body
    assert f"rule {number} ('v*' in '**')" in error["message"]
    assert f"fairway immutable disable team {number}" in error["message"]
    return True


@pytest.fixture
async def frozen(world: World, alice: Person) -> int:
    """A rule about v*, the tag v1 under it, and the tag free of something else, both in `team/app`."""
    one, two = different(2)
    assert (await alice.push_manifest("team/app:v1", one)).status == 201
    assert (await alice.push_manifest("team/app:free", two)).status == 201
    return await make(alice)


async def test_an_immutable_tag_is_moved_in_no_way(world: World, alice: Person, frozen: int) -> None:
    _, two = different(2)
    multi = index(two, annotations={"of": "many"})
    headers = {"content-type": two.manifest.media_type}
    again = f"/v2/team/app/manifests/{two.digest}"
    assert (await alice.push("team/lib:v1", two)).status == 201
    stored = await world.stored()
    assert refused(await alice.push_manifest("team/app:v1", two), frozen)
    assert refused(await alice.push_manifest("team/app:v1", multi), frozen)
    assert refused(await alice("PUT", f"{again}?tag=v1", two.manifest.raw, headers=headers), frozen)
    both = f"{again}?tag=other&tag=v1"
    assert refused(await alice("PUT", both, two.manifest.raw, headers=headers), frozen)
    assert refused(await ask(alice, "POST", f"{APP}/free/tags", {"name": "v1"}), frozen)
    assert refused(await ask(alice, "POST", f"{APP}?from=team/lib:v1"), frozen)
    assert await world.stored() == stored, "not one of several tags has moved, and nothing else was written"


async def test_what_a_manifest_lacks_is_told_after_the_rule(alice: Person, frozen: int) -> None:
    assert refused(await alice.push_manifest("team/app:v1", image("never pushed")), frozen)


async def test_an_immutable_tag_is_removed_in_no_way(world: World, alice: Person, frozen: int) -> None:
    one, two = different(2)
    signature = image(
        "signature", subject={"mediaType": "x/y", "digest": one.digest, "size": one.manifest.size}
    )
    assert (await alice.push("team/app:note", signature)).status == 201
    assert (await alice.push("team/app/deeper:x", two)).status == 201
    stored = await world.stored()
    for answer in (
        await alice.delete("team/app:v1"),
        await alice.delete(f"team/app@{one.digest}"),
        await alice("DELETE", f"{APP}/v1/tags/v1"),
        await alice("DELETE", f"{APP}/v1"),
        await alice("DELETE", f"{APP}/{one.digest}"),
        await alice("DELETE", f"{API}/projects/team/repositories/app"),
        await alice("DELETE", f"{API}/projects/team?force=true"),
    ):
        assert refused(answer, frozen)
        assert await world.stored() == stored, "nothing went"


async def test_nothing_of_a_repository_goes_when_its_last_tag_is_immutable(
    world: World, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairway.features.immutability.store import standing

    monkeypatch.setattr(standing, "AT_A_TIME", 3)
    (one,) = different(1)
    query = "&".join(f"tag=t{n}" for n in range(10))
    headers = {"content-type": one.manifest.media_type}
    target = f"/v2/team/app/manifests/{one.digest}?{query}&tag=v1"
    assert (await alice("PUT", target, one.manifest.raw, headers=headers)).status == 201
    number = await make(alice)
    stored = await world.stored()
    assert refused(await alice("DELETE", f"{API}/projects/team/repositories/app"), number)
    assert refused(await alice("DELETE", f"{API}/projects/team?force=true"), number)
    assert await world.stored() == stored


async def test_a_deletion_that_is_undone_moves_no_immutable_tag(
    world: World, alice: Person, frozen: int
) -> None:
    one, two = different(2)
    assert (await ask(alice, "PUT", f"{RULES}/{frozen}", {"disabled": True})).status == 200
    assert (await alice.delete(f"team/app@{one.digest}")).status == 202
    assert (await ask(alice, "PUT", f"{RULES}/{frozen}", {"disabled": False})).status == 200
    assert (await alice.push_manifest("team/app:v1", two)).status == 201, "it is free, and stays from now on"
    back = {"repository": "app", "digest": one.digest}
    answer = await ask(alice, "POST", "/api/fairway/gc/projects/team/undo", back)
    assert (answer.status, answer.json["taken"]) == (200, ["v1"]), answer.body
    assert (await where(world))["v1"] == two.digest
    assert refused(await alice.push_manifest("team/app:v1", one), frozen)


async def test_what_an_immutable_tag_names_may_come_again(world: World, alice: Person, frozen: int) -> None:
    """A client whose reply was lost asks once more."""
    (one,) = different(1)
    before = await where(world)
    assert (await alice.push_manifest("team/app:v1", one)).status == 201
    assert await by_digest(alice, one, "v1") == 201
    assert (await ask(alice, "POST", f"{APP}?from=team/app:v1")).status == 201
    assert (await ask(alice, "POST", f"{APP}/v1/tags", {"name": "v1"})).status == 409
    assert await where(world) == before


async def test_a_rule_reaches_its_own_tags_and_no_others(world: World, alice: Person, frozen: int) -> None:
    one, two = different(2)
    assert (await alice.push_manifest("team/app:free", one)).status == 201
    assert (await alice.delete("team/app:free")).status == 202
    assert (await alice.push_manifest("team/app:v2", one)).status == 201, "new, and from now on it stays"
    assert refused(await alice.push_manifest("team/app:v2", two), frozen)
    signature = f"sha256-{one.digest.hex}.sig"
    for made in (one, two):
        assert (await alice.push_manifest(f"team/app:{signature}", made)).status == 201, "signatures move"
    assert (await alice.delete(f"team/app:{signature}")).status == 202
    assert (await ask(alice, "PUT", f"{RULES}/{frozen}", {"disabled": True})).status == 200
    assert (await alice.push_manifest("team/app:v1", two)).status == 201
    assert (await alice.delete(f"team/app@{two.digest}")).status == 202


async def test_a_project_that_is_renamed_keeps_its_rules(world: World, alice: Person, frozen: int) -> None:
    answer = await ask(alice, "PUT", "/api/fairway/projects/team/name", {"name": "crew"})
    assert answer.status == 200, answer.body
    for called in ("crew", "team"):
        answer = await alice.push_manifest(f"{called}/app:v1", different(2)[1])
        assert answer.short == (412, "PRECONDITION")
        assert f"rule {frozen}" in answer.json["errors"][0]["message"]


async def test_of_many_first_pushes_of_an_immutable_tag_one_is_taken(
    world: World, alice: Person, database_url: str, tmp_path: Path
) -> None:
    """Fifty different manifests from two processes: one is there, and the others are told of the rule."""
    number = await make(alice)
    async with replica(database_url, tmp_path) as other:
        there = Person(other, alice.name, alice.id, alice.authorization)

        async def push(n: int, made: Image) -> tuple[int, str]:
            who = (alice, there)[n % 2]
            while True:
                if n % 4 < 2:
                    status = (await who.push_manifest("team/app:v1", made)).status
                else:
                    status = await by_digest(who, made, "v1")
                if status != 503:
                    return status, made.digest

        answers = await asyncio.gather(*(push(n, made) for n, made in enumerate(different(RACERS))))
    assert Counter(status for status, _ in answers) == {201: 1, 412: RACERS - 1}
    [taken] = [digest for status, digest in answers if status == 201]
    assert await where(world) == {"v1": taken}
    told = [payload for payload in await moves(world) if "v1" in payload["tags"]]
    assert [(payload["digest"], payload["moved"]) for payload in told] == [(taken, {"v1": None})]
    assert number


async def test_no_push_slips_by_a_rule_that_is_just_made(
    world: World, alice: Person, database_url: str, tmp_path: Path
) -> None:
    """Whatever is pushed after the rule was answered is refused, from any process."""
    one, *others = different(20)
    async with replica(database_url, tmp_path) as other:
        there = Person(other, alice.name, alice.id, alice.authorization)
        for n in range(5):
            assert (await alice.push_manifest(f"team/app:r{n}", one)).status == 201
            made = asyncio.Event()
            late: list[int] = []

            async def push(who: Person, turn: int, tag: str, made: asyncio.Event, late: list[int]) -> None:
                for step in range(4):
                    after = made.is_set()
                    answer = await who.push_manifest(f"team/app:{tag}", others[(turn + step) % len(others)])
                    if after:
                        late.append(answer.status)
                        return

            async def lay_down(tag: str, made: asyncio.Event) -> None:
                await make(alice, tags=tag)
                made.set()

            pushing = [push((alice, there)[turn % 2], turn, f"r{n}", made, late) for turn in range(8)]
            await asyncio.gather(*pushing, lay_down(f"r{n}", made))
            stays = (await where(world))[f"r{n}"]
            for who in (alice, there):
                other_one = next(each for each in others if each.digest != stays)
                late.append((await who.push_manifest(f"team/app:r{n}", other_one)).status)
            assert set(late) <= {412, 201}
            assert late[-2:] == [412, 412]
            assert (await where(world))[f"r{n}"] == stays
