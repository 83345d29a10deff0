"""Events on both databases: handed over in order, once, and one that fails holds up its own topic only."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from fairway.frame import events
from fairway.frame.db import Conn, Database, Row
from fairway.frame.db.tables import outbox
from fairway.frame.events import Event, hand_over, record
from frame.db.plans import plan


async def happen(db: Database, *what: tuple[str, int]) -> None:
    for topic, number in what:
        await db.write(partial(record, topic=topic, kind="made", payload={"number": number}))


async def waiting(db: Database) -> int:
    return int(await db.scalar(select(func.count()).select_from(outbox)))


class Heard:
    """A reaction that remembers; `broken` are numbers it cannot take."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken: set[int] = set()

    async def __call__(self, _conn: Conn, event: Event) -> None:
        if event.facts["number"] in self.broken:
            raise RuntimeError("cannot")
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.facts["number"] for event in self.events]


async def test_each_is_handed_over_once_and_in_order(db: Database) -> None:
    heard = Heard()
    assert await hand_over(db, {"made": [heard]}) == 0
    await happen(db, *(("a" if number % 2 else "b", number) for number in range(20)))
    assert await hand_over(db, {"made": [heard]}) == 20
    assert heard.numbers == list(range(20))
    assert len({event.id for event in heard.events}) == 20
    assert await hand_over(db, {"made": [heard]}) == 0
    assert await waiting(db) == 0


async def test_what_nothing_follows_from_goes_as_well(db: Database) -> None:
    await happen(db, ("a", 1))
    assert await hand_over(db, {}) == 1
    assert await waiting(db) == 0


