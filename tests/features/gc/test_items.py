"""What runs write down: found, added up and dropped by index, a little at a time."""

from typing import Any

import pytest
from sqlalchemy import Executable, select, text

from fairway.features.gc.store import items
from fairway.frame.db import Database
from fairway.frame.db.tables import gc_items

RUN = 7
KINDS = (items.BLOB, items.HIDDEN, items.LINK, items.MANIFEST)
STEPS = 3
EACH = 200


def row(number: int, what: str, run: int = RUN, step: int | None = None) -> dict[str, Any]:
    return {
        "run": run,
        "what": what,
        "project_id": 0 if what == items.BLOB else number % 9,
        "repository_id": number % 5 if what == items.MANIFEST else 0,
        "digest": f"sha256:{number:064}",
        "size": number,
        "step": number % STEPS if step is None else step,
    }


async def fill(db: Database) -> None:
    """A dry run, and real ones before and after it."""
    rows = [row(number, what) for what in KINDS for number in range(EACH)]
    rows += [
        row(number, what, run, items.NO_STEP)
        for run in (RUN - 1, RUN + 1)
        for what in KINDS
        for number in range(EACH)
    ]
    await db.write(lambda conn: conn.many(gc_items.insert(), rows))
    await db.write(lambda conn: conn.all(text("ANALYZE gc_items")))


async def left(db: Database) -> list[int]:
    return [each["run"] for each in await db.all(select(gc_items.c.run).order_by(gc_items.c.run))]


PLACE = items._key((items.LINK, 3, 0, ""))
OF_MANIFEST = {name: PLACE[name] for name in ("project", "repository", "digest")}
STATEMENTS: dict[str, tuple[Executable, dict[str, Any], str]] = {
    "listed": (items._LISTED, {"limit": 20, **PLACE}, "pk"),
    "links of a step": (items._OF_STEP, {"step": 1, "limit": 20, **PLACE}, "step"),
    "manifests of a step": (items._MANIFESTS, {"step": 1, "limit": 20, **OF_MANIFEST}, "step"),
    "totals": (items._TOTALS, {"limit": 20, **PLACE}, "pk"),
    "end of totals": (items._TOTALS_END, {"limit": 20, **PLACE}, "pk"),
    "end of what is dropped": (items._END, {"first": 0, "before": RUN, "limit": 20}, "pk"),
    "drop up to there": (items._DROP_TO_END, {"first": 0, **PLACE}, "pk"),
    "drop all": (items._DROP, {"first": 0, "before": RUN}, "pk"),
}
INDEXES = {
    ("sqlite", "pk"): "sqlite_autoindex_gc_items_1",
    ("postgresql", "pk"): "pk_gc_items",
    ("sqlite", "step"): "ix_gc_items_step",
    ("postgresql", "step"): "ix_gc_items_step",
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_question_is_answered_by_an_index_in_its_order(db: Database, name: str) -> None:
    statement, given, index = STATEMENTS[name]
    await fill(db)
    explain = "EXPLAIN QUERY PLAN" if db.dialect == "sqlite" else "EXPLAIN"
    params = {**statement.compile().params, "run": RUN, **given}  # type: ignore[attr-defined]

    async def body(conn: Any) -> Any:
        await items.by_index(db, conn)
        return await conn.all(text(f"{explain} {statement}"), **params)

    plan = " ".join(str(tuple(line)) for line in await db.write(body))
    assert INDEXES[db.dialect, index] in plan
    for wrong in ("SCAN gc_items", "Seq Scan on gc_items", "Bitmap", "Sort"):
        assert wrong not in plan, plan
    if index == "step":
        assert "step=?" in plan or "step = 1" in plan, plan
        assert "Filter" not in plan, plan


async def test_links_of_a_step_are_found_page_by_page(db: Database) -> None:
    await fill(db)
    after, found = items.FIRST, []
    while rows := await items.links_of_step(db, RUN, 1, after, 9):
        after = items.key(rows[-1])
        found += [(each["what"], each["digest"]) for each in rows]
    wanted = [
        (what, row(number, what)["digest"])
        for what in (items.HIDDEN, items.LINK)
        for number in range(EACH)
        if number % STEPS == 1
    ]
    assert sorted(found) == sorted(wanted)


async def test_manifests_of_a_step_that_were_deleted_meanwhile_do_not_end_it(db: Database) -> None:
    await fill(db)
    after, found = items.FIRST, []
    while rows := await items.manifests_of_step(db, RUN, 1, after, 9):
        after = items.key(rows[-1])
        found += [(each["id"], each["digest"]) for each in rows]
    wanted = [(None, row(number, items.MANIFEST)["digest"]) for number in range(EACH) if number % STEPS == 1]
    assert sorted(found, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("part", [1, 200, 333, 800, 5000])
async def test_totals_are_the_same_however_many_are_added_up_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(items, "PART", part)
    await fill(db)
    each = EACH, sum(range(EACH))
    assert await items.totals(db, RUN) == dict.fromkeys(KINDS, each)
    assert await items.totals(db, RUN + 5) == {}


async def test_a_run_is_dropped_little_by_little_and_no_other(db: Database) -> None:
    await fill(db)
    all_ = EACH * len(KINDS)
    dropped = []
    while number := await db.write(lambda conn: items.forget(db, conn, RUN, 300)):
        dropped.append(number)
    assert dropped == [300, 300, 200]
    assert await left(db) == [RUN - 1] * all_ + [RUN + 1] * all_
    assert await db.write(lambda conn: items.forget_older(db, conn, RUN + 1, 500)) == 500
    assert await db.write(lambda conn: items.forget_older(db, conn, RUN + 1, 500)) == 300
    assert await db.write(lambda conn: items.forget_older(db, conn, RUN + 1, 500)) == 0
    assert await left(db) == [RUN + 1] * all_
