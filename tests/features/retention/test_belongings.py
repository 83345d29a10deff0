"""What belongs to an image that stays, what is being made of one, and what comes while a run looks, stays."""

from collections.abc import Awaitable, Callable

import pytest

from fairway.features.artifacts import changing
from fairway.features.artifacts.store import shown
from fairway.features.retention import asking, carrying, deciding
from fairway.features.retention.rules import Judge
from fairway.features.retention.store import candidates
from fairway.frame.db.tables import artifacts, leases
from features.retention.making import API, DAY, aged, ask, make, push, rule, run, said, selector
from features.retention.test_races import NONE, Between
from features.retention.test_runs import team
from stories.world import Image, World, image, index


def signature(of: Image, name: str = "signature") -> Image:
    subject = {"mediaType": of.manifest.media_type, "digest": of.digest, "size": of.manifest.size}
    return image(name, subject=subject)


async def test_an_image_that_stays_keeps_its_signatures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index names it meanwhile, or a rule makes its tag immutable: what belongs to it stays with it."""
    alice, project = await team(world)
    named = await push(alice, "team/app:named")
    frozen = await push(alice, "team/app:frozen")
    signed = [signature(named, "one"), signature(frozen, "two")]
    for each in signed:
        assert (await alice.push(f"team/app@{each.digest}", each)).status == 201
    number = await make(alice, project, NONE)

    async def deed() -> None:
        await alice.push_manifest("team/app:both", index(named))
        what = {
            "action": "immutable",
            "template": "immutable_template",
            "tag_selectors": [selector("frozen")],
            "scope_selectors": {"repository": [selector("**", "repoMatches")]},
        }
        made = await ask(alice, "POST", f"{API}/projects/{project}/immutabletagrules", what)
        assert made.status == 201, made.body

    Between(world, monkeypatch, deed)
    await run(world, alice, number)
    left = {row["digest"] for row in await world.rows(artifacts)}
    assert {named.digest, frozen.digest} <= left
    assert {each.digest for each in signed} <= left


async def test_a_child_that_another_index_names_keeps_its_signatures(world: World) -> None:
    alice, project = await team(world)
    shared = image("shared")
    old, new = index(shared), index(shared, annotations={"v": "2"})
    await alice.push("team/app:v1", old)
    await alice.push("team/app:v2", new)
    signed = signature(shared)
    assert (await alice.push(f"team/app@{signed.digest}", signed)).status == 201
    await world.run(leases.delete())
    await aged(world, "app", "v1", pushed=50)
    await run(world, alice, await make(alice, project, rule("latestPushedK", 1)))
    left = {row["digest"] for row in await world.rows(artifacts)}
    assert left == {new.digest, shared.digest, signed.digest}


async def test_what_was_signed_since_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, project = await team(world)
    one = await push(alice, "team/app:v1")
    signed = signature(one)
    number = await make(alice, project, NONE)
    Between(world, monkeypatch, lambda: alice.push(f"team/app@{signed.digest}", signed))
    execution = await run(world, alice, number)
    assert {row["digest"] for row in await world.rows(artifacts)} == {one.digest, signed.digest}
    [(_, mark, reason)] = await said(alice, number, execution)
    assert (mark, reason.split(":")[0]) == ("RETAIN", "CHANGED")


async def test_what_is_pushed_while_a_run_looks_is_in_the_order_it_was_pushed_in(world: World) -> None:
    """Also when it began long ago: an attempt that goes on has the time the first began with."""
    alice, project = await team(world)
    one = await push(alice, "team/app:one")
    await push(alice, "team/app:two")
    began = await candidates.now(world.db) - 3 * DAY
    assert (await alice.push("team/app:one", one)).status == 201
    asked = asking.wanted(rules=[rule("latestPushedK", 1)])
    [part] = [part async for part in deciding.decide(world.db, project, "team", Judge(asked, began))]
    assert [each.candidate.digest for each in part.judged if not each.goes] == [one.digest]


@pytest.mark.parametrize("engine_only", ["postgresql"])
async def test_a_child_that_is_tagged_while_its_index_goes_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, engine_only: str
) -> None:
    """It was looked at as one that no tag names, and has one when it is locked."""
    if world.db.dialect != engine_only:
        pytest.skip("there is one writer")
    alice, project = await team(world)
    child = image("child")
    await alice.push("team/app:old", index(child))
    await world.run(leases.delete())
    number = await make(alice, project, NONE)
    hold = shown.hold

    async def tagged_meanwhile(*args: object, **more: object) -> object:
        monkeypatch.setattr(shown, "hold", hold)
        assert (await alice.push_manifest("team/app:child", child)).status == 201
        return await hold(*args, **more)  # type: ignore[arg-type]

    Between(world, monkeypatch, _soon(monkeypatch, tagged_meanwhile))
    await run(world, alice, number)
    assert await alice.tags("team/app") == ["child"]


def _soon(monkeypatch: pytest.MonkeyPatch, hold: object) -> Callable[[], Awaitable[object]]:
    async def deed() -> None:
        monkeypatch.setattr(shown, "hold", hold)

    return deed


async def test_images_with_very_many_tags_go_in_transactions_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, project = await team(world)
    for n in range(3):
        one = await push(alice, f"team/app:v{n}")
        assert (await alice.push(f"team/app:w{n}", one)).status == 201
    number = await make(alice, project, NONE)
    together: list[int] = []
    delete = changing.delete_unchanged

    async def noted(*args: object) -> object:
        together.append(len(args[4]))  # type: ignore[arg-type]
        return await delete(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(changing, "delete_unchanged", noted)
    monkeypatch.setattr(carrying, "MOST_TAGS", 4)
    await run(world, alice, number)
    assert together == [2, 1]
    assert await world.rows(artifacts) == []


async def test_an_image_somebody_is_pushing_an_index_of_stays(world: World) -> None:
    """Its children are pushed first, without a tag; they were promised to whoever pushed them."""
    alice, project = await team(world)
    child = image("child")
    assert (await alice.push(f"team/app@{child.digest}", child)).status == 201
    number = await make(alice, project, NONE)
    execution = await run(world, alice, number)
    [(_, mark, reason)] = await said(alice, number, execution)
    assert (mark, reason.split(",")[0]) == ("RETAIN", "it has no tag")
    await world.run(leases.delete())
    dry = await run(world, alice, number, dry_run=True)
    assert [mark for _, mark, _ in await said(alice, number, dry)] == ["DEL"]
    assert (await alice.push_manifest("team/app:both", index(child))).status == 201


async def test_the_last_images_stay_when_those_that_were_to_stay_are_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    newer = await push(alice, "team/app:v2")
    number = await make(alice, project, rule("latestPushedK", 1))
    at = f"{API}/projects/team/repositories/app/artifacts/{newer.digest}"
    Between(world, monkeypatch, lambda: alice("DELETE", at))
    await run(world, alice, number)
    assert await alice.tags("team/app") == ["v1"]
