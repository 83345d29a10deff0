"""Lists of artifacts stay quick: how many statements a page takes, and by which indexes they are answered."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.expression import ClauseElement

from fairway.core.oci.digest import Digest
from fairway.core.oci.names import Tag
from fairway.features.artifacts.api import shown
from fairway.features.artifacts.api.shown import Wanted
from fairway.features.artifacts.store import details, listed, repositories
from fairway.features.artifacts.store.listed import Within
from fairway.frame.access.principals import User
from fairway.frame.db import Conn, Row
from fairway.frame.db.listing import AllOf, Contains, Exact, Filters, Order
from fairway.frame.db.tables import artifact_labels, artifact_links, artifacts, labels, projects, tags
from fairway.frame.db.tables import repositories as repository_rows
from stories.world import World, image

MANY = 3000
"""Enough for PostgreSQL to prefer an index to reading the whole table."""


def digest(name: object) -> str:
    return Digest.of(str(name).encode())


def artifact(n: int, project: int, repository: int, **more: Any) -> dict[str, Any]:
    return {
        "id": n,
        "project_id": project,
        "repository_id": repository,
        "digest": digest(n),
        "media_type": "m",
        "kind": "image",
        "artifact_type": "",
        "annotations": "{}",
        "size": 1,
        "pushed_at": n,
        "created_at": n,
        "accessory_of": None,
        "payload": b"{}",
        **more,
    }


@pytest.fixture
async def full(world: World) -> World:
    """Two repositories with many artifacts: every third has a tag, every tenth is an index of the one before, every tenth
    an accessory."""
    project = await world.project("team")
    for name in ("app", "other"):
        row = {"project_id": project, "name": name, "created_at": 0, "updated_at": 0}
        await world.run(insert(repository_rows).values(**row))
    rows = [artifact(n, project, 1 + n % 2) for n in range(1, MANY)]
    for row in rows[::10]:
        row["accessory_of"] = digest(row["id"] + 2)
    for row in rows[5::10]:
        row["kind"] = "index"
    links = [
        {"artifact_id": row["id"], "digest": digest(row["id"] - 2), "kind": "child", "project_id": project}
        for row in rows[5::10]
    ]
    named = [
        {"repository_id": 1 + n % 2, "name": f"v{n}", "artifact_id": n, "pushed_at": n, "created_at": n}
        for n in range(1, MANY, 3)
    ]
    for table, values in ((artifacts, rows), (artifact_links, links), (tags, named)):
        for at in range(0, len(values), 500):
            await world.run(insert(table).values(values[at : at + 500]))
    if world.db.dialect == "postgresql":
        await world.db.write(lambda conn: conn.all(text("ANALYZE")))
    return world


class Counting:
    """A connection that remembers what it was asked."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.asked: list[tuple[Executable, Mapping[str, Any]]] = []

    async def all(self, statement: Executable, /, **params: Any) -> list[Row]:
        self.asked.append((statement, params))
        return await self.conn.all(statement, **params)

    async def first(self, statement: Executable, /, **params: Any) -> Row | None:
        self.asked.append((statement, params))
        return await self.conn.first(statement, **params)

    async def scalar(self, statement: Executable, /, **params: Any) -> Any:
        self.asked.append((statement, params))
        return await self.conn.scalar(statement, **params)


async def ask(world: World, within: Within, filters: Filters, limit: int) -> Counting:
    conn: Any = Counting(world.db)
    rows, _ = await listed.page(conn, within, filters, (), offset=0, limit=limit)
    assert len(rows) == limit
    await shown.artifacts(conn, rows, Wanted(tags=True, labels=True, accessories=True))
    return conn


class explain(Executable, ClauseElement):  # noqa: N801 - a construct is named as it is written
    """EXPLAIN of a statement, which is compiled as it always is."""

    inherit_cache = False

    def __init__(self, statement: Any) -> None:
        self.statement = statement


@compiles(explain, "postgresql")
def _explain_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **kw)}"


@compiles(explain, "sqlite")
def _explain_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.statement, **kw)}"