async def test_one_that_fails_holds_up_its_own_topic_only_and_comes_again(db: Database) -> None:
    heard = Heard()
    heard.broken = {2}
    await happen(db, ("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5))
    await hand_over(db, {"made": [heard]})
    done = list(dict.fromkeys(heard.numbers))
    assert done == [1, 3, 5]
    assert await waiting(db) == 2
    heard.broken.clear()
    await db.run(update(outbox).where(outbox.c.claimed_until > 0).values(claimed_until=1))
    await hand_over(db, {"made": [heard]})
    assert heard.numbers[-2:] == [2, 4]
    assert await waiting(db) == 0


async def test_many_processes_hand_over_each_once(db: Database) -> None:
    happened: list[int] = []

    async def count(_conn: Conn, event: Event) -> None:
        happened.append(event.facts["number"])

    await happen(db, *(("a", number) for number in range(30)))
    while await waiting(db):
        await asyncio.gather(*(hand_over(db, {"made": [count]}) for _ in range(4)))
    assert sorted(happened) == list(range(30))


async def test_more_than_a_batch_is_taken_batch_by_batch(db: Database) -> None:
    heard = Heard()
    await happen(db, *(("a", number) for number in range(events.BATCH + 5)))
    assert await hand_over(db, {"made": [heard]}) == events.BATCH + 5
    assert heard.numbers == list(range(events.BATCH + 5))


async def hold_up(db: Database, *topics: str) -> None:
    """Let the first event of each topic fail, and wait for a long time."""
    heard = Heard()
    heard.broken = {-1}
    await happen(db, *((topic, -1) for topic in topics))
    await hand_over(db, {"made": [heard]})
    waits = update(outbox).where(outbox.c.claimed_until > 0)
    assert await db.run(waits.values(claimed_until=2**62)) == len(topics)


async def test_a_topic_with_very_many_is_not_read_while_it_is_held_up(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold_up(db, "m")
    await happen(db, *(("m", number) for number in range(50)), ("a", 100), ("z", 101))
    taken: list[Sequence[Row]] = []
    in_turn = events._in_turn

    async def seen(conn: Conn, held_up: Collection[str], turn: Any) -> Any:
        class Counting:
            async def all(self, statement: Any, **given: Any) -> list[Row]:
                taken.append(await conn.all(statement, **given))
                return list(taken[-1])

        return await in_turn(Counting(), held_up, turn)  # type: ignore[arg-type]

    monkeypatch.setattr(events, "_in_turn", seen)
    heard = Heard()
    assert await hand_over(db, {"made": [heard]}) == 2
    assert heard.numbers == [100, 101]
    assert [row["topic"] for rows in taken for row in rows] == ["a", "z"]
    assert await waiting(db) == 51


async def fill(db: Database, topic: str, doublings: int) -> None:
    """Very many events of a topic: two hundred, doubled so often."""
    many = [(topic, "made", {"number": n}) for n in range(200)]
    await db.write(partial(events.record_all, all_of=many))
    some = [outbox.c[name] for name in ("event_id", "topic", "kind", "payload", "created_at")]
    for _ in range(doublings):
        await db.run(insert(outbox).from_select(some, select(*some)))


async def test_an_index_finds_what_is_not_held_up(db: Database) -> None:
    await fill(db, "m", 9)
    shown = await plan(db, events._NEXT, after="a", before="z")
    assert "ix_outbox_topic_id" in shown
    assert "Sort" not in shown
    assert "TEMP B-TREE" not in shown
    assert ("topic>? AND topic<?" in shown) == (db.dialect == "sqlite")
    assert ("Index Cond" in shown and "Filter" not in shown) == (db.dialect == "postgresql")


async def test_topics_between_many_that_are_held_up_are_found(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOOKS", 2)
    held = [f"{letter}-held" for letter in "bcdefgh"]
    await hold_up(db, *held)
    await happen(db, *((topic, 0) for topic in held))
    free = {"a": 1, "c-held-not": 2, "e": 3, "i": 4, "é": 5}
    await happen(db, *free.items())
    heard = Heard()
    assert await hand_over(db, {"made": [heard]}) == len(free)
    assert sorted(heard.numbers) == sorted(free.values())


async def test_topics_take_turns_where_one_has_more_than_a_batch(db: Database) -> None:
    heard = Heard()
    many = 5 * events.BATCH
    await db.write(partial(events.record_all, all_of=[("m", "made", {"number": n}) for n in range(many)]))
    await happen(db, ("a", many), ("z", many))
    assert await hand_over(db, {"made": [heard]}) == many + 2
    assert [number for number in heard.numbers if number != many] == list(range(many))
    assert heard.numbers.index(many) == events.BATCH
    assert heard.numbers[: 3 * events.BATCH].count(many) == 2


async def test_one_that_fails_is_found_in_few_attempts(db: Database) -> None:
    heard = Heard()
    heard.broken = {150}
    await happen(db, *(("ab"[number % 2], number) for number in range(180)))
    await hand_over(db, {"made": [heard]})
    assert max(Counter(heard.numbers).values()) <= 2
    assert await waiting(db) == 15


async def test_many_are_recorded_at_once(db: Database) -> None:
    heard = Heard()
    await db.write(partial(events.record_all, all_of=[("a", "made", {"number": n}) for n in range(3)]))
    await hand_over(db, {"made": [heard]})
    assert heard.numbers == [0, 1, 2]
    assert len({event.id for event in heard.events}) == 3


async def test_what_takes_long_is_taken_in_short_transactions(db: Database) -> None:
    heard = Heard()

    async def slow(conn: Conn, event: Event) -> None:
        time.sleep(events.BATCH_SECONDS * 0.6)  # noqa: ASYNC251 - computing, which lets nobody else run
        await heard(conn, event)

    await happen(db, *(("a", number) for number in range(5)))
    some = partial(events._hand_over_some, reactions={"made": [slow]}, turn=events._Turn(), reached=[])
    assert 1 <= len((await db.write(some)).rows) <= 2
    assert 3 <= await waiting(db) <= 4
    await hand_over(db, {"made": [slow]})
    assert heard.numbers == list(range(5))
