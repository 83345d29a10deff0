"""Targets that are down for an hour, slow, failing, elsewhere, without a right certificate, or answer without end (W1).

Each has its own queue: who is well is told at once, and everybody else of everything when they are well again.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import update

import fairway
from fairway.frame.db.tables import webhook_targets
from features.webhooks.telling import Telling, bodies, in_order
from frame.egress.elsewhere import Authority, Elsewhere, listening, up

TOPICS = ("team/a", "team/b", "team/c")
POINTS = {"webhook.after_answer"}
"""Every crash point of those who tell targets."""


async def slow(request: web.BaseRequest) -> web.StreamResponse:
    """Answers when nobody waits any more."""
    await asyncio.sleep(30)
    return web.Response()


async def huge(request: web.BaseRequest) -> web.StreamResponse:
    """Took it, and answers with 100 MB."""
    reply = web.StreamResponse(headers={"content-length": "100000000"})
    await reply.prepare(request)
    for _ in range(1000):
        await reply.write(b"x" * 100_000)
    return reply


class Story:
    """Seven targets, all told of the same."""

    def __init__(self, telling: Telling) -> None:
        self.telling = telling
        self.targets: dict[str, int] = {}
        self._told = 0

    async def add(self, name: str, address: str) -> None:
        self.targets[name] = await self.telling.target(address, policy=len(self.targets) + 1)

    async def add_to(self, name: str, text: str) -> None:
        """An event for one of them."""
        policy = list(self.targets).index(name) + 1
        await self.telling.add(self.targets[name], text, policy=policy)

    async def happens(self, times: int) -> None:
        """An event in every topic, so many times, told to everybody."""
        for _ in range(times):
            self._told += 1
            for topic in TOPICS:
                for policy, target in enumerate(self.targets.values(), start=1):
                    await self.telling.add(target, f"{topic} {self._told:04}", topic=topic, policy=policy)

    @property
    def all(self) -> set[str]:
        return {f"{topic} {number:04}" for topic in TOPICS for number in range(1, self._told + 1)}

    def whole(self, there: Elsewhere) -> bool:
        """Everything was heard there, in order for each topic."""
        heard = bodies(there)
        return set(heard) == self.all and all(
            in_order([each for each in heard if each.startswith(topic)]) for topic in TOPICS
        )


@pytest.fixture
async def servers() -> AsyncIterator[dict[str, Elsewhere]]:
    names = ("well", "slow", "failing", "elsewhere", "huge")
    async with up() as a, up() as b, up() as c, up() as d, up() as e:
        yield dict(zip(names, (a, b, c, d, e), strict=True))


@pytest.mark.slow
async def test_an_hour_of_bad_targets(
    telling: Telling, servers: dict[str, Elsewhere], tmp_path: Path
) -> None:
    telling.deliverer = telling.worker(request_seconds=1)
    story = Story(telling)
    async with listening() as free:
        port = free.port
    authority = Authority(tmp_path)
    async with listening() as canary, up(tls=authority.server("127.0.0.1")) as unverified:
        for name, server in servers.items():
            await story.add(name, f"{server.url}/hook")
        await story.add("down", f"http://127.0.0.1:{port}/hook")
        await story.add("unverified", f"{unverified.url}/hook")
        answers = {
            "well": (200, {}, b""),
            "slow": slow,
            "failing": (500, {}, b"oops"),
            "elsewhere": (301, {"location": f"http://127.0.0.1:{canary.port}/"}, b""),
            "huge": huge,
        }
        for name, answer in answers.items():
            servers[name].script["/hook"] = answer  # type: ignore[assignment]
        unverified.script["/hook"] = (200, {}, b"")

        for _ in range(20):
            await story.happens(1)
            await telling.work()
            assert story.whole(servers["well"]), "who is well hears of it at once"
            assert story.whole(servers["huge"])
            await telling.pass_time(180, every=90)
        assert canary.connections == 0
        assert unverified.asked == []
        for name in ("slow", "failing"):
            assert 20 < len(servers[name].asked) < 90, "it is asked once in a while, and no more"
        for name in ("slow", "failing", "down", "unverified"):
            row = await telling.of(story.targets[name])
            assert row["waiting"] == 60, name
            assert row["failures"] > 20, name
            assert row["last_error"] != ""

        for name in ("slow", "failing", "elsewhere"):
            servers[name].script["/hook"] = (200, {}, b"")
            servers[name].asked.clear()
        await telling.db.run(
            update(webhook_targets)
            .where(webhook_targets.c.id == story.targets["unverified"])
            .values(skip_cert_verify=True)
        )
        async with up(port=port) as back:
            back.script["/hook"] = (200, {}, b"")
            await telling.pass_time(180, every=30)
            for server in (back, servers["slow"], servers["failing"], unverified):
                assert story.whole(server)
        for name, target in story.targets.items():
            row = await telling.of(target)
            assert (row["waiting"], row["due_at"], row["failures"]) == (0, None, 0), name
        await story.add_to("elsewhere", "team/a 9999")
        await telling.work()
        states = await telling.states(story.targets["elsewhere"])
        assert states == ["Error"] * 60 + ["Success"], "what was refused three times is not tried any more"


DELIVERER = """
import asyncio, sys
from fairway.features.webhooks.deliverer import Deliverer
from fairway.frame.db import open_database
from fairway.frame.egress import Egress
from fairway.frame.sealing import Sealer
from fairway.frame.settings import Settings

async def main(url):
    db = await open_database(url, pool=3)
    async with Egress.open(Settings(egress_allow_networks=("127.0.0.0/8",))) as egress:
        worker = Deliverer(db, egress, Sealer([b"k" * 32]))
        while await worker.take():
            await worker.idle()
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def worker(database_url: str, plan: Path) -> int:
    """The exit code of a process that tells all there is."""
    env = {**os.environ, "FAIRWAY_CRASHPOINT_FILE": str(plan)}
    env["PYTHONPATH"] = str(Path(fairway.__file__).parents[1])
    command = [sys.executable, "-c", DELIVERER, database_url]
    done = await asyncio.to_thread(subprocess.run, command, env=env, check=False)
    return done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("point", sorted(POINTS))
async def test_who_dies_after_an_answer_has_it_told_again(
    telling: Telling, there: Elsewhere, database_url: str, tmp_path: Path, point: str
) -> None:
    target = await telling.target(f"{there.url}/hook")
    await telling.add(target, *"abc")
    plan = tmp_path / "plan"
    plan.write_text(f"{point}:2")
    assert await worker(database_url, plan) == -signal.SIGKILL
    assert bodies(there) == ["a", "b"]
    assert await telling.states() == ["Success", "Pending", "Pending"]
    assert await worker(database_url, plan) == 0
    assert bodies(there) == ["a", "b"], "the lease of who died is not over"
    await telling.pass_time(30)
    assert await worker(database_url, plan) == 0
    assert bodies(there) == ["a", "b", "b", "c"]
    assert [each.headers["webhook-id"] for each in there.asked] == ["e1", "e2", "e2", "e3"]
    assert await telling.states() == ["Success"] * 3
