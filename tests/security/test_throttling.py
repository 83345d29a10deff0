"""Who is counted when logins fail behind proxies, and what a redirect may say (T28, T31, T50)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairway.core.wire import bodies
from fairway.features.accounts import throttle
from fairway.frame.db.tables import login_failures
from stories.asgi import Answer, call
from stories.world import PASSWORD, World, basic, open_world

PROXY = "10.0.0.1"
MALLORY, ADMIN = "192.0.2.66", "192.0.2.7"
PLACES = ("/api/v2.0/projects", "/v2/", "/service/token?service=harbor-registry")


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A hub behind proxies it trusts."""
    async with open_world(database_url, tmp_path, trusted_proxies="10.0.0.0/8") as world:
        yield world


async def log_in(world: World, target: str, password: str, forwarded_for: str) -> Answer:
    headers = {"authorization": basic("admin", password), "x-forwarded-for": forwarded_for}
    return await call(world.app, "GET", target, headers=headers, client=PROXY)


@pytest.mark.parametrize("target", PLACES)
async def test_a_guesser_behind_the_proxy_locks_nobody_else_out(world: World, target: str) -> None:
    for n in range(throttle.FREE_FAILURES + 1):
        forged = f"198.51.100.{n}, {MALLORY}:{40000 + n}, 10.0.0.2"
        assert (await log_in(world, target, f"guess {n}", forged)).status == 401
    assert (await log_in(world, target, "once more", MALLORY)).status == 429
    assert (await log_in(world, target, PASSWORD, ADMIN)).status == 200
    assert len(await world.rows(login_failures)) == 2, "one of the account and one of the address"


async def test_a_path_that_is_not_there_leads_nowhere_else(world: World) -> None:
    headers = {"authorization": basic("admin", PASSWORD), "host": "evil.example"}
    answer = await call(world.app, "GET", "/api/v2.0/projects/", headers=headers, client=ADMIN)
    assert answer.status == 404
    assert "location" not in answer


@pytest.mark.parametrize(
    ("target", "content_type"),
    [("/service/token", "application/x-www-form-urlencoded"), ("/api/v2.0/projects", "application/json")],
)
async def test_a_small_body_that_drips_is_given_up(
    world: World, target: str, content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "FORM_SECONDS", 0.02)
    sent: list[Any] = []
    headers = [(b"content-type", content_type.encode()), (b"transfer-encoding", b"chunked")]
    headers.append((b"authorization", basic("admin", PASSWORD).encode()))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": headers,
        "client": (ADMIN, 40000),
        "server": ("hub.example", 80),
    }

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(event: Any) -> None:
        sent.append(event)

    await world.app(scope, drip, send)
    assert sent[0]["status"] == 400
    assert b"SIZE_INVALID" in sent[1]["body"]
