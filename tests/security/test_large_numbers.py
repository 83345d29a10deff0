"""Numbers beyond 32 bits, beyond 64 and below zero; times after 2038 (T41, T72)."""

import pytest
from sqlalchemy import Integer, text, update

from fairway.core.tokens import SigningKeys, Token, sign, verify
from fairway.frame.access.roles import Role
from fairway.frame.db.tables import artifacts, metadata, projects, repositories, tags, users
from fairway.frame.web.moments import moment
from features.robots.making import ROBOTS, on, robot
from stories.world import World, image

LARGE = 2**33
YEAR_2100 = 4_102_444_800 * 1_000_000
SMALL_BY_NATURE = {
    "users.credentials_version",
    "refresh_tokens.credentials_version",
    "sessions.credentials_version",
    "members.role",
    "robots.duration",
    "robots.version",
    "user_groups.group_type",
    "login_failures.failures",
    "login_failures.last_at",
    "gc_reviews.tries",
    "outbox.tries",
    "tasks.attempt",
    "tasks.tries",
    "task_logs.number",
    "workers.slots",
    "gc_items.step",
    "immutable_rules.priority",
    "webhook_targets.attempt",
    "webhook_targets.failures",
    "webhook_deliveries.tries",
    "webhook_deliveries.refusals",
    "webhook_deliveries.answered",
    "blobs.state",
    "retention_policies.version",
    "retention_results.total",
    "retention_results.retained",
    "retention_results.gone",
    "retention_results.kept_lines",
    "retention_results.other_lines",
    "retention_lines.kept",
    "retention_lines.first",
    "retention_lines.number",
}
COUNTED = ("users", "projects", "repositories", "artifacts", "tags", "blobs", "outbox", "robots")


async def start_ids_at(world: World, first: int) -> None:
    """The next row of every table that counts gets this id."""
    for table in COUNTED:
        if world.db.dialect == "postgresql":
            await world.run(text(f"SELECT setval('{table}_id_seq', {first}, false)"))
        else:
            await world.run(text(f"DELETE FROM sqlite_sequence WHERE name = '{table}'"))
            await world.run(text(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {first - 1})"))


@pytest.mark.parametrize("first", [2**31 - 1, LARGE, 2**62])
async def test_ids_may_be_larger_than_a_machine_word_once_was(world: World, first: int) -> None:
    await start_ids_at(world, first)
    alice = await world.person("alice")
    project = await world.project("team", alice)
    assert (alice.id, project) == (first, first)
    dave = await world.member(project, "dave", Role.DEVELOPER)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    assert (await dave.push("team/app:v2", image("more"))).status == 201
    bearer = await dave.with_token("repository:team/app:pull,push")
    assert (await bearer.push("team/app:v3", image("more"))).status == 201
    assert (await bearer.pull("team/app:v3")).status == 200
    answer = await alice.ask_token("repository:team/app:pull", offline_token="true", client_id="x")
    assert answer.json["refresh_token"]
    shown = await alice("GET", "/api/v2.0/projects/team")
    assert (shown.json["project_id"], shown.json["owner_id"]) == (first, first)
    by_id = await alice("GET", f"/api/v2.0/projects/{first}")
    assert by_id.status == (200 if len(str(first)) <= 18 else 403)
    ci = await robot(world, "ci", on("team", "repository:pull"), by=alice)
    assert ci.id == first
    assert (await (await ci.with_token("repository:team/app:pull")).pull("team/app:v3")).status == 200
    assert (await alice("GET", f"{ROBOTS}/{first}")).json["creator_ref"] == first
    assert (await alice.delete("team/app:v1")).status == 202
    assert {row["id"] >= first for row in await world.rows(artifacts)} == {True}


async def test_numbers_that_no_id_can_be_name_nothing(world: World) -> None:
    await world.project("team")
    for number in (
        "-1",
        "0",
        "-9223372036854775808",
        *(str(2**n + d) for n in (31, 32, 63, 64, 200) for d in (-1, 0, 1)),
    ):
        for method in ("GET", "DELETE"):
            assert (await world.admin(method, f"/api/v2.0/projects/{number}")).status == 404, number
        assert (await world.anybody("GET", f"/api/v2.0/projects/{number}")).status == 401
        asked = await world.admin("HEAD", f"/api/v2.0/projects?project_name={number}")
        assert asked.status == 404


async def test_pages_are_bounded_and_their_product_too(world: World) -> None:
    for name in ("a", "b"):
        await world.project(name)
    for query, status in {
        "page_size=100": 200,
        "page_size=101": 422,
        "page_size=-1": 422,
        "page_size=99999999999999999999": 422,
        "page=0": 422,
        "page=-1": 422,
        f"page={2**31 - 1}&page_size=100": 200,
        f"page={2**31}": 422,
        f"page={2**63}&page_size=100": 422,
        "page=1e3": 422,
    }.items():
        answer = await world.admin("GET", f"/api/v2.0/projects?{query}")
        assert answer.status == status, query
        assert status != 200 or answer["x-total-count"] == "2"


async def test_storage_limits_and_sizes_fit_or_are_refused(world: World) -> None:
    for limit in (2**40, 2**50, 2**63 - 1, 2**63, -2, -(2**63), 10**30):
        body = f'{{"project_name":"p{abs(limit)}","storage_limit":{limit}}}'.encode()
        answer = await world.admin(
            "POST", "/api/v2.0/projects", body, headers={"content-type": "application/json"}
        )
        assert answer.status in (201, 400, 422), limit


async def test_times_after_2038_are_times(world: World) -> None:
    """Rows written in the year 2100, by a clock that was wrong or at last right."""
    alice = await world.person("alice")
    await world.project("team", alice)
    assert (await alice.push("team/app:v1", image("base"))).status == 201
    for table in (users, projects, repositories, artifacts, tags):
        for column in ("created_at", "updated_at", "pushed_at"):
            if column in table.c:
                await world.run(update(table).values(**{column: YEAR_2100}))
    shown = await alice("GET", "/api/v2.0/projects/team")
    assert shown.json["creation_time"] == "2100-01-01T00:00:00.000Z"
    assert (await alice.pull("team/app:v1")).status == 200
    assert (await alice.push("team/app:v2", image("base"))).status == 201


def test_a_token_after_2038_holds() -> None:
    keys, now = SigningKeys.generate(), LARGE
    token = Token("alice", LARGE, "us", "them", (), now, now + 300, "id")
    assert verify(keys, sign(keys, token), audience="them", issuer="us", now=now + 1) == token
    assert moment(YEAR_2100) == "2100-01-01T00:00:00.000Z"


def test_no_id_size_or_time_is_kept_in_32_bits() -> None:
    """On PostgreSQL an Integer column has 32; SQLite's have 64 whatever they are called."""
    from sqlalchemy.dialects import postgresql

    small = {
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type.dialect_impl(postgresql.dialect()), Integer)  # type: ignore[no-untyped-call]
        and "BIGINT" not in column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]
    }
    assert small <= SMALL_BY_NATURE
