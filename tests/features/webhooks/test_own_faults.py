"""What fails on this side while targets are told: counted and put off like any failure, and said once in the log."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from fairway.features.webhooks import sending
from fairway.features.webhooks.store import deliveries as store
from fairway.features.webhooks.targets import context
from fairway.frame.db.tables import webhook_targets
from features.webhooks.telling import SEALER, Telling, bodies
from frame.egress.elsewhere import Elsewhere

claim = partial(store.claim, broken_after=3, sound=9, broken=9, lease_seconds=30)


async def spoil(telling: Telling, target: int, **values: str) -> None:
    await telling.db.run(update(webhook_targets).where(webhook_targets.c.id == target).values(values))


async def once(telling: Telling) -> int:
    taken = await telling.deliverer.take()
    await telling.deliverer.idle()
    return taken


async def test_a_target_that_cannot_be_opened_rests(
    telling: Telling, there: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    target = await telling.target(f"{there.url}/hook")
    await spoil(telling, target, fields="{")
    await telling.add(target, "a")
    assert [await once(telling) for _ in range(3)] == [1, 0, 0]
    row = await telling.of(target)
    assert (row["failures"], row["worker"]) == (1, None)
    assert "an error of this registry (JSONDecodeError)" in row["last_error"]
    assert capsys.readouterr().out.count("working through a webhook's queue failed") == 1
    await spoil(telling, target, fields="")
    await telling.pass_time(2)
    await telling.work()
    assert bodies(there) == ["a"]
    assert (await telling.of(target))["failures"] == 0


async def test_what_cannot_be_sent_is_put_off_and_holds_up_its_topic_only(
    telling: Telling, there: Elsewhere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, "bad", topic="team/a")
    await telling.add(target, "b", topic="team/b")
    send = sending.send

    async def broken(egress: Any, target: Any, delivery: Any, **options: Any) -> Any:
        if "bad" in delivery.body:
            raise RuntimeError("with a Bearer secret")
        return await send(egress, target, delivery, **options)

    monkeypatch.setattr(sending, "send", broken)
    assert [await once(telling) for _ in range(3)] == [1, 0, 0]
    assert bodies(there) == ["b"]
    [bad, b] = await telling.rows()
    assert (bad["status"], bad["tries"], b["status"]) == ("Running", 1, "Success")
    assert "an error of this registry (RuntimeError)" in bad["message"]
    assert "secret" not in bad["message"]
    assert capsys.readouterr().out.count("a webhook could not be sent") == 1
    monkeypatch.setattr(sending, "send", send)
    await telling.pass_time(2)
    await telling.work()
    assert bodies(there) == ["b", "bad"]


async def test_a_failure_to_open_by_who_lost_the_queue_is_no_error(
    telling: Telling, there: Elsewhere
) -> None:
    other = await telling.target(f"{there.url}/hook", number=1)
    await spoil(telling, other, auth_header=SEALER.seal(b"x", context(other + 1, "auth_header")))
    await telling.add(other, "a")
    [first] = await telling.db.write(partial(claim, worker="one"))
    await telling.pass_time(31)
    [_] = await telling.db.write(partial(claim, worker="two"))
    await telling.deliverer._hold(first)
    row = await telling.of(other)
    assert (row["failures"], row["worker"], row["attempt"]) == (0, "two", 2)
