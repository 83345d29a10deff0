"""Policies that are changed and removed while events are told by them."""

import asyncio

import pytest
from sqlalchemy import select

from fairway.features.webhooks.tidying import Tidying
from fairway.frame.db.tables import webhook_deliveries, webhook_policies, webhook_targets, webhook_triggers
from features.webhooks.asked import HOOK, ask, happen, make, policy
from stories.world import Person, World, image


@pytest.fixture
async def alice(world: World) -> Person:
    alice = await world.person("alice")
    await world.project("team", alice)
    return alice


async def test_what_is_told_while_its_policy_goes_is_forgotten(world: World, alice: Person) -> None:
    for n in range(4):
        number = await make(alice, policy(f"p{n}"))
        for m in range(3):
            assert (await alice.push(f"team/app:v{n}{m}", image(f"{n}{m}"))).status == 201
        _, answer = await asyncio.gather(
            happen(world), ask(alice, "DELETE", f"team/webhook/policies/{number}")
        )
        assert answer.status == 200
    await happen(world)
    tidying = Tidying(world.db)
    for _ in range(3):
        await tidying.tidy()
    for table in (webhook_policies, webhook_targets, webhook_deliveries, webhook_triggers):
        assert await world.count(table) == 0, table


async def test_what_is_told_while_its_targets_change_has_a_target(world: World, alice: Person) -> None:
    number = await make(alice, policy("ci"))
    for n in range(6):
        assert (await alice.push(f"team/app:v{n}", image(str(n)))).status == 201
        targets = [HOOK, {**HOOK, "address": f"https://{n}.example.com"}][n % 2 :]
        _, answer = await asyncio.gather(
            happen(world), ask(alice, "PUT", f"team/webhook/policies/{number}", policy("ci", *targets))
        )
        assert answer.status == 200
    await happen(world)
    (target,) = await world.db.all(select(webhook_targets))
    open_for = {
        row["target_id"] for row in await world.db.all(select(webhook_deliveries)) if row["ended_at"] is None
    }
    await Tidying(world.db).tidy()
    left = {row["target_id"] for row in await world.db.all(select(webhook_deliveries))}
    assert target["id"] in open_for
    assert left == {target["id"]}


async def test_of_changes_at_once_each_is_whole(world: World, alice: Person) -> None:
    number = await make(alice, policy("ci"))
    bodies = [
        policy("ci", *({**HOOK, "address": f"https://{n}-{m}.example.com"} for m in range(1 + n % 3)))
        for n in range(6)
    ]
    answers = await asyncio.gather(
        *(ask(alice, "PUT", f"team/webhook/policies/{number}", body) for body in bodies)
    )
    assert {answer.status for answer in answers} == {200}
    rows = await world.db.all(select(webhook_targets).order_by(webhook_targets.c.number))
    assert [row["number"] for row in rows] == list(range(len(rows)))
    assert [row["address"] for row in rows] in [
        [each["address"] for each in body["targets"]] for body in bodies
    ]
