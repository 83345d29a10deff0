"""Quotas as administrators see and set them: `/quotas` as Harbor's clients use it."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from fairway.features.quotas import store
from fairway.frame.db import Database, ledger
from fairway.frame.db.tables import outbox, project_blobs, quota_deltas, quotas
from features.projects.test_members import ask
from features.projects.test_store import person, project
from stories.world import Person, World, image

QUOTAS = "/api/v2.0/quotas"
LARGEST = 1024 * 2**40


@pytest.fixture
async def alice(world: World) -> Person:
    return await world.person("alice")


async def test_a_quota_is_found_by_its_project_and_set(world: World, alice: Person) -> None:
    await world.project("other", alice)
    team = await world.project("team", alice)
    await alice.push("team/app:v1", image("base"))
    [quota] = (await world.admin("GET", f"{QUOTAS}?reference=project&reference_id={team}")).json
    moments = quota.pop("creation_time"), quota.pop("update_time")
    assert moments[0] == moments[1]
    assert quota == {
        "id": team,
        "ref": {"id": team, "name": "team", "owner_name": "alice"},
        "hard": {"storage": -1},
        "used": {"storage": image("base").size},
    }
    at = f"{QUOTAS}/{quota['id']}"
    answer = await ask(world.admin, "PUT", at, {"hard": {"storage": 5000}})
    assert (answer.status, answer.body) == (200, b"")
    shown = (await world.admin("GET", at)).json
    assert (shown["hard"], shown["used"]) == ({"storage": 5000}, quota["used"])
    assert shown["update_time"] > moments[1]
    assert (await alice.push_blob("team/app", bytes(5000))).short == (403, "DENIED")


async def test_a_limit_below_what_is_used_lets_nothing_more_in(world: World, alice: Person) -> None:
    team = await world.project("team", alice)
    await alice.push_blob("team/app", bytes(800))
    assert (await ask(world.admin, "PUT", f"{QUOTAS}/{team}", {"hard": {"storage": 1}})).status == 200
    assert (await alice.push_blob("team/app", b"more")).status == 403
    assert (await ask(world.admin, "PUT", f"{QUOTAS}/{team}", {"hard": {"storage": -1}})).status == 200
    assert (await alice.push_blob("team/app", b"more")).status == 201
    assert await ledger.used(world.db, team) == 804


async def test_limits_that_make_no_sense(world: World) -> None:
    team = await world.project("team")
    bodies: list[tuple[dict[str, Any], int]] = [
        ({"hard": {"storage": 0}}, 400),
        ({"hard": {"storage": -2}}, 400),
        ({"hard": {"storage": LARGEST + 1}}, 400),
        ({"hard": {"storage": 10**400}}, 400),
        ({"hard": {}}, 400),
        ({"hard": {"count": 5}}, 400),
        ({"hard": {"storage": 5, "count": 5}}, 400),
        ({"hard": {"storage": "much"}}, 422),
        ({}, 422),
    ]
    for body, status in bodies:
        assert (await ask(world.admin, "PUT", f"{QUOTAS}/{team}", body)).status == status, body
    assert [row["hard"] for row in await world.rows(quotas)] == [-1]
    assert (await ask(world.admin, "PUT", f"{QUOTAS}/{team}", {"hard": {"storage": LARGEST}})).status == 200
    for method, body in (("GET", None), ("PUT", {"hard": {"storage": 5}})):
        assert (await ask(world.admin, method, f"{QUOTAS}/4711", body)).short == (404, "NOT_FOUND")


async def test_a_list_is_sorted_and_paged(world: World, alice: Person) -> None:
    for name, limit, size in (("a", 3000, 30), ("b", -1, 20), ("c", 1000, 10)):
        await world.project(name, alice, limit=limit)
        await alice.push_blob(f"{name}/app", bytes(size))
    for query, names, total in (
        ("", ["a", "b", "c"], 3),
        ("?sort=hard.storage", ["b", "c", "a"], 3),
        ("?sort=-used.storage", ["a", "b", "c"], 3),
        ("?sort=used.storage", ["c", "b", "a"], 3),
        ("?sort=nonsense&page=2&page_size=2", ["c"], 3),
        ("?reference=user", [], 0),
        ("?reference_id=4711", [], 0),
    ):
        answer = await world.admin("GET", QUOTAS + query)
        assert [each["ref"]["name"] for each in answer.json] == names, query
        assert answer["x-total-count"] == str(total)
    assert (await world.admin("GET", f"{QUOTAS}?reference_id=one")).status == 400


async def test_a_limit_counts_anew_and_is_recorded(db: Database) -> None:
    admin = await person(db, "admin", sysadmin=True)
    team = await project(db, "team", admin)
    link = {"project_id": team, "size": 7, "created_at": 0}
    for digest in ("sha256:a", "sha256:b"):
        await db.run(insert(project_blobs).values(**link, digest=digest))
    await db.run(insert(quota_deltas).values(project_id=team, delta=7))
    assert await db.write(lambda conn: store.set_limit(conn, team, 100, admin))
    assert await db.scalar(select(quotas.c.used)) == await ledger.used(db, team) == 14
    assert await db.scalar(select(func.count()).select_from(quota_deltas)) == 0
    assert not await db.write(lambda conn: store.set_limit(conn, 4711, 100, admin))
    [row] = [each for each in await db.all(select(outbox)) if each["kind"] == "quota.updated"]
    assert json.loads(row["payload"]) == {"project_id": team, "name": "team", "hard": 100, "by": "admin"}


async def test_a_limit_set_among_pushes_and_folding_counts_every_byte(world: World, alice: Person) -> None:
    team = await world.project("team", alice)

    async def push(n: int) -> None:
        assert (await alice.push_blob("team/app", bytes([n]) * 10)).status == 201

    async def limit(n: int) -> None:
        body = {"hard": {"storage": -1 if n % 2 else 10**6 + n}}
        assert (await ask(world.admin, "PUT", f"{QUOTAS}/{team}", body)).status == 200

    async def fold() -> None:
        await world.db.write(ledger.fold_deltas)

    await asyncio.gather(*(each for n in range(12) for each in (push(n), limit(n), fold())))
    await fold()
    assert await ledger.used(world.db, team) == 120