async def plan(world: World, asked: Counting, *, scans: bool = True) -> str:
    """How the database answers what was asked, in its own words; without `scans` PostgreSQL reads tables by index only
    where that can be done, however small they are here."""

    async def body(conn: Conn) -> list[list[Row]]:
        if world.db.dialect == "postgresql" and not scans:
            await conn.all(text("SET LOCAL enable_seqscan = off"))
        return [await conn.all(explain(statement), **params) for statement, params in asked.asked]

    return "\n".join(str(tuple(dict(row).values())) for rows in await world.db.write(body) for row in rows)


NOTHING: Filters = {}


@pytest.mark.parametrize("within", [Within(1, 1), Within(1)], ids=["repository", "project"])
async def test_a_page_takes_as_many_statements_as_there_are_kinds_of_details(
    full: World, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count, the page, references, tags, labels and accessories: six, whether there are two rows or a hundred."""
    assert len((await ask(full, within, NOTHING, 50)).asked) == 6
    assert len((await ask(full, within, NOTHING, 100)).asked) == 6
    conn: Any = Counting(full.db)
    rows, total = await repositories.page(
        conn, User(1, "admin", sysadmin=True), None, {}, (), offset=0, limit=10
    )
    assert total == len(rows) == 2
    counts = await repositories.artifact_counts(conn, [row["id"] for row in rows])
    assert len(conn.asked) == 3
    monkeypatch.setattr(details, "MOST", 2)
    for n in range(4):
        row = {
            "repository_id": 1,
            "name": f"more{n}",
            "artifact_id": 10,
            "pushed_at": MANY + n,
            "created_at": 0,
        }
        await full.run(insert(tags).values(**row))
    found = await details.tags_of(full.db, [10, 16])
    assert [[row["name"] for row in found[n]] for n in (10, 16)] == [["more3", "more2"], ["v16"]]
    for row in rows:
        _, artifacts_listed = await listed.page(full.db, Within(1, row["id"]), {}, (), offset=0, limit=1)
        assert counts[row["id"]] == artifacts_listed


@pytest.mark.parametrize(
    ("within", "filters", "index"),
    [
        (Within(1, 1), NOTHING, "ix_artifacts_in_repository"),
        (Within(1), NOTHING, "ix_artifacts_in_project"),
        (Within(1, 1), {"tags": Exact("*")}, "ix_artifacts_in_repository"),
        (Within(1, 1), {"type": Exact("")}, "ix_artifacts_in_repository"),
    ],
)
async def test_the_order_of_a_list_is_that_of_an_index(
    full: World, within: Within, filters: Filters, index: str
) -> None:
    """Of all that there is; only the rows of the page itself, which are read by their ids, are put in order again."""
    asked = await ask(full, within, filters, 10)
    asked.asked = asked.asked[1:2]
    assert index in await plan(full, asked)
    asked.asked = [(listed.chosen(within, filters, (), offset=0, limit=10), {})]
    how = await plan(full, asked)
    assert index in how
    assert "TEMP B-TREE" not in how, how
    assert "Sort" not in how, how


async def test_details_and_look_ups_are_answered_by_indexes(full: World) -> None:
    conn: Any = Counting(full.db)
    ids = list(range(1, 101))
    await details.tags_of(conn, ids)
    await details.labels_of(conn, ids)
    await details.references_of(conn, ids)
    await details.accessories_of(conn, ids)
    await details.tag_page(conn, 7, {}, (), offset=0, limit=10)
    await details.accessory_page(conn, 7, {}, (), offset=0, limit=10)
    await listed.one(conn, 1, Tag("v10"))
    await listed.one(conn, 1, Digest(digest(10)))
    await repositories.some_artifacts(conn, 1, 50, "", 10)
    how = await plan(full, conn, scans=False)
    for table in (
        *("artifacts", "tags", "labels", "artifact_labels", "artifact_links"),
        *("accessory", "child", "owner", "subject"),
    ):
        assert f"SCAN {table}" not in how, how
        assert f"Seq Scan on {table}" not in how, how


@pytest.mark.parametrize("within", [Within(1, 1), Within(1)], ids=["repository", "project"])
async def test_lists_by_label_are_answered_by_indexes(full: World, within: Within) -> None:
    for number in (1, 2):
        row = {"id": number, "name": f"l{number}", "created_at": 0, "updated_at": 0}
        await full.run(insert(labels).values(**row))
    hung = [{"artifact_id": n, "label_id": 1 + n % 2, "created_at": 0} for n in range(2, MANY, 20)]
    hung += [{"artifact_id": n, "label_id": 2, "created_at": 0} for n in range(2, MANY, 20)]
    await full.run(insert(artifact_labels).values(hung))
    conn: Any = Counting(full.db)
    rows, total = await listed.page(conn, within, {"labels": AllOf((1, 2))}, (), offset=0, limit=5)
    _, with_one = await listed.page(full.db, within, {"labels": AllOf((1,))}, (), offset=0, limit=1)
    assert (len(rows), total) == (5, with_one)
    how = await plan(full, conn, scans=False)
    assert "artifact_labels" in how
    for table in ("artifacts", "artifact_labels"):
        assert f"SCAN {table}" not in how, how
        assert f"Seq Scan on {table}" not in how, how


async def test_filters_by_tag_find_what_they_should(full: World) -> None:
    within = Within(1, 1)
    [only], total = await listed.page(full.db, within, {"tags": Exact("v10")}, (), offset=0, limit=10)
    assert (only["id"], total) == (10, 1)
    rows, _ = await listed.page(full.db, within, {"tags": Contains("V10")}, (), offset=0, limit=100)
    assert {row["id"] for row in rows} >= {10, 100, 1000}
    assert all(str(row["id"]).startswith("10") for row in rows)
    _, everything = await listed.page(full.db, within, {"base": Exact("*")}, (), offset=0, limit=1)
    assert everything == len([n for n in range(1, MANY) if n % 2 == 0])
    assert json.loads(only["annotations"]) == {}


WORDS = "{" + "%20".join(f"n{n}" for n in range(100)) + "}"
OF_PROJECT = "/api/v2.0/projects/team"
OF_REPOSITORY = f"{OF_PROJECT}/repositories/app"


@pytest.mark.parametrize(
    ("path", "slow"),
    [
        (f"/api/v2.0/repositories?q=name={WORDS}", True),
        ("/api/v2.0/repositories?q=pull_count=7", True),
        ("/api/v2.0/repositories?q=project_name=team", False),
        (f"{OF_PROJECT}/repositories?q=name=team/app", True),
        (f"{OF_PROJECT}/repositories?q=repository_name=app", False),
        (f"{OF_PROJECT}/repositories", False),
        (f"{OF_PROJECT}/artifacts?q=type=NONE", True),
        (f"{OF_PROJECT}/artifacts?q=tags=v1", True),
        (f"{OF_PROJECT}/artifacts?q=digest=none", False),
        (f"{OF_PROJECT}/artifacts", False),
        (f"{OF_PROJECT}/artifacts?latest_in_repository=true", True),
        (f"{OF_PROJECT}/artifacts?q=digest=none&latest_in_repository=true", True),
        ("/api/v2.0/search?q=app", True),
        (f"{OF_REPOSITORY}/artifacts?q=size=[1~2]", True),
        (f"{OF_REPOSITORY}/artifacts?q=tags=v1", False),
        (f"{OF_REPOSITORY}/artifacts/v1/tags?q=name=v1", False),
        (f"/api/v2.0/audit-logs?q=resource={WORDS}", True),
        ("/api/v2.0/audit-logs?q=operation=create", True),
    ],
)
async def test_what_may_look_at_every_row_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, slow: bool
) -> None:
    await world.project("team", public=True)
    assert (await world.admin.push("team/app:v1", image("base"))).status == 201
    walked = []
    walk = world.db.walk

    async def noted(body: Any) -> Any:
        walked.append(body)
        return await walk(body)

    monkeypatch.setattr(world.db, "walk", noted)
    assert (await world.admin("GET", path)).status == 200
    assert bool(walked) is slow


@pytest.mark.parametrize(
    "filters", [NOTHING, {"name": Contains("r")}, {"name": Contains("p1/r")}], ids=["all", "some", "whole"]
)
@pytest.mark.parametrize("order", [(), [("pull_count", True)]], ids=["by name", "by pulls"])
async def test_pages_of_repositories_are_parts_of_one_list(
    world: World, filters: Filters, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of whoever lists every project, when one of them is being deleted, and when not all of it is counted."""
    for n in range(4):
        project = await world.project(f"p{n}")
        for m in range(3):
            row = {"project_id": project, "name": f"r{m}", "pull_count": m, "created_at": 0, "updated_at": 0}
            await world.run(insert(repository_rows).values(**row))
    await world.run(update(projects).where(projects.c.name == "p2").values(deleted_at=1))
    admin = User(1, "admin", sysadmin=True)
    there = [(f"p{n}", f"r{m}") for n in (0, 1, 3) for m in range(3)]
    if filters == {"name": Contains("p1/r")}:
        there = [each for each in there if each[0] == "p1"]
    if order:
        there.sort(key=lambda each: each[1], reverse=True)
        there = [(p, r) for r in ("r2", "r1", "r0") for p in ("p3", "p1", "p0") if (p, r) in there]
    for counted in (10_000, 4):
        monkeypatch.setattr(repositories, "COUNTED", counted)
        for offset in range(len(there) + 1):
            rows, total = await repositories.page(
                world.db, admin, None, filters, order, offset=offset, limit=2
            )
            assert [(row["project"], row["name"]) for row in rows] == there[offset : offset + 2]
            far = max(counted, offset + 3) if filters else len(there)
            assert total == min(len(there), far)


@pytest.mark.parametrize("within", [Within(1, 1), Within(1)], ids=["repository", "project"])
@pytest.mark.parametrize("order", [(), [("push_time", False)], [("pull_time", True)]])
async def test_pages_of_artifacts_are_parts_of_one_list(full: World, within: Within, order: Order) -> None:
    rows, total = await listed.page(full.db, within, {}, order, offset=0, limit=MANY)
    whole = [row["id"] for row in rows]
    assert len(whole) == total > 1_000
    for offset in (0, 1, total // 2 - 1, total // 2 + 1, total - 101, total - 100, total - 7, total):
        rows, _ = await listed.page(full.db, within, {}, order, offset=offset, limit=100)
        assert [row["id"] for row in rows] == whole[offset : offset + 100]


async def test_of_very_many_tags_each_artifact_shows_its_share(full: World) -> None:
    more = [
        {"repository_id": 1, "name": f"b{n}", "artifact_id": 10, "pushed_at": MANY + n, "created_at": n}
        for n in range(5_000)
    ]
    for at in range(0, len(more), 500):
        await full.run(insert(tags).values(more[at : at + 500]))
    conn: Any = Counting(full.db)
    found = await details.tags_of(conn, [10, 16, 12, 22])
    assert len(conn.asked) == 2
    assert [row["name"] for row in found[10]] == [f"b{n}" for n in range(4_999, 3_999, -1)]
    assert {n: [row["name"] for row in found[n]] for n in found if n != 10} == {16: ["v16"], 22: ["v22"]}
    assert len((await details.tags_of(full.db, list(range(10, 60))))[10]) == 100
    assert found[10] == (await details.tags_of(full.db, [10]))[10]
    how = await plan(full, conn, scans=False)
    for table in ("artifacts", "tags", "own"):
        assert f"SCAN {table}" not in how, how
        assert f"Seq Scan on {table}" not in how, how


@pytest.mark.parametrize("order", [(), [("push_time", False)], [("pull_time", True)]])
@pytest.mark.parametrize(
    "filters", [{"tags": Contains("V1")}, {"tags": Exact("nil")}, {"type": Contains("")}]
)
@pytest.mark.parametrize("counted", [10_000, 50], ids=["all counted", "not all counted"])
async def test_pages_of_what_is_looked_for_are_parts_of_one_list(
    full: World, filters: Filters, order: Order, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "COUNTED", counted)
    within = Within(1, 2)
    there = [n for n in range(1, MANY) if n % 2 == 1 and n % 10 != 1]
    if filters == {"tags": Contains("V1")}:
        there = [n for n in there if n % 3 == 1 and str(n).startswith("1")]
    elif "tags" in filters:
        there = [n for n in there if n % 3 != 1]
    assert len(there) > 100
    if order != [("push_time", False)]:
        there.reverse()
    for offset in (0, 40, 49, 50, 51, len(there) - 3, len(there), len(there) + 10):
        conn: Any = Counting(full.db)
        rows, total = await listed.page(conn, within, filters, order, offset=offset, limit=20)
        assert [row["id"] for row in rows] == there[offset : offset + 20]
        assert total == min(len(there), max(counted, offset + 21))
        assert len(conn.asked) <= 2
