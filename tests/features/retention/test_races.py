"""What is pushed, moved, tagged or pulled between the decision and the deletion stays; and a run that dies goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from fairway.features.artifacts.model import Periods
from fairway.features.retention import asking, deciding, jobs
from fairway.features.retention.carrying import NotInForce, carry_out
from fairway.features.retention.model import Result
from fairway.features.retention.store import noting, policies, results
from fairway.frame.db.tables import artifacts, retention_doomed, retention_results, task_steps
from fairway.frame.db.tables import tasks as rows_of_tasks
from fairway.frame.jobs.attempt import Attempt
from fairway.frame.jobs.queue import Claimed
from features.retention.making import (
    API,
    aged,
    ask,
    make,
    policy,
    push,
    rule,
    run,
    said,
    selector,
    settling,
    start,
    tasks,
)
from features.retention.test_runs import team
from stories.world import Image, Person, World, image, index

NONE = rule("always", tags=[selector("none", extras='{"untagged":false}')])


class Between:
    """Somebody does something after all was decided and before anything is deleted."""

    def __init__(
        self, world: World, monkeypatch: pytest.MonkeyPatch, deed: Callable[[], Awaitable[object]]
    ) -> None:
        settle = jobs._Run._settle

        async def settled(run: jobs._Run, total: int) -> None:
            await settle(run, total)
            await deed()

        monkeypatch.setattr(jobs._Run, "_settle", settled)


Deed = Callable[[Person, Image, World], Awaitable[object]]


async def pushed_again(alice: Person, what: Image, world: World) -> None:
    assert (await alice.push("team/app:v1", what)).status == 201


async def tagged(alice: Person, what: Image, world: World) -> None:
    at = f"{API}/projects/team/repositories/app/artifacts/{what.digest}/tags"
    assert (await ask(alice, "POST", at, {"name": "kept"})).status == 201


async def pulled(alice: Person, what: Image, world: World) -> None:
    assert (await alice.pull("team/app:v1")).status == 200
    assert await world.parts.hub.pulls.flush() == 1


async def pulled_by_digest(alice: Person, what: Image, world: World) -> None:
    assert (await alice.pull(f"team/app@{what.digest}")).status == 200
    assert await world.parts.hub.pulls.flush() == 1


async def moved_here(alice: Person, what: Image, world: World) -> None:
    assert (await alice.push("team/app:other", what)).status == 201


@pytest.mark.parametrize("mode", ["artifact", "tag"])
@pytest.mark.parametrize("deed", [pushed_again, tagged, pulled, pulled_by_digest, moved_here])
async def test_what_changed_since_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, deed: Deed, mode: str
) -> None:
    alice, project = await team(world)
    one = await push(alice, "team/app:v1")
    await push(alice, "team/app:other")
    await push(alice, "team/app:lost")
    for name in ("v1", "other", "lost"):
        await aged(world, "app", name, pushed=50, pulled=40)
    number = await make(alice, project, NONE, mode=mode)
    Between(world, monkeypatch, lambda: deed(alice, one, world))
    execution = await run(world, alice, number)
    assert (await alice.pull(f"team/app@{one.digest}")).status == 200
    assert "v1" in await alice.tags("team/app")
    assert "lost" not in await alice.tags("team/app")
    marks = {tag: (mark, reason) for tag, mark, reason in await said(alice, number, execution)}
    assert marks["v1"][0] == "RETAIN"
    assert marks["v1"][1].startswith("CHANGED")
    assert marks["lost"][0] == "DEL"


async def test_a_tag_moved_away_leaves_the_image_it_was_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    number = await make(alice, project, NONE)
    newer = image("newer")
    Between(world, monkeypatch, lambda: alice.push("team/app:v1", newer))
    await run(world, alice, number)
    assert {row["digest"] for row in await world.rows(artifacts)} == {
        newer.digest,
        image("team/app:v1").digest,
    }


async def test_what_an_index_names_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, project = await team(world)
    one = await push(alice, "team/app:v1")
    number = await make(alice, project, NONE)
    both = index(one)
    Between(world, monkeypatch, lambda: alice.push_manifest("team/app:both", both))
    execution = await run(world, alice, number)
    assert {row["digest"] for row in await world.rows(artifacts)} == {one.digest, both.digest}
    [(_, mark, reason)] = await said(alice, number, execution)
    assert (mark, reason.split(";")[0]) == ("RETAIN", "an index names it")


async def test_a_pull_of_just_before_is_waited_for(world: World) -> None:
    """It is counted in memory when a run decides, and written before anything is deleted."""
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    await aged(world, "app", "v1", pushed=90, pulled=80)
    number = await make(alice, project, rule("nDaysSinceLastPull", 30))
    await start(alice, number)
    assert (await alice.pull("team/app:v1")).status == 200

    async def flush_later() -> None:
        while await world.count(retention_doomed) == 0:  # noqa: ASYNC110 - it is in the database that it happens
            await asyncio.sleep(0.01)
        await world.parts.hub.pulls.flush()

    with settling(2.0):
        await asyncio.gather(world.work(), flush_later())
    assert await alice.tags("team/app") == ["v1"]


async def test_changing_the_policy_ends_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, project = await team(world)
    for n in range(3):
        await push(alice, f"team/app:v{n}")
    number = await make(alice, project, NONE)
    softer = policy(project, rule("always"))
    Between(world, monkeypatch, lambda: ask(alice, "PUT", f"{API}/retentions/{number}", softer))
    execution = await run(world, alice, number)
    assert len(await alice.tags("team/app")) == 3
    [shown] = (await alice("GET", f"{API}/retentions/{number}/executions")).json
    assert (shown["id"], shown["status"]) == (execution, "Error")
    assert (await tasks(alice, number, execution))["app"]["status"] == "Error"


async def test_deleting_the_policy_ends_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    number = await make(alice, project, NONE)
    Between(world, monkeypatch, lambda: alice("DELETE", f"{API}/retentions/{number}"))
    await run(world, alice, number)
    assert await alice.tags("team/app") == ["v1"]
    assert await jobs.forget_orphans(world.db) == 1
    assert await world.rows(retention_results) == []


async def test_a_run_that_dies_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead after some repositories were written down, then after some images were deleted."""
    alice, project = await team(world)
    monkeypatch.setattr(deciding, "PAGE", 2)
    monkeypatch.setattr(deciding, "_TOGETHER", 2)
    monkeypatch.setattr(jobs, "_PARTS", 1)
    monkeypatch.setattr(jobs, "AT_A_TIME", 1)
    for name in ("a", "b", "c"):
        for n in range(3):
            await push(alice, f"team/{name}:v{n}", f"{name}{n}")
    number = await make(alice, project, rule("latestPushedK", 1))
    execution = await start(alice, number)
    deaths = {"retention.noted": 3, "retention.batch_deleted": 2}

    def die(point: str) -> None:
        if point in deaths:
            deaths[point] -= 1
            if not deaths[point]:
                raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "crashpoint", die)
    with settling(0):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                await _attempt(world, number, execution)
        left = len(await world.rows(retention_doomed))
        assert 0 < left < 6
        await _attempt(world, number, execution)
    for name in ("a", "b", "c"):
        assert await alice.tags(f"team/{name}") == ["v2"]
    found = await tasks(alice, number, execution)
    assert {
        name: (each["total"], each["retained"], each["deleted"], each["status"])
        for name, each in found.items()
    } == dict.fromkeys(("a", "b", "c"), (3, 1, 2, "Success"))
    assert len(await world.rows(task_steps)) == 2


