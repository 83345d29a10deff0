"""Targets that are changed or removed while somebody works through their queues: nothing more goes to where they were."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from aiohttp import web

from fairway.features.webhooks.model import WantedTarget
from fairway.features.webhooks.store import policies, targets
from fairway.frame.db import Conn
from features.webhooks.telling import SEALER, Telling, bodies
from frame.egress.elsewhere import Elsewhere

OLD, NEW = "Bearer old", "Bearer new"


async def change(telling: Telling, address: str, auth_header: str | None) -> None:
    """Let the only target be this one."""

    async def replace(conn: Conn) -> None:
        [before] = (await targets.of(conn, [1]))[1]
        wanted = WantedTarget("http", address, "Default", None, auth_header, None, False)
        await targets.replace(conn, 1, [(wanted, before)], SEALER)

    await telling.db.write(replace)


def meanwhile(there: Elsewhere, happens: Callable[[], Awaitable[None]], status: int) -> None:
    """While the first request is answered, something happens."""

    async def hook(request: web.BaseRequest) -> web.StreamResponse:
        if len(there.asked) == 1:
            await happens()
            return web.Response(status=status)
        return web.Response(status=200)

    there.script["/hook"] = hook
    there.script["/new"] = (200, {}, b"")


@pytest.mark.parametrize("status", [200, 422, 500])
async def test_who_moves_is_told_at_the_new_address_only(
    telling: Telling, there: Elsewhere, status: int
) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header=OLD)
    await telling.add(target, *"abc")
    meanwhile(there, lambda: change(telling, f"{there.url}/new", NEW), status)
    await telling.work()
    assert bodies(there) == ["a"]
    assert bodies(there, "/new") == ["a", "b", "c"], (
        "that the old address took it says nothing of the new one"
    )
    assert [each.headers["authorization"] for each in there.asked] == [OLD, NEW, NEW, NEW]
    rows = await telling.rows()
    assert [(row["status"], row["tries"]) for row in rows] == [("Success", 1)] * 3
    row = await telling.of(target)
    assert (row["failures"], row["last_error"], row["waiting"], row["due_at"]) == (0, "", 0, None)


async def test_a_secret_that_is_changed_is_not_sent_any_more(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header=OLD)
    await telling.add(target, *"abc")
    meanwhile(there, lambda: change(telling, f"{there.url}/hook", NEW), 401)
    await telling.work()
    assert [each.headers["authorization"] for each in there.asked] == [OLD, NEW, NEW, NEW]
    assert await telling.states() == ["Success"] * 3


async def test_a_change_of_something_else_lets_the_queue_go_on(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header=OLD)
    await telling.add(target, *"abc")
    meanwhile(there, lambda: change(telling, f"{there.url}/hook", None), 200)
    assert await telling.work() == 1
    assert bodies(there) == ["a", "b", "c"]


async def test_who_is_removed_is_told_nothing_more(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header=OLD)
    await telling.add(target, *"abc")
    meanwhile(there, lambda: telling.db.write(partial(targets.remove_all, policy=1)), 200)
    await telling.work()
    assert bodies(there) == ["a"]


async def test_a_rest_goes_on_when_only_a_secret_is_changed(telling: Telling, there: Elsewhere) -> None:
    target = await telling.target(f"{there.url}/hook", auth_header=OLD)
    there.script["/hook"] = (503, {"retry-after": "300"}, b"")
    await telling.add(target, "a")
    await telling.work()
    await change(telling, f"{there.url}/hook", NEW)
    assert await telling.work() == 0
    there.script["/hook"] = (200, {}, b"")
    await telling.pass_time(301)
    await telling.work()
    assert [each.headers["authorization"] for each in there.asked] == [OLD, NEW]


async def test_what_waits_for_a_policy_that_is_disabled_is_told_still(
    telling: Telling, there: Elsewhere
) -> None:
    """A sample is told by one that is disabled, too.  Who wants nothing more to be told removes it."""
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"ab")
    await telling.db.write(partial(policies.disable_all, project=1))
    await telling.work()
    assert bodies(there) == ["a", "b"]
