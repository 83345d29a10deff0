"""Deliveries reach their targets: in order for each topic, at least once, and what cannot be delivered holds up nothing else."""

import asyncio
import json
from functools import partial

import pytest
from sqlalchemy import update

from fairway.features.webhooks.store import bounds
from fairway.features.webhooks.store import deliveries as store
from fairway.frame.db.tables import webhook_deliveries, webhook_policies, webhook_targets
from fairway.frame.db.tables.webhooks import PARKED
from fairway.frame.jobs.job import STOPPED, Superseded
from features.webhooks.telling import Telling, bodies, in_order
from frame.egress.elsewhere import Elsewhere, listening


async def test_what_is_added_is_told_in_order(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"abc")
    await telling.add(target, "d", topic="team/other")
    assert await telling.work() == 1
    assert bodies(there) == ["a", "b", "c", "d"]
    rows = await telling.rows()
    assert [(row["status"], row["tries"], row["answered"]) for row in rows] == [("Success", 1, 200)] * 4
    assert all(row["created_at"] <= row["started_at"] <= row["ended_at"] for row in rows)
    row = await telling.of(target)
    assert (row["due_at"], row["worker"], row["waiting"]) == (None, None, 0)
    assert await telling.work() == 0


async def test_what_fails_is_told_again_with_the_same_id(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    there.script["/hook"] = (503, {}, b"")
    await telling.add(target, *"ab")
    await telling.work()
    assert bodies(there) == ["a"]
    [a, b] = await telling.rows()
    assert (a["status"], a["tries"], a["answered"], a["message"]) == ("Running", 1, 503, "answered 503")
    assert (b["status"], b["tries"], b["next_at"]) == ("Pending", 0, PARKED)
    there.script["/hook"] = (202, {}, b"")
    await telling.work()
    assert bodies(there) == ["a"], "it is put off"
    await telling.pass_time(1)
    await telling.work()
    assert bodies(there) == ["a", "a", "b"]
    assert there.asked[0].headers["webhook-id"] == there.asked[1].headers["webhook-id"] == "e1"
    assert await telling.states() == ["Success", "Success"]
    row = await telling.of(target)
    assert (row["failures"], row["last_error"], row["due_at"]) == (0, "", None)


async def test_one_that_fails_alone_holds_up_its_topic_only(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    answers = {"a1": 500}

    async def hook(request: object) -> object:
        from aiohttp import web

        return web.Response(status=answers.get(json.loads(there.asked[-1].body), 200))

    there.script["/hook"] = hook  # type: ignore[assignment]
    await telling.add(target, "a1", "a2", topic="team/a")
    await telling.add(target, *(f"b{n}" for n in range(9)), topic="team/b")
    await telling.add(target, "a3", topic="team/a")
    for _ in range(30):
        await telling.pass_time(200)
        await telling.work()
    assert [each for each in bodies(there) if each != "a1"] == [f"b{n}" for n in range(9)]
    assert (await telling.of(target))["failures"] < 40
    answers.clear()
    await telling.pass_time(600)
    await telling.work()
    assert bodies(there)[-3:] == ["a1", "a2", "a3"]
    assert set(await telling.states()) == {"Success"}


async def test_a_refusal_ends_a_delivery_after_three_tries_and_the_queue_goes_on(
    telling: Telling, there: Elsewhere
) -> None:
    target = await telling.target(f"{there.url}/hook")
    there.script["/hook"] = (422, {}, b"")
    await telling.add(target, "a", topic="x")
    await telling.add(target, "b", topic="y")
    for seconds in (0, 10, 60, 600):
        await telling.pass_time(seconds)
        await telling.work()
    assert sorted(bodies(there)) == ["a"] * 3 + ["b"] * 3
    assert await telling.states() == ["Error", "Error"]
    row = await telling.of(target)
    assert (row["failures"], row["due_at"], row["waiting"]) == (0, None, 0)


async def test_a_queue_rests_after_failures_in_a_row_and_one_delivery_probes(
    telling: Telling, there: Elsewhere
) -> None:
    target = await telling.target(f"{there.url}/hook")
    there.script["/hook"] = (500, {}, b"")
    for n in range(9):
        await telling.add(target, f"{n}", topic=f"team/{n}")
    await telling.work()
    assert len(there.asked) == 3
    assert (await telling.of(target))["failures"] == 3
    for probes, seconds in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
        await telling.add(target, "more", topic="more")
        assert await telling.work() == 0, "what is added meanwhile waits with the others"
        await telling.pass_time(seconds)
        await telling.work()
        assert len(there.asked) == 3 + probes
    there.script["/hook"] = (200, {}, b"")
    await telling.pass_time(60)
    await telling.work()
    await telling.pass_time(60)
    await telling.work()
    assert set(await telling.states()) == {"Success"}


@pytest.mark.parametrize("status", [429, 503])
async def test_a_target_may_say_when_to_come_again(telling: Telling, there: Elsewhere, status: int) -> None:
    target = await telling.target(f"{there.url}/hook")
    there.script["/hook"] = (status, {"retry-after": "300"}, b"")
    await telling.add(target, "a", topic="x")
    await telling.add(target, "b", topic="y")
    await telling.work()
    there.script["/hook"] = (200, {}, b"")
    await telling.add(target, "c", topic="z")
    await telling.pass_time(290)
    await telling.work()
    assert bodies(there) == ["a"]
    await telling.pass_time(11)
    await telling.work()
    assert sorted(bodies(there)) == ["a", "a", "b", "c"]


async def test_what_waits_behind_one_that_is_put_off_is_passed_once(
    telling: Telling, there: Elsewhere
) -> None:
    """However long that queue is; and in its turn each comes one by one."""
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *(f"a{n:03}" for n in range(250)), topic="team/a")
    await telling.add(target, "b", topic="team/b")
    [first, *_] = await telling.rows()
    later = 2**61
    await telling.db.run(
        update(webhook_deliveries).where(webhook_deliveries.c.id == first["id"]).values(next_at=later)
    )
    await telling.work()
    assert bodies(there) == ["b"]
    parked = [row["next_at"] for row in await telling.rows()]
    assert parked.count(PARKED) == 249
    assert (await telling.of(target))["due_at"] == later
    await telling.db.run(
        update(webhook_deliveries).where(webhook_deliveries.c.id == first["id"]).values(next_at=1)
    )
    await telling.db.run(update(webhook_targets).values(due_at=1))
    await telling.work()
    assert bodies(there) == ["b", *(f"a{n:03}" for n in range(250))]


async def test_what_is_parked_behind_nothing_is_found(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"abc")
    await telling.db.run(update(webhook_deliveries).values(next_at=PARKED))
    await telling.work()
    assert bodies(there) == ["a", "b", "c"]


async def test_two_workers_share_what_there_is(telling: Telling, there: Elsewhere) -> None:
    targets = [await telling.target(f"{there.url}/hook", number=n) for n in range(12)]
    for n, target in enumerate(targets):
        await telling.add(target, *(f"{n:02} {k}" for k in range(5)))
    workers = [telling.worker(slots=6), telling.worker(slots=6)]
    assert [await each.take() for each in workers] == [6, 6]
    for each in workers:
        await each.idle()
    assert len(bodies(there)) == 60
    assert sorted(bodies(there)) == [f"{n:02} {k}" for n in range(12) for k in range(5)]
    for n in range(12):
        assert [each for each in bodies(there) if each.startswith(f"{n:02}")] == [
            f"{n:02} {k}" for k in range(5)
        ]


async def test_who_lost_a_queue_changes_nothing_in_it(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, "a")
    claim = partial(store.claim, broken_after=3, sound=9, broken=9, lease_seconds=30)
    [first] = await telling.db.write(partial(claim, worker="one"))
    assert await telling.db.write(partial(claim, worker="two")) == []
    await telling.pass_time(31)
    [second] = await telling.db.write(partial(claim, worker="two"))
    before = await telling.of(target)
    [row] = await telling.rows()
    tried = store.Tried(row["id"], row["topic"], store.Answer(200), "", 0.1, False)
    for late in (
        partial(store.taken, claimed=first, tried=tried, failures=0),
        partial(store.taken, claimed=first, tried=tried, failures=2),
        partial(store.refused, claimed=first, tried=tried, failures=0, ends=True, wait=0),
        partial(store.failed, claimed=first, tried=tried, ends=True, wait=0, rest=9),
        partial(store.park, claimed=first, ids=[row["id"]]),
        partial(store.give_back, claimed=first, ended=1),
    ):
        with pytest.raises(Superseded):
            await telling.db.write(late)
    assert dict(await telling.of(target)) == dict(before)
    assert await telling.states() == ["Pending"]
    assert await telling.db.write(partial(store.taken, claimed=second, tried=tried, failures=0)) == 1


async def test_what_is_added_while_a_queue_is_given_back_is_not_forgotten(
    telling: Telling, there: Elsewhere
) -> None:
    target = await telling.target(f"{there.url}/hook")
    stop = asyncio.Event()
    working = asyncio.create_task(telling.deliverer.run(stop))
    try:
        for n in range(60):
            await telling.add(target, f"{n:02}")
            await asyncio.sleep(0.005)
        async with asyncio.timeout(20):
            while len(there.asked) < 60:  # noqa: ASYNC110 - a server tells nobody
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await working
    assert bodies(there) == [f"{n:02}" for n in range(60)]


async def test_nothing_is_lost_by_an_end_in_the_middle(telling: Telling) -> None:
    """Who is asked to stop gives back what it has, soon, though a target does not answer."""
    async with listening() as silent:
        silent.says = [b""]
        target = await telling.target(f"{silent.url}/hook")
        await telling.add(target, "a")
        worker = telling.worker(request_seconds=60)
        stop = asyncio.Event()
        working = asyncio.create_task(worker.run(stop))
        await asyncio.wait_for(silent.asked.wait(), 20)
        stop.set()
        async with asyncio.timeout(10):
            await working
    row = await telling.of(target)
    assert row["worker"] is None
    assert await telling.states() == ["Pending"]
    assert await telling.worker().take() == 1


async def test_targets_that_do_not_answer_keep_nobody_from_their_turn(
    telling: Telling, there: Elsewhere
) -> None:
    async with listening() as silent:
        silent.says = [b""]
        for n in range(12):
            slow = await telling.target(f"{silent.url}/hook", number=n)
            await telling.db.run(
                update(webhook_targets).where(webhook_targets.c.id == slow).values(failures=5)
            )
            await telling.add(slow, "a")
        quick = await telling.target(f"{there.url}/hook", number=99)
        await telling.add(quick, "b")
        worker = telling.worker(slots=8, request_seconds=3)
        assert await worker.take() == 3, "two of those that failed, and the other"
        async with asyncio.timeout(3):
            while not there.asked:  # noqa: ASYNC110 - a server tells nobody
                await asyncio.sleep(0.01)
        assert bodies(there) == ["b"]
        await worker.idle()


async def test_a_secret_that_cannot_be_opened_is_a_failure(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header="Bearer x")
    other = await telling.target(f"{there.url}/hook", number=1)
    row = await telling.of(target)
    await telling.db.run(
        update(webhook_targets).where(webhook_targets.c.id == other).values(auth_header=row["auth_header"])
    )
    await telling.add(other, "a")
    await telling.work()
    assert there.asked == []
    row = await telling.of(other)
    assert row["failures"] == 1
    assert "enter the secret again" in row["last_error"]
    assert await telling.states() == ["Pending"]


# -- bounds


async def test_what_waits_is_bounded_and_what_goes_is_counted(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    tidying = telling.tidying(most=10, kept=6)
    await telling.add(target, *(f"{n:02}" for n in range(10)), topic="team/a")
    assert await tidying.tidy() == 0
    there.script["/hook"] = (500, {}, b"")
    await telling.work()
    await telling.add(target, *(f"{n:02}" for n in range(10, 14)), topic="team/b")
    assert await tidying.tidy() == 8
    row = await telling.of(target)
    assert (row["dropped"], row["waiting"]) == (8, 6)
    rows = await telling.rows()
    assert {(each["status"], each["message"]) for each in rows[:8]} == {
        ("Error", "dropped: more than 10 events waited for this target")
    }
    assert await tidying.tidy() == 0
    there.script["/hook"] = (200, {}, b"")
    there.asked.clear()
    await telling.pass_time(60)
    await telling.work()
    assert sorted(bodies(there)) == [f"{n:02}" for n in range(8, 14)], (
        "what was parked behind what is gone too"
    )
    assert in_order([each for each in bodies(there) if each < "10"])


async def test_a_count_that_is_too_high_drops_nothing(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"abc")
    await telling.db.run(update(webhook_targets).values(waiting=99))
    assert await telling.tidying(most=10, kept=6).tidy() == 0
    assert await telling.states() == ["Pending"] * 3
    assert (await telling.of(target))["waiting"] == 6


async def test_what_nobody_took_for_days_ends(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"ab")
    await telling.pass_time(3 * 86_400 + 1)
    await telling.add(target, "c")
    assert await telling.tidying().tidy() == 2
    assert await telling.states() == ["Error", "Error", "Pending"]
    assert "expired" in (await telling.rows())[0]["message"]
    await telling.work()
    assert bodies(there) == ["c"]


async def test_what_fails_alone_is_given_up_after_a_day(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    other = await telling.target(f"{there.url}/hook", number=1)
    there.script["/hook"] = (500, {}, b"")
    await telling.add(target, "a")
    await telling.db.run(update(webhook_deliveries).values(tries=9))
    await telling.pass_time(86_401)
    await telling.work()
    [row] = await telling.rows()
    assert row["status"] == "Error"
    assert row["message"].startswith("given up after 24 hours: answered 500")
    assert (await telling.of(other))["due_at"] is None


async def test_the_last_of_a_policy_are_kept(
    telling: Telling, there: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.features.webhooks.deliverer.KEPT", 5)
    monkeypatch.setattr("fairway.features.webhooks.deliverer._SWEPT_AT_A_TIME", 3)
    target = await telling.target(f"{there.url}/hook")
    for n in range(12):
        await telling.add(target, f"{n:02}")
        await telling.work()
        await asyncio.sleep(0.002)
    assert [json.loads(row["body"]) for row in await telling.rows()] == [f"{n:02}" for n in range(7, 12)]


async def test_what_is_left_of_policies_and_targets_that_are_gone_is_removed(
    telling: Telling, there: Elsewhere
) -> None:
    gone = await telling.target(f"{there.url}/hook", policy=1)
    left = await telling.target(f"{there.url}/hook", policy=2)
    replaced = await telling.target(f"{there.url}/hook", policy=2, number=1)
    for target, policy in ((gone, 1), (left, 2), (replaced, 2)):
        await telling.add(target, "a", policy=policy)
    await telling.db.run(webhook_policies.delete().where(webhook_policies.c.id == 1))
    await telling.db.run(webhook_targets.delete().where(webhook_targets.c.id.in_([gone, replaced])))
    tidying = telling.tidying()
    assert await tidying.tidy() == 2
    assert await tidying.tidy() == 0
    assert [row["target_id"] for row in await telling.rows()] == [left]


async def test_one_that_is_stopped_lets_the_next_one_go_on(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook")
    there.script["/hook"] = (500, {}, b"")
    await telling.add(target, *"abc")
    await telling.work()
    [a, *_] = await telling.rows()
    stop = partial(bounds.end, target=target, ids=[a["id"]], status=STOPPED, message="stopped")
    assert await telling.db.write(stop) == 1
    assert await telling.db.write(stop) == 0
    there.script["/hook"] = (200, {}, b"")
    await telling.pass_time(1)
    await telling.work()
    assert await telling.states() == ["Stopped", "Success", "Success"]


async def test_adding_nothing_and_to_nobody_is_no_error(telling: Telling) -> None:
    await telling.db.write(partial(store.add, new=[]))
    await telling.add(77, "a")
    assert await telling.work() == 0
    assert await telling.tidying().tidy() == 1