async def _attempt(world: World, policy: int, execution: int) -> None:
    """One attempt at a task, as a worker would have it, in a process that may end in the middle."""
    [row] = await world.rows(rows_of_tasks)
    attempt = row["attempt"] + 1
    await world.run(rows_of_tasks.update().values(status="Running", attempt=attempt))
    claimed = Claimed(row["id"], execution, "RETENTION", row["arguments"], attempt, 1, False)
    job = jobs.retention(world.db, world.parts.hub.periods)
    await job.run(Attempt(world.db, claimed), jobs.RetentionArguments(policy))


async def test_deleting_and_pulling_at_once(world: World) -> None:
    """In whatever order they come: either the pull is seen and the image stays, or it was gone before."""
    alice, project = await team(world)
    number = await make(alice, project, NONE)
    for turn in range(6):
        name = f"team/app:t{turn}"
        await push(alice, name)
        await aged(world, "app", f"t{turn}", pushed=90, pulled=80)
        execution = await start(alice, number, dry_run=False)
        found = await policies.by_id(world.db, number)
        assert found is not None
        repository = (await world.rows(artifacts))[-1]["repository_id"]
        judge = deciding.Judge(asking.read(asking.kept(found.wanted)), 2**60)
        parts = [part async for part in deciding.decide(world.db, project, "team", judge)]
        await world.db.write(partial(noting.note, execution=execution, parts=parts, dry_run=False))
        [result] = await results.still_open(world.db, execution, 0, 10)
        assert isinstance(result, Result)
        assert result.repository_id == repository
        some = [
            each
            for each in await results.doomed(world.db, result.id, 40)
            if each.seen.tags[0].name == f"t{turn}"
        ]
        place = jobs.Place(project, "test", Periods(3600, 7200, 3600, 0))
        assert (await alice.pull(name)).status == 200
        carry = partial(carry_out, place=place, policy=found, result=result, some=some)
        outcome, _ = await asyncio.gather(world.db.write(carry), world.parts.hub.pulls.flush())
        stays = f"t{turn}" in await alice.tags("team/app") if await world.count(artifacts) else False
        assert stays == (outcome.stayed == 1)
        assert await ask(
            alice, "PATCH", f"{API}/retentions/{number}/executions/{execution}", {"action": "stop"}
        )


async def test_nothing_is_deleted_for_a_policy_that_says_something_else_now(world: World) -> None:
    alice, project = await team(world)
    await push(alice, "team/app:v1")
    number = await make(alice, project, NONE)
    execution = await start(alice, number)
    found = await policies.by_id(world.db, number)
    assert found is not None
    judge = deciding.Judge(found.wanted, 2**60)
    parts = [part async for part in deciding.decide(world.db, project, "team", judge)]
    await world.db.write(partial(noting.note, execution=execution, parts=parts, dry_run=False))
    [result] = await results.still_open(world.db, execution, 0, 10)
    some = await results.doomed(world.db, result.id, 40)
    assert (await ask(alice, "PUT", f"{API}/retentions/{number}", policy(project, NONE))).status == 200
    place = jobs.Place(project, "test", world.parts.hub.periods)
    with pytest.raises(NotInForce):
        await world.db.write(partial(carry_out, place=place, policy=found, result=result, some=some))
    assert await alice.tags("team/app") == ["v1"]
